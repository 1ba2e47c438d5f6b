"""What can happen to an execution, with what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass

from sagelocal.jobs import Job, Outcome
from sagelocal.values import ObjectText


@dataclass(frozen=True, slots=True)
class Begun:
    """The execution starts."""

    at: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """Another engine goes on where one was killed."""

    at: float


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Somebody wants what failed or was stopped to run once more (RetryPipelineExecution)."""

    at: float


@dataclass(frozen=True, slots=True)
class Started:
    """A ready step has its place under the parallelism limit."""

    step: str
    at: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """An S3 object that a step reads with Std:JsonGet has been read, or could not be."""

    step: str
    file: ObjectText
    at: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The executor is done with a step."""

    step: str
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The wait before a step's next attempt is over."""

    step: str
    at: float


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants the execution to stop; asked a second time, at once."""

    at: float


@dataclass(frozen=True, slots=True)
class ParallelismChanged:
    """Somebody has changed how many jobs may run at once; those that run go on."""

    max_parallel: int
    at: float


Event = (
    Begun
    | Resumed
    | RetryRequested
    | Started
    | Fetched
    | Finished
    | RetryDue
    | StopRequested
    | ParallelismChanged
)
"""`at` is the moment in seconds since the epoch: the machine knows no other time."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Run this job as soon as there is a place for it, and say so with `Started`."""

    job: Job


@dataclass(frozen=True, slots=True)
class Conclude:
    """Answer with `Started` once every job that can be launched now has been: a Fail step takes effect."""

    step: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read this S3 object for the step and answer with `Fetched`."""

    step: str
    uri: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Answer with `RetryDue` at this moment, in seconds since the epoch."""

    step: str
    moment: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the step's job, or forget it when it has not started, or its wait for another attempt."""

    step: str


Command = Launch | Conclude | Fetch | WakeAt | Cancel
