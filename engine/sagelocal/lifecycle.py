"""The states of a step and of an execution, with the only ways between them (semantics 06 §6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class StepStatus(StrEnum):
    """Where a step stands. SageMaker shows the last five only; the others it keeps to itself, as we do."""

    WAITING = "Waiting"
    """Something it waits for has not ended."""
    READY = "Ready"
    """It may start: it waits for a place under the parallelism limit, or for an S3 object it reads."""
    SKIPPED = "Skipped"
    """It will never start: an untaken branch, a failure before it, a stop."""
    RETRYING = "Retrying"
    """An attempt has failed and another will be made; SageMaker shows it as Executing."""
    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"


class ExecutionStatus(StrEnum):
    """Where an execution stands, as DescribePipelineExecution says it."""

    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"
    COMPLETED_WITH_FAILURES = "CompletedWithFailures"


_S = StepStatus
STEP_TRANSITIONS: Mapping[StepStatus, frozenset[StepStatus]] = {
    _S.WAITING: frozenset({_S.READY, _S.SKIPPED}),
    _S.READY: frozenset({_S.EXECUTING, _S.SKIPPED}),
    _S.EXECUTING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.STOPPING, _S.RETRYING}),
    _S.RETRYING: frozenset({_S.EXECUTING, _S.STOPPED}),
    _S.STOPPING: frozenset({_S.STOPPED, _S.FAILED, _S.SUCCEEDED}),
    # Only RetryPipelineExecution leads back.
    _S.STOPPED: frozenset({_S.WAITING}),
    _S.FAILED: frozenset({_S.WAITING}),
    _S.SKIPPED: frozenset({_S.WAITING}),
    _S.SUCCEEDED: frozenset(),
}

_E = ExecutionStatus
EXECUTION_TRANSITIONS: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    _E.EXECUTING: frozenset({_E.SUCCEEDED, _E.FAILED, _E.COMPLETED_WITH_FAILURES, _E.STOPPING}),
    _E.STOPPING: frozenset({_E.STOPPED, _E.FAILED}),
    _E.STOPPED: frozenset({_E.EXECUTING}),
    _E.FAILED: frozenset({_E.EXECUTING}),
    _E.SUCCEEDED: frozenset(),
    _E.COMPLETED_WITH_FAILURES: frozenset(),
}

LISTED = frozenset({_S.RETRYING, _S.EXECUTING, _S.STOPPING, _S.STOPPED, _S.FAILED, _S.SUCCEEDED})
"""What ListPipelineExecutionSteps shows: steps that have started."""
UNDER_WAY = frozenset({_E.EXECUTING, _E.STOPPING})
"""Executions that have not ended."""
ACTIVE = frozenset({_S.READY, _S.RETRYING, _S.EXECUTING, _S.STOPPING})
"""What keeps an execution going."""
RETRYABLE_EXECUTIONS = frozenset({_E.STOPPED, _E.FAILED})
"""Executions that RetryPipelineExecution may take up again (semantics 06 §6.3)."""
TERMINAL = frozenset({_S.STOPPED, _S.FAILED, _S.SUCCEEDED, _S.SKIPPED})


STEP_FAILURE: Final = "Step failure: One or multiple steps failed."
"""What SageMaker says of every failed execution (semantics 05 §5.4)."""


def failure_reason(status: str) -> str | None:
    """The FailureReason of an execution with this status: the same text for every failure."""
    return STEP_FAILURE if status == ExecutionStatus.FAILED else None


class IllegalTransitionError(Exception):
    """The machine was asked for a way that the table does not have: our bug, told with the step's story."""

    def __init__(self, what: str, start: StrEnum, finish: StrEnum, story: object) -> None:
        super().__init__(f"{what}: no way from {start} to {finish}; story: {story}")
