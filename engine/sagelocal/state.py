"""What is known of an execution, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from sagelocal.definition.steps import RetryPolicy, Trigger
from sagelocal.jobs import Job, Outcome
from sagelocal.lifecycle import TERMINAL, StepStatus
from sagelocal.names import execution_id
from sagelocal.plan import Link


@dataclass(frozen=True, slots=True)
class Identity:
    """What an execution is called: its pipeline's name and both ARNs."""

    pipeline: str
    pipeline_arn: str
    arn: str

    @property
    def id(self) -> str:
        """The 12 characters at the end of the ARN."""
        return execution_id(self.arn)


@dataclass(frozen=True, slots=True)
class Rules:
    """Choices that SageMaker does not document (semantics 13).

    Attributes:
        start_after_failure: U2, start steps of unrelated branches after a step has failed.
        lower_case_pipeline_name: U24, what ``Execution.PipelineName`` looks like.
    """

    start_after_failure: bool = False
    lower_case_pipeline_name: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which steps of a pipeline shall run (semantics 06 §6.7).

    Attributes:
        steps: their names.
        source: ARN of the execution that the others' results are taken from; None: from none.
    """

    steps: tuple[str, ...]
    source: str | None = None


@dataclass(slots=True)
class StepState:
    """What is known of one step; only `Execution` changes it.

    Attributes:
        job: its present attempt; None for a step that the core decides, or that never got so far.
        outcome: how the job ended.
        started: seconds since the epoch; of the first attempt.
        ended: likewise.
        decision: what a Condition step decided.
        reason: the FailureReason, for a person.
        message: the resolved ErrorMessage of a Fail step.
        retries: per retry policy, how many attempts were made under it after the first.
        attempts: how many there were before the execution was retried.
    """

    status: StepStatus = StepStatus.WAITING
    job: Job | None = None
    outcome: Outcome | None = None
    started: float | None = None
    ended: float | None = None
    decision: bool | None = None
    reason: str | None = None
    message: str | None = None
    retries: dict[RetryPolicy, int] = field(default_factory=dict)
    attempts: int = 0

    def anew(self) -> dict[str, Any]:
        """The facts of the step as they are when its execution is retried: only its attempts are remembered."""
        unused: dict[str, Any] = {each.name: getattr(StepState(), each.name) for each in fields(self)}
        ran = self.job.attempt if self.job and self.started is not None else self.attempts
        return {name: value for name, value in unused.items() if name != "status"} | {"attempts": ran}

    def satisfies(self, link: Link) -> bool:
        """Whether the step has ended as one that waits for it wants."""
        if link.side is not None:
            return self.status is StepStatus.SUCCEEDED and self.decision is link.side
        match link.trigger:
            case Trigger.FAILED:
                return self.status is StepStatus.FAILED
            case Trigger.STOPPED:
                return self.status is StepStatus.STOPPED
            case Trigger.ANY:
                # A step that never started has not ended either (semantics 13, U10).
                return self.status in TERMINAL - {StepStatus.SKIPPED}
            case _:
                return self.status is StepStatus.SUCCEEDED
