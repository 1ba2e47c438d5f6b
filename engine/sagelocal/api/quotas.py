"""The quotas of the account, where somebody has set some (semantics 11)."""

from __future__ import annotations

from sagelocal.api.faults import ApiError
from sagelocal.engine import Engine


def refuse_pipeline(engine: Engine) -> None:
    """Refuse one more pipeline when there are as many as there may be.

    Raises:
        ApiError: ResourceLimitExceeded.
    """
    _refuse("pipelines", engine.settings.quotas.pipelines, len(engine.pipelines.names()))


def refuse_execution(engine: Engine) -> None:
    """Refuse to let one more execution run when as many run as may.

    Raises:
        ApiError: ResourceLimitExceeded.
    """
    _refuse(
        "concurrent pipeline executions",
        engine.settings.quotas.executions,
        len(engine.views.machines.live),
    )


def _refuse(what: str, most: int | None, used: int) -> None:
    if most is not None and used >= most:
        message = (
            f"The account-level service limit 'Number of {what}' is {most}, with current utilization of {used} "
            "and a request delta of 1. It is set by `quotas` in the configuration of sagelocal."
        )
        raise ApiError("ResourceLimitExceeded", message)
