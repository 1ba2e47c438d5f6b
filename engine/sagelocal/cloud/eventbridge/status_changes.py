"""The events that SageMaker puts on the default bus when an execution or a step changes (semantics 10 §10.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagelocal.cloud.eventbridge.events import Event, seconds
from sagelocal.values import Json, JsonObject

_SOURCE = "aws.sagemaker"
_EXECUTION = "SageMaker Model Building Pipeline Execution Status Change"
_STEP = "SageMaker Model Building Pipeline Execution Step Status Change"


@dataclass(frozen=True, slots=True)
class ExecutionStatus:
    """An execution as it is now; moments in seconds since the epoch."""

    arn: str
    status: str
    display_name: str
    started: float
    ended: float | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class StepStatus:
    """A step as it is now.

    Attributes:
        execution: ARN of its execution.
        metadata: as ListPipelineExecutionSteps has it.
        cache_hit: its CacheHitResult; None when it ran.
    """

    execution: str
    name: str
    type: str
    status: str
    started: float | None
    ended: float | None = None
    metadata: JsonObject | None = None
    failure_reason: str | None = None
    cache_hit: JsonObject | None = None


class StatusChanges:
    """Makes an event whenever a status is another than the last one; the first of each has null for the previous one."""

    def __init__(self) -> None:
        self._executions: dict[str, str] = {}
        self._steps: dict[str, dict[str, str]] = {}

    def seen(self, execution: str) -> bool:
        """Whether there has been an event of this execution, which has not ended since."""
        return execution in self._executions

    def of_execution(self, now: ExecutionStatus, moment: float) -> list[Event]:
        """The event of an execution's change; none when its status is as it was. What has ended is forgotten."""
        previous = self._executions.get(now.arn)
        if previous == now.status:
            return []
        self._executions[now.arn] = now.status
        if now.ended is not None:
            del self._executions[now.arn]
            self._steps.pop(now.arn, None)
        detail: dict[str, Json] = {
            "pipelineExecutionDisplayName": now.display_name,
            "currentPipelineExecutionStatus": now.status,
            "previousPipelineExecutionStatus": previous,
            "executionStartTime": seconds(now.started),
            "executionEndTime": _optional(now.ended),
            "pipelineExecutionDescription": now.description,
            **_arns(now.arn),
        }
        return [Event(_SOURCE, _EXECUTION, detail, moment, list(_arns(now.arn).values()))]

    def of_step(self, now: StepStatus, moment: float) -> list[Event]:
        """The event of a step's change; none when its status is as it was."""
        known = self._steps.setdefault(now.execution, {})
        previous = known.get(now.name)
        if previous == now.status:
            return []
        known[now.name] = now.status
        detail: dict[str, Json] = {
            "metadata": _lowered(now.metadata or {}),
            "stepStartTime": _optional(now.started),
            "stepEndTime": _optional(now.ended),
            "stepName": now.name,
            "stepType": now.type,
            "previousStepStatus": previous,
            "currentStepStatus": now.status,
            **({"cacheHitResult": _lowered(now.cache_hit)} if now.cache_hit else {}),
            **({"failureReason": now.failure_reason} if now.status == "Failed" else {}),
            **_arns(now.execution),
        }
        return [Event(_SOURCE, _STEP, detail, moment, list(_arns(now.execution).values()))]


def _arns(execution: str) -> dict[str, str]:
    return {"pipelineArn": execution.partition("/execution/")[0], "pipelineExecutionArn": execution}


def _optional(moment: float | None) -> str | None:
    return None if moment is None else seconds(moment)


def _lowered(value: Json) -> Json:
    """The members with a small first letter, at every depth: ``{"processingJob": {"arn": …}}``."""
    match value:
        case Mapping():
            return {_lower_first(name): _lowered(each) for name, each in value.items()}
        case list() | tuple():
            return [_lowered(each) for each in value]
    return value


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
