"""Operations on pipelines."""

from __future__ import annotations

from collections.abc import Awaitable

from sagelocal.api.definitions import definition, required
from sagelocal.api.faults import ApiError
from sagelocal.api.pages import descending, page, seconds, within
from sagelocal.api.quotas import refuse_pipeline
from sagelocal.api.requests import Request
from sagelocal.api.versions import version_of
from sagelocal.engine import Engine
from sagelocal.errors import ConflictError
from sagelocal.lifecycle import UNDER_WAY
from sagelocal.names import pipeline_of
from sagelocal.store.pipelines import Change, Pipeline
from sagelocal.values import Json, JsonObject


def create(engine: Engine, request: Request) -> Awaitable[JsonObject]:
    """CreatePipeline."""
    token = request.get("ClientRequestToken")
    return engine.tokens.once("CreatePipeline", token, request, lambda: _create(engine, request))


async def _create(engine: Engine, request: Request) -> JsonObject:
    name = request["PipelineName"]
    _refuse_known(engine, name)
    text = await required(engine, request)
    _refuse_known(engine, name)  # somebody may have been quicker
    refuse_pipeline(engine)
    now, arn = engine.clock.now(), engine.partition.pipeline(name)
    change = _change(request)
    pipeline = Pipeline(
        name, arn, now, now, change.role, change.display_name, change.description, change.max_parallel
    )
    engine.tokens.forget(arn)
    engine.pipelines.create(pipeline, text, request.get("PipelineVersionAliases", ()))
    engine.tags.put(arn, {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())})
    return {"PipelineArn": arn}


def _refuse_known(engine: Engine, name: str) -> None:
    if name in engine.pipelines.names():
        # The SDK's upsert looks for the words "already exists" (semantics 12 §12.1).
        message = (
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
        raise ApiError("ValidationException", message)


async def update(engine: Engine, request: Request) -> JsonObject:
    """UpdatePipeline: another definition is a new version, all else is not (semantics 10 §10.4)."""
    name = request["PipelineName"]
    arn = engine.pipelines.get(name).arn
    text = await definition(engine, request)
    aliases = request.get("PipelineVersionAliases", ())
    version = engine.pipelines.update(name, _change(request), engine.clock.now(), text, aliases)
    return {"PipelineArn": arn, "PipelineVersionId": version}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribePipeline, of its latest version unless another is named."""
    pipeline = engine.pipelines.get(pipeline_of(request["PipelineName"]))
    version = version_of(engine, pipeline.name, request)
    answer: dict[str, Json] = {
        **_summary(pipeline),
        "PipelineDefinition": engine.pipelines.definition(pipeline.name, version.number),
        "PipelineStatus": "Active",
        "CreatedBy": {},
        "LastModifiedBy": {},
        "PipelineVersionDisplayName": version.display_name,
        "PipelineVersionDescription": version.description,
        "PipelineVersionAliases": list(version.aliases),
    }
    answer["LastRunTime"] = answer.pop("LastExecutionTime", None)
    if pipeline.max_parallel is not None:
        answer["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": pipeline.max_parallel}
    return {name: value for name, value in answer.items() if value is not None}


def delete(engine: Engine, request: Request) -> Awaitable[JsonObject]:
    """DeletePipeline, with all its executions; not while one of them runs (semantics 10 §10.1)."""
    token = request.get("ClientRequestToken")
    return engine.tokens.once("DeletePipeline", token, request, lambda: _delete(engine, request))


def _delete(engine: Engine, request: Request) -> JsonObject:
    pipeline = engine.pipelines.get(request["PipelineName"])
    machines = engine.views.machines
    running = [
        outline.arn for outline in machines.outlines(pipeline.name) if machines.status(outline) in UNDER_WAY
    ]
    if running:
        message = (
            f"Pipeline {pipeline.arn} has running executions: stop them first: {', '.join(running[:10])}"
        )
        raise ConflictError(message)
    engine.pipelines.delete(pipeline.name)
    engine.tags.forget(pipeline.arn)
    engine.tokens.forget(pipeline.arn)
    return {"PipelineArn": pipeline.arn}


def list_pipelines(engine: Engine, request: Request) -> JsonObject:
    """ListPipelines; none of them is managed by AWS."""
    prefix = request.get("PipelineNamePrefix", "")
    found = [
        pipeline
        for pipeline in engine.pipelines.all()
        if pipeline.name.startswith(prefix)
        and within(request, pipeline.created)
        and request.get("ManagedBy") != "AWS"
    ]
    by_name = request.get("SortBy") == "Name"
    backwards = descending(request) if "SortOrder" in request or not by_name else False

    def rank(pipeline: Pipeline) -> tuple[str | float, ...]:
        return (pipeline.name,) if by_name else (pipeline.created, pipeline.name)

    found.sort(key=rank, reverse=backwards)
    return page(request, found, lambda pipeline: pipeline.name, "PipelineSummaries", _listed, rank=rank)


def _change(request: Request) -> Change:
    return Change(
        request.get("RoleArn"),
        request.get("PipelineDisplayName"),
        request.get("PipelineDescription"),
        request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
    )


def _summary(pipeline: Pipeline) -> dict[str, Json]:
    return {
        "PipelineArn": pipeline.arn,
        "PipelineName": pipeline.name,
        "PipelineDisplayName": pipeline.display_name or pipeline.name,
        "PipelineDescription": pipeline.description,
        "RoleArn": pipeline.role,
        "CreationTime": seconds(pipeline.created),
        "LastModifiedTime": seconds(pipeline.updated),
        "LastExecutionTime": None if pipeline.last_started is None else seconds(pipeline.last_started),
    }


def _listed(pipeline: Pipeline) -> JsonObject:
    return {name: value for name, value in _summary(pipeline).items() if value is not None}
