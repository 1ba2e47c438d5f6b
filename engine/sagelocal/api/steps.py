"""What the API says about the steps of an execution."""

from __future__ import annotations

from typing import Final

from sagelocal.api.faults import invalid
from sagelocal.api.fitting import fitted
from sagelocal.api.pages import descending, page, seconds
from sagelocal.api.requests import Request, missing
from sagelocal.engine import Engine
from sagelocal.shapes import shape
from sagelocal.state import StepState
from sagelocal.store.views import StepView, step_view
from sagelocal.values import Json, JsonObject

_SHAPE: Final = "PipelineExecutionStep"


def list_steps(engine: Engine, request: Request) -> JsonObject:
    """ListPipelineExecutionSteps: started steps, the latest first unless asked otherwise (semantics 10 §10.1)."""
    if "PipelineExecutionArn" not in request:
        raise invalid([missing("pipelineExecutionArn")])
    machines = engine.views.machines
    execution = machines.of(machines.outline(request["PipelineExecutionArn"])).execution
    steps = execution.listed()
    if descending(request):
        steps.reverse()
    position = {name: index for index, name in enumerate(execution.plan.steps)}

    def rank(item: tuple[str, StepState]) -> tuple[str | float, ...]:
        name, state = item
        return state.started or 0.0, position[name]

    # Only the steps of the page are looked at more closely: an execution may have thousands.
    def show(item: tuple[str, StepState]) -> JsonObject:
        return _step(step_view(execution, item[0], lambda _execution, _step: ""))

    return page(request, steps, lambda item: item[0], "PipelineExecutionSteps", show, rank=rank)


def _step(view: StepView) -> JsonObject:
    answer: dict[str, Json] = {
        "StepName": view.name,
        "StepDisplayName": view.display_name,
        "StepDescription": view.description,
        "StartTime": None if view.started is None else seconds(view.started),
        "EndTime": None if view.ended is None else seconds(view.ended),
        "StepStatus": view.status,
        "FailureReason": view.failure_reason if view.status == "Failed" else None,
        "Metadata": view.metadata,
        "AttemptCount": view.attempt,
    }
    return fitted(shape(_SHAPE), answer)
