"""When a trial is hopeless, and when a tuning job has found what it can (AWS: Stop Training Jobs Early, completion criteria)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from sagelocal_executors.tuning.request import CompletionCriteria
from sagelocal_executors.tuning.trials import better

CONVERGED_AFTER = 10
"""Trials in a row without improvement that we call convergence; SageMaker does not tell its own number."""
_SIGNIFICANT = 0.01


def falls_behind(curve: Sequence[float], earlier: Iterable[Sequence[float]], *, maximize: bool) -> bool:
    """Whether the last value is worse than the median of the running averages of earlier trials up to the same epoch.

    Where no earlier trial went on after that epoch, stopping would spare nothing and might cost a model that is about to be
    saved; so it is not done there, which SageMaker does not say.
    """
    epoch = len(curve)
    reached = [other for other in earlier if len(other) >= epoch]
    if not any(len(other) > epoch for other in reached):
        return False
    return better(maximize)(median(fmean(other[:epoch]) for other in reached), curve[-1])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a tuning job has come.

    Attributes:
        best: the best objective; None before the first.
        not_improving: trials since the last that was better by more than 1 %.
        converged: when convergence was noticed, as that trial's end; empty before.
    """

    best: float | None = None
    not_improving: int = 0
    converged: str = ""

    def after(self, objective: float, end: str, *, maximize: bool) -> Progress:
        """What one more trial makes of it."""
        if self.best is None:
            return Progress(objective)
        is_better = better(maximize)(objective, self.best)
        improving = is_better and abs(objective - self.best) > _SIGNIFICANT * abs(self.best)
        stale = 0 if improving else self.not_improving + 1
        converged = self.converged or (end if stale >= CONVERGED_AFTER else "")
        return Progress(objective if is_better else self.best, stale, converged)


def progress(ended: Iterable[tuple[float, str]], *, maximize: bool) -> Progress:
    """Where the objectives, each with its trial's end, in the order of these ends, have led."""
    now = Progress()
    for objective, end in ended:
        now = now.after(objective, end, maximize=maximize)
    return now


def completion(
    criteria: CompletionCriteria, now: Progress, *, maximize: bool, until_convergence: bool
) -> str | None:
    """Which criterion is met, as a sentence; None when none is."""
    target = criteria.target_objective_metric_value
    if target is not None and now.best is not None and not better(maximize)(target, now.best):
        return f"the objective {now.best:g} reaches the target {target:g}"
    most = criteria.best_objective_not_improving.max_number_of_training_jobs_not_improving
    if most is not None and now.not_improving >= most:
        return f"{now.not_improving} training jobs in a row have not improved the objective"
    if until_convergence and now.converged:
        return f"the objective has converged: {CONVERGED_AFTER} training jobs have not improved it by more than 1 %"
    return None
