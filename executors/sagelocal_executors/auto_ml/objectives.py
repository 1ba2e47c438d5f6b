"""Which metrics judge which problems (API: AutoMLJobObjective)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sagelocal.nearest import did_you_mean
from sagelocal_executors.faults import UnsupportedError, rejected

Problem = Literal["BinaryClassification", "MulticlassClassification", "Regression"]

METRICS: Mapping[str, tuple[str, ...]] = {
    "Regression": ("MSE", "RMSE", "MAE", "R2"),
    "BinaryClassification": ("F1", "Accuracy", "AUC", "BalancedAccuracy", "Precision", "Recall"),
    "MulticlassClassification": ("Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro"),
}
"""Per problem type its metrics; the first is the objective unless another is asked for."""

_FORECASTS = frozenset({"MAPE", "MASE", "WAPE", "AverageWeightedQuantileLoss"})
_MINIMIZED = frozenset({"MSE", "RMSE", "MAE"})
_EXTENDED = ("LogLoss",)
"""Computed too; known as StandardMetricName only."""


def check_objective(metric: str | None, problem: str | None) -> None:
    """See that the metric is one, and one of this problem type where that is given.

    Raises:
        JobError: it is not.
    """
    if metric is None:
        return
    known = METRICS[problem] if problem else {name for names in METRICS.values() for name in names}
    if metric in known:
        return
    if metric in _FORECASTS:
        raise UnsupportedError(
            f"AutoML: the metric {metric} judges time-series forecasts, which are not made locally; stub the step"
        )
    whose = f" of {problem}" if problem else ""
    listed = ", ".join(sorted(known))
    raise rejected(
        "CreateAutoMLJob",
        f"AutoMLJobObjective.MetricName {metric!r} is no metric{whose}: there are {listed}{did_you_mean(metric, known)}",
    )


def objective_of(problem: str, metric: str | None) -> str:
    """The metric that decides.

    Raises:
        JobError: the one that is asked for does not judge such a problem.
    """
    check_objective(metric, problem)
    return metric or METRICS[problem][0]


def direction(metric: str) -> str:
    """``Minimize`` or ``Maximize``."""
    return "Minimize" if metric in _MINIMIZED else "Maximize"


def printed(problem: str) -> tuple[str, ...]:
    """The metrics that each candidate prints."""
    return METRICS[problem] + (_EXTENDED if problem != "Regression" else ())


def problem_of(metric: str | None) -> str:
    """A problem type that the metric judges, for a stub that has no data to tell it from."""
    return next(name for name in ("BinaryClassification", *METRICS) if metric in (None, *METRICS[name]))
