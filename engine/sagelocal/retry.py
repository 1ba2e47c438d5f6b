"""When to try a step again, and how long to wait before (semantics 06 §6.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sagelocal.definition.steps import RetryPolicy, StepType

AUTOMATIC: Final = RetryPolicy(
    exception_type=("Step.SERVICE_FAULT", "Step.THROTTLING"),
    interval_seconds=1,
    backoff_rate=2.0,
    max_attempts=5,
    expire_after_min=None,
)
"""What every step has behind its own policies; that it gives up after five is ours (semantics 13, U8)."""

RETRYABLE: Final = frozenset(
    {
        *AUTOMATIC.exception_type,
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    }
)
"""The classes of failure that a policy can name."""

_NEVER: Mapping[StepType, frozenset[str]] = {
    StepType.TUNING: frozenset({"SageMaker.JOB_INTERNAL_ERROR"}),
    StepType.AUTO_ML: frozenset({"SageMaker.JOB_INTERNAL_ERROR"}),
}
"""What is not retried for a kind of step whatever its policies say."""


def policy_for(policies: Sequence[RetryPolicy], error: str, kind: StepType) -> RetryPolicy | None:
    """The first policy that names this class of failure; None: it is not retried."""
    if error in _NEVER.get(kind, frozenset()):
        return None
    return next((policy for policy in (*policies, AUTOMATIC) if error in policy.exception_type), None)


def wait(policy: RetryPolicy, retries: int, since: float, now: float) -> float | None:
    """Seconds to wait before the next retry; None: the policy gives up.

    Args:
        policy: of the failure.
        retries: how many there were under it.
        since: when the step first executed, in seconds since the epoch.
        now: likewise.
    """
    seconds: float = policy.interval_seconds * policy.backoff_rate**retries
    if policy.expire_after_min is not None:
        return seconds if now + seconds <= since + 60 * policy.expire_after_min else None
    most = AUTOMATIC.max_attempts if policy.max_attempts is None else policy.max_attempts
    return seconds if most is not None and retries < most else None
