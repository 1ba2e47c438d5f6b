"""What is known of an execution, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from sagelocal.definition.steps import RetryPolicy
from sagelocal.jobs import Job, Outcome
from sagelocal.lifecycle import StepStatus
from sagelocal.names import execution_id


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
