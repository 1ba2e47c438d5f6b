"""The answers of the Describe operations (semantics 04, 14)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sagelocal.clock import Clock, iso
from sagelocal.expressions import render
from sagelocal.values import Json, JsonObject
from sagelocal_executors.requests import DEFAULT_RUNTIME

_TEXT_LISTS = ("ContainerEntrypoint", "ContainerArguments")
_TEXT_MAPS = ("Environment", "HyperParameters")
_DEFAULT_STOP: JsonObject = {"MaxRuntimeInSeconds": DEFAULT_RUNTIME}


class JobStatus(StrEnum):
    """What became of a job: the same words in TrainingJobStatus and ProcessingJobStatus."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended, or has not yet, in the words of its Describe answer; `secondary` is the SecondaryStatus of training jobs."""

    status: JobStatus
    failure: str = ""
    message: str | None = None
    secondary: str = ""

    @property
    def under_way(self) -> bool:
        """Whether the job has not ended."""
        return self.status in {JobStatus.IN_PROGRESS, JobStatus.STOPPING}


STOPPED = Ending(JobStatus.STOPPED)
IN_PROGRESS = Ending(JobStatus.IN_PROGRESS)


@dataclass(slots=True)
class Timeline:
    """When a job entered each SecondaryStatus."""

    clock: Clock
    entered: list[tuple[str, float, str]] = field(default_factory=list)

    def enter(self, status: str, message: str) -> None:
        self.entered.append((status, self.clock.now(), message))

    @property
    def begun(self) -> float:
        """When the job was created."""
        return self.entered[0][1]

    def when(self, status: str) -> float | None:
        """When the job entered that status first; None when it never did."""
        return next((moment for name, moment, _ in self.entered if name == status), None)

    def transitions(self, end: float | None) -> list[JsonObject]:
        """SecondaryStatusTransitions: each ends where the next begins, the last one at `end`; None: it has not."""
        ends = [*(moment for _, moment, _ in self.entered[1:]), end]
        return [
            {
                "Status": status,
                "StartTime": iso(start),
                **({} if stop is None else {"EndTime": iso(stop)}),
                "StatusMessage": message,
            }
            for (status, start, message), stop in zip(self.entered, ends, strict=True)
        ]


def echo(arguments: JsonObject, *unknown: str) -> JsonObject:
    """The request as a Describe answer repeats it: without the members that it does not know, texts as texts.

    Members that are null count as absent.
    """
    kept = {key: value for key, value in arguments.items() if key not in unknown}
    result = _without_nulls(kept)
    assert isinstance(result, Mapping)
    return {key: _as_texts(key, value) for key, value in result.items()}


def _without_nulls(value: Json) -> Json:
    match value:
        case Mapping():
            return {key: _without_nulls(member) for key, member in value.items() if member is not None}
        case list() | tuple():
            return [_without_nulls(item) for item in value]
        case _:
            return value


def _as_texts(key: str, value: Json) -> Json:
    """`value` with what the API types as strings rendered as such (semantics 02 §2.2)."""
    if not isinstance(value, Mapping):
        return value
    if key in _TEXT_MAPS:
        return {name: render(member) for name, member in value.items()}
    return {
        name: [render(item) for item in member]
        if name in _TEXT_LISTS and isinstance(member, list)
        else member
        for name, member in value.items()
    }


def echo_processing(arguments: JsonObject) -> JsonObject:
    return {"StoppingCondition": _DEFAULT_STOP, **echo(arguments, "Tags", "ProcessingJobName")}


def describe_processing(
    echoed: JsonObject, name: str, arn: str, timeline: Timeline, ending: Ending
) -> JsonObject:
    """DescribeProcessingJobResponse of a job that has ended now, or is under way."""
    now = timeline.clock.now()
    started = timeline.when("Processing")
    answer: dict[str, Json] = {
        **echoed,
        "ProcessingJobName": name,
        "ProcessingJobArn": arn,
        "ProcessingJobStatus": ending.status,
        "CreationTime": iso(timeline.begun),
        "LastModifiedTime": iso(now),
    }
    if not ending.under_way:
        answer["ProcessingEndTime"] = iso(now)
    if started is not None:
        answer["ProcessingStartTime"] = iso(started)
    if ending.failure:
        answer["FailureReason"] = ending.failure
    if ending.message is not None:
        answer["ExitMessage"] = ending.message
    return answer


def echo_training(arguments: JsonObject) -> JsonObject:
    echoed = echo(arguments, "Tags", "TrainingJobName", "SessionChainingConfig")
    return {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        "StoppingCondition": _DEFAULT_STOP,
        **echoed,
    }


def describe_training(
    echoed: JsonObject,
    identity: tuple[str, str],
    timeline: Timeline,
    ending: Ending,
    *,
    artifacts: str,
    metrics: list[JsonObject],
) -> JsonObject:
    """DescribeTrainingJobResponse of a job, known by its name and ARN, that has ended now, or is under way."""
    now = timeline.clock.now()
    end = None if ending.under_way else now
    answer: dict[str, Json] = {
        **echoed,
        "TrainingJobName": identity[0],
        "TrainingJobArn": identity[1],
        "ModelArtifacts": {"S3ModelArtifacts": artifacts},
        "TrainingJobStatus": ending.status,
        "SecondaryStatus": ending.secondary or ending.status,
        "SecondaryStatusTransitions": timeline.transitions(end),
        "CreationTime": iso(timeline.begun),
        "LastModifiedTime": iso(now),
        "ProfilingStatus": "Disabled",
    }
    if end is not None:
        answer["TrainingEndTime"] = iso(end)
    started = timeline.when("Downloading")
    if started is not None:
        seconds = max(1, math.ceil(now - started))
        answer |= {
            "TrainingStartTime": iso(started),
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
        }
    if metrics:
        answer["FinalMetricDataList"] = metrics
    if ending.failure:
        answer["FailureReason"] = ending.failure
    return answer
