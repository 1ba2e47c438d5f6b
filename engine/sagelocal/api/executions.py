"""Operations on pipeline executions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.fitting import fitted
from sagelocal.api.pages import descending, page, seconds, within
from sagelocal.api.quotas import refuse_execution
from sagelocal.api.requests import Request
from sagelocal.engine import Engine
from sagelocal.errors import ConflictError, MachineError
from sagelocal.expressions import render
from sagelocal.lifecycle import UNDER_WAY, ExecutionStatus, failure_reason
from sagelocal.names import execution_id, pipeline_of
from sagelocal.shapes import response_shape
from sagelocal.state import Selection
from sagelocal.store.journal import Outline
from sagelocal.store.machines import Machine
from sagelocal.values import Json, JsonObject, Scalar

_ROLE_REFUSED: Final = (
    "RoleArn can only be given for pipelines that AWS manages: executions of others use the pipeline's role."
)


def start(engine: Engine, request: Request) -> Awaitable[JsonObject]:
    """StartPipelineExecution."""
    token = request.get("ClientRequestToken")
    return engine.tokens.once("StartPipelineExecution", token, request, lambda: _start(engine, request))


async def _start(engine: Engine, request: Request) -> JsonObject:
    if "RoleArn" in request:
        raise ApiError("ValidationException", _ROLE_REFUSED)
    refuse_execution(engine)
    try:
        arn = await engine.start(
            request["PipelineName"],
            _parameters(request),
            max_parallel=_max_parallel(request),
            display_name=request.get("PipelineExecutionDisplayName"),
            description=request.get("PipelineExecutionDescription"),
            version=request.get("PipelineVersionId"),
            alias=request.get("PipelineVersionAlias"),
            mlflow_experiment=request.get("MlflowExperimentName"),
            selection=_selection(request),
        )
    except MachineError as error:
        # Clients repeat what is answered with a status of 500, but an image that lacks now will lack again.
        raise ApiError("ValidationException", str(error)) from None
    return {"PipelineExecutionArn": arn}


def _parameters(request: Request) -> dict[str, Scalar]:
    given: dict[str, Scalar] = {}
    for each in request.get("PipelineParameters", ()):
        if each["Name"] in given:
            message = f"Parameter '{each['Name']}' is given twice."
            raise ApiError("ValidationException", message)
        given[each["Name"]] = each["Value"]
    return given


def _selection(request: Request) -> Selection | None:
    config = request.get("SelectiveExecutionConfig")
    if config is None:
        return None
    steps = tuple(step["StepName"] for step in config["SelectedSteps"])
    return Selection(steps, config.get("SourcePipelineExecutionArn"))


def _max_parallel(request: Request) -> int | None:
    configuration: dict[str, int] = request.get("ParallelismConfiguration", {})
    return configuration.get("MaxParallelExecutionSteps")


def stop(engine: Engine, request: Request) -> Awaitable[JsonObject]:
    """StopPipelineExecution; of one that is stopping already nothing more is asked (semantics 06 §6.2)."""
    token = request.get("ClientRequestToken")
    return engine.tokens.once("StopPipelineExecution", token, request, lambda: _stop(engine, request))


async def _stop(engine: Engine, request: Request) -> JsonObject:
    arn, status = _status(engine, request)
    if status not in UNDER_WAY:
        raise ConflictError(f"Pipeline execution {arn} has ended: it is {status}.")
    if not engine.drives(arn):
        await engine.stop_interrupted(arn)
    elif status == ExecutionStatus.EXECUTING:
        engine.stop(arn)
    return {"PipelineExecutionArn": arn}


def retry(engine: Engine, request: Request) -> Awaitable[JsonObject]:
    """RetryPipelineExecution."""
    token = request.get("ClientRequestToken")
    return engine.tokens.once("RetryPipelineExecution", token, request, lambda: _retry(engine, request))


async def _retry(engine: Engine, request: Request) -> JsonObject:
    arn = request["PipelineExecutionArn"]
    refuse_execution(engine)
    await engine.retry(arn, max_parallel=_max_parallel(request))
    return {"PipelineExecutionArn": arn}


def update(engine: Engine, request: Request) -> JsonObject:
    """UpdatePipelineExecution; its parallelism takes effect at once."""
    arn, _ = _status(engine, request)
    max_parallel = _max_parallel(request)
    if max_parallel is not None:
        engine.limit(arn, max_parallel)
    display_name = request.get("PipelineExecutionDisplayName")
    description = request.get("PipelineExecutionDescription")
    if display_name is not None or description is not None:
        engine.rename(arn, display_name, description)
    return {"PipelineExecutionArn": arn}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribePipelineExecution."""
    outline, machine = _execution(engine, request)
    begun, execution = machine.start, machine.execution
    answer: dict[str, Json] = {
        "PipelineArn": execution.identity.pipeline_arn,
        "PipelineExecutionArn": outline.arn,
        "PipelineExecutionDisplayName": outline.display_name,
        "PipelineExecutionStatus": execution.status,
        "PipelineExecutionDescription": outline.description,
        "PipelineExperimentConfig": begun.experiment or None,
        "FailureReason": execution.failure_reason,
        "CreationTime": seconds(outline.created),
        "LastModifiedTime": seconds(max(outline.created, execution.modified, outline.modified or 0.0)),
        "CreatedBy": {},
        "LastModifiedBy": {},
        "PipelineVersionId": outline.version,
        "MLflowConfig": begun.mlflow or None,
        "PipelineVersionAliases": _aliases(engine, outline.pipeline).get(outline.version, []),
    }
    max_parallel = execution.max_parallel or begun.max_parallel
    if max_parallel is not None:
        answer["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": max_parallel}
    return fitted(response_shape("DescribePipelineExecution"), answer)


def _aliases(engine: Engine, pipeline: str) -> dict[int, list[Json]]:
    """Per number of a version, its aliases."""
    return {version.number: list(version.aliases) for version in engine.pipelines.versions(pipeline)}


def list_executions(engine: Engine, request: Request) -> JsonObject:
    """ListPipelineExecutions: the newest first unless asked otherwise."""
    pipeline = engine.pipelines.get(pipeline_of(request["PipelineName"])).name
    alias = request.get("PipelineVersionAlias")
    version = None if alias is None else engine.pipelines.version(pipeline, alias=alias).number
    machines = engine.views.machines
    found = [
        outline
        for outline in machines.outlines(pipeline)
        if within(request, outline.created) and version in {None, outline.version}
    ]
    if request.get("SortBy") == "PipelineExecutionArn":
        found.sort(key=lambda outline: outline.arn)
    if descending(request):
        found.reverse()
    aliases = _aliases(engine, pipeline)

    def show(outline: Outline) -> JsonObject:
        status = machines.status(outline)
        answer: dict[str, Json] = {
            "PipelineExecutionArn": outline.arn,
            "StartTime": seconds(outline.created),
            "PipelineExecutionStatus": status,
            "PipelineExecutionDescription": outline.description,
            "PipelineExecutionDisplayName": outline.display_name,
            "PipelineExecutionFailureReason": failure_reason(status),
            "PipelineVersionAliases": aliases.get(outline.version, []),
        }
        return {name: value for name, value in answer.items() if value is not None}

    return page(request, found, lambda outline: execution_id(outline.arn), "PipelineExecutionSummaries", show)


def list_parameters(engine: Engine, request: Request) -> JsonObject:
    """ListPipelineParametersForExecution: all of them, those with their defaults included (semantics 13, U18)."""
    _, machine = _execution(engine, request)

    def show(each: tuple[str, Scalar]) -> JsonObject:
        return {"Name": each[0], "Value": render(each[1])}

    return page(
        request, list(machine.start.parameters.items()), lambda each: each[0], "PipelineParameters", show
    )


def describe_definition(engine: Engine, request: Request) -> JsonObject:
    """DescribePipelineDefinitionForExecution: the text that it runs, whatever the pipeline's is by now."""
    outline, machine = _execution(engine, request)
    created = engine.pipelines.get(outline.pipeline).created
    return {"PipelineDefinition": machine.start.definition, "CreationTime": seconds(created)}


def _execution(engine: Engine, request: Request) -> tuple[Outline, Machine]:
    machines = engine.views.machines
    outline = machines.outline(request["PipelineExecutionArn"])
    return outline, machines.of(outline)


def _status(engine: Engine, request: Request) -> tuple[str, str]:
    machines = engine.views.machines
    outline = machines.outline(request["PipelineExecutionArn"])
    return outline.arn, machines.status(outline)
