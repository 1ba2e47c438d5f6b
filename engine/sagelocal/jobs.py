"""The seam between engine and executors: one job in, one outcome out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sagelocal.definition.steps import OutputParameter, PropertyFile, StepType
from sagelocal.values import JsonObject, ObjectText


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one step, with every expression resolved.

    Attributes:
        execution: ARN of the pipeline execution.
        step: name of the step.
        kind: its type.
        attempt: 1 for the first.
        name: name of the SageMaker entity that the step creates (job, model …), unique per attempt.
        arguments: the resolved ``Arguments``, i.e. the request of the Create operation without its name.
        extras: the other resolved keys of the step: ``FunctionArn``, ``SqsQueueUrl``, the Check keys …
        property_files: the files that the executor must read when the job has succeeded.
        outputs: the values that a Lambda or Callback step promises to return.
        child: whether another job started it, as a tuning job does its training jobs: it then has a log of its own.
    """

    execution: str
    step: str
    kind: StepType
    attempt: int
    name: str
    arguments: JsonObject
    extras: JsonObject = field(default_factory=dict)
    property_files: tuple[PropertyFile, ...] = ()
    outputs: tuple[OutputParameter, ...] = ()
    child: bool = False

    @property
    def log(self) -> str:
        """Under which name its lines are kept: the step's, or ``<step>/<job>`` for a child."""
        return f"{self.step}/{self.name}" if self.child else self.step


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The job did its work.

    Attributes:
        properties: the answer of the Describe operation; moments are ISO-8601 strings.
        files: per name in `Job.property_files`, what the file holds.
    """

    properties: JsonObject
    files: Mapping[str, ObjectText] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The job went wrong, by its own fault or the service's.

    Attributes:
        reason: the step's FailureReason, a text for a person.
        error: the class that retry policies look at: ``AlgorithmError``, ``ClientError``,
            ``SageMaker.JOB_INTERNAL_ERROR``, ``SageMaker.CAPACITY_ERROR``, ``SageMaker.RESOURCE_LIMIT``,
            ``Step.SERVICE_FAULT`` or ``Step.THROTTLING``.
        properties: the Describe answer of the failed job; empty when it was never created.
    """

    reason: str
    error: str
    properties: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stopped:
    """The job was stopped because the execution was; `properties` is its Describe answer, if it was created."""

    properties: JsonObject = field(default_factory=dict)


Outcome = Succeeded | Failed | Stopped


class Executor(Protocol):
    """Runs the jobs of one kind of step.

    Return `Failed` for what the job did wrong; raise for what we did wrong. When the task is cancelled, stop the job
    (SIGTERM, its grace, SIGKILL), leave nothing behind, and return `Stopped` or let the cancellation pass.
    """

    async def run(self, job: Job) -> Outcome: ...
