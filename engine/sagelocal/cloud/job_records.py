"""The records of jobs in the catalog, in the words of each kind's Describe answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sagelocal.clock import iso
from sagelocal.cloud.catalog import Kind
from sagelocal.definition.steps import StepType
from sagelocal.values import Json, JsonObject

UNDER_WAY: Final = frozenset({"InProgress", "Stopping"})
"""The statuses of jobs that have not ended, of every kind."""
_LONGEST_REASON: Final = 1024


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job.

    Attributes:
        kind: what the catalog calls it, and its ARN.
        type: of the steps that create such jobs, and so of their executor.
        noun: what operations and members call it: ``Create<noun>``, ``<noun>Name`` …
        end: the member that says when it ended.
        secondary: the member for its SecondaryStatus; empty when it has none.
    """

    kind: Kind
    type: StepType
    noun: str
    end: str
    secondary: str = ""

    @property
    def name(self) -> str:
        """The member that has its name."""
        return f"{self.noun}Name"

    @property
    def arn(self) -> str:
        """The member that has its ARN."""
        return f"{self.noun}Arn"

    @property
    def status(self) -> str:
        """The member that has its status."""
        return f"{self.noun}Status"

    def ended(self, record: JsonObject, status: str, reason: str, now: float) -> JsonObject:
        """The record of a job that ended before it could tell anything itself."""
        answer: dict[str, Json] = {**record, **self._statuses(status), "LastModifiedTime": iso(now)}
        answer.setdefault(self.end, iso(now))
        if reason:
            answer["FailureReason"] = reason[:_LONGEST_REASON]
        return answer

    def stopping(self, record: JsonObject, now: float) -> JsonObject:
        """The record of a job that has been asked to stop."""
        return {**record, **self._statuses("Stopping"), "LastModifiedTime": iso(now)}

    def _statuses(self, status: str) -> JsonObject:
        return {self.status: status, **({self.secondary: status} if self.secondary else {})}


TRAINING: Final = JobKind(
    Kind.TRAINING_JOB, StepType.TRAINING, "TrainingJob", "TrainingEndTime", "SecondaryStatus"
)
PROCESSING: Final = JobKind(Kind.PROCESSING_JOB, StepType.PROCESSING, "ProcessingJob", "ProcessingEndTime")
TRANSFORM: Final = JobKind(Kind.TRANSFORM_JOB, StepType.TRANSFORM, "TransformJob", "TransformEndTime")
TUNING: Final = JobKind(
    Kind.TUNING_JOB, StepType.TUNING, "HyperParameterTuningJob", "HyperParameterTuningEndTime"
)
AUTO_ML: Final = JobKind(
    Kind.AUTO_ML_JOB, StepType.AUTO_ML, "AutoMLJob", "EndTime", "AutoMLJobSecondaryStatus"
)
JOB_KINDS: Final[Mapping[StepType, JobKind]] = {
    kind.type: kind for kind in (TRAINING, PROCESSING, TRANSFORM, TUNING, AUTO_ML)
}
"""All of them, by the type of step."""


def created(record: JsonObject) -> float:
    """When the job was created, in seconds since the epoch, as its record says."""
    return datetime.fromisoformat(str(record["CreationTime"])).timestamp()
