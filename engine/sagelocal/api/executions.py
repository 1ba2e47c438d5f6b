"""Operations on pipeline executions."""

from __future__ import annotations

from sagelocal.api.pages import page
from sagelocal.api.requests import Request
from sagelocal.engine import Engine
from sagelocal.errors import ConflictError, NotFoundError
from sagelocal.names import pipeline_of
from sagelocal.store.views import ExecutionView, StepView
from sagelocal.values import Json, JsonObject

_UNDER_WAY = ("Executing", "Stopping")


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribePipelineExecution."""
    view = _execution(engine, request["PipelineExecutionArn"])
    answer: dict[str, Json] = {
        "PipelineArn": view.arn.partition("/execution/")[0],
        "PipelineExecutionArn": view.arn,
        "PipelineExecutionDisplayName": view.display_name,
        "PipelineExecutionStatus": view.status,
        "CreationTime": view.started,
        "LastModifiedTime": view.ended or max([view.started, *_moments(view)]),
        "CreatedBy": {},
        "LastModifiedBy": {},
    }
    if view.failure_reason:
        answer["FailureReason"] = view.failure_reason
    if view.max_parallel is not None:
        answer["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": view.max_parallel}
    return answer


def list_steps(engine: Engine, request: Request) -> JsonObject:
    """ListPipelineExecutionSteps: started steps, the latest first unless asked otherwise (semantics 10 §10.1)."""
    steps = list(_execution(engine, request.get("PipelineExecutionArn", "")).steps)
    if request.get("SortOrder") != "Ascending":
        steps.reverse()
    return page(request, steps, lambda step: step.name, "PipelineExecutionSteps", _step)


def list_executions(engine: Engine, request: Request) -> JsonObject:
    """ListPipelineExecutions: the newest first unless asked otherwise."""
    pipeline = pipeline_of(request["PipelineName"])
    if all(pipeline != known.name for known in engine.views.pipelines()):
        raise NotFoundError(f"Pipeline '{pipeline}' does not exist.")
    views = engine.views.executions(pipeline)
    after, before = request.get("CreatedAfter", float("-inf")), request.get("CreatedBefore", float("inf"))
    views = [view for view in views if after <= view.started <= before]
    if request.get("SortBy") == "PipelineExecutionArn":
        views.sort(key=lambda view: view.arn, reverse=True)
    if request.get("SortOrder") == "Ascending":
        views.reverse()
    return page(request, views, lambda view: view.id, "PipelineExecutionSummaries", _summary)


def stop(engine: Engine, request: Request) -> JsonObject:
    """StopPipelineExecution; of one that is stopping already nothing more is asked (semantics 06 §6.2)."""
    view = _execution(engine, request["PipelineExecutionArn"])
    if view.status not in _UNDER_WAY:
        raise ConflictError(f"Pipeline execution {view.arn} has ended: it is {view.status}.")
    if view.status == "Executing":
        engine.stop(view.arn)
    return {"PipelineExecutionArn": view.arn}


def _execution(engine: Engine, arn: str) -> ExecutionView:
    message = f"Pipeline execution '{arn}' does not exist."
    try:
        view = engine.views.execution(arn)
    except NotFoundError:
        raise NotFoundError(message) from None
    if view.arn != arn:
        raise NotFoundError(message)
    return view


def _moments(view: ExecutionView) -> list[float]:
    return [moment for step in view.steps for moment in (step.started, step.ended) if moment is not None]


def _summary(view: ExecutionView) -> JsonObject:
    answer: dict[str, Json] = {
        "PipelineExecutionArn": view.arn,
        "StartTime": view.started,
        "PipelineExecutionStatus": view.status,
        "PipelineExecutionDisplayName": view.display_name,
    }
    if view.failure_reason:
        answer["PipelineExecutionFailureReason"] = view.failure_reason
    return answer


def _step(view: StepView) -> JsonObject:
    answer: dict[str, Json] = {
        "StepName": view.name,
        "StepDisplayName": view.display_name,
        "StepDescription": view.description,
        "StartTime": view.started,
        "EndTime": view.ended,
        "StepStatus": view.status,
        "FailureReason": view.failure_reason if view.status == "Failed" else None,
        "Metadata": view.metadata,
        "AttemptCount": view.attempt,
    }
    return {name: value for name, value in answer.items() if value is not None}
