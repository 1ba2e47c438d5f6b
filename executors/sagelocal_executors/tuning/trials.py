"""The training jobs of a tuning job, and which is better."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sagelocal.values import JsonObject
from sagelocal_executors.tuning.ranges import Values

IN_PROGRESS, COMPLETED, FAILED, STOPPED = "InProgress", "Completed", "Failed", "Stopped"


def trial_name(tuning_job: str, number: int) -> str:
    """``<tuning job>-<three digits>-<eight hexadecimal digits>`` (semantics 08 §8.4), the same at every call."""
    return f"{tuning_job}-{number:03d}-{hashlib.sha256(f'{tuning_job}/{number}'.encode()).hexdigest()[:8]}"


@dataclass(slots=True)
class Trial:
    """One training job of a tuning job.

    Attributes:
        name: of the training job.
        number: from 1, in the order of the start.
        definition: which of the plan's definitions it trains, from 0.
        values: its tuned hyperparameters.
        created: when it was started first, in seconds since the epoch.
        describe: the Describe answer of the training job, as far as it is.
        curve: the values of the objective metric, in the order in which they were printed.
        objective: the final one; None when there is none (yet).
        stopping: why it is being stopped before its end; empty when it is not.
        abandoned: whether it was stopped only because the tuning job was.
        has_model: whether it left a model.
    """

    name: str
    number: int
    definition: int
    values: Values
    created: float = 0.0
    describe: JsonObject = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)
    objective: float | None = None
    stopping: str = ""
    abandoned: bool = False
    has_model: bool = False

    @property
    def status(self) -> str:
        """Its TrainingJobStatus."""
        return str(self.describe.get("TrainingJobStatus", IN_PROGRESS))

    @property
    def ended(self) -> bool:
        return self.status != IN_PROGRESS

    @property
    def objective_status(self) -> str:
        """Its ObjectiveStatus: one that was stopped early counts with the last value (semantics 08 §8.4)."""
        if not self.ended:
            return "Pending"
        return "Failed" if self.objective is None else "Succeeded"

    @property
    def end_time(self) -> str:
        return str(self.describe.get("TrainingEndTime", ""))


def final_metric(describe: JsonObject, metric: str) -> float | None:
    """The metric's value in FinalMetricDataList, which is the last that was printed."""
    listed = describe.get("FinalMetricDataList")
    for item in listed if isinstance(listed, list | tuple) else ():
        if isinstance(item, Mapping) and item.get("MetricName") == metric:
            value = item.get("Value")
            return float(value) if isinstance(value, int | float) else None
    return None


def better(maximize: bool) -> Callable[[float, float], bool]:
    """Whether the first value is better than the second."""
    return (lambda one, other: one > other) if maximize else (lambda one, other: one < other)


def ranked(trials: Iterable[Trial], *, maximize: bool) -> list[Trial]:
    """Best first: those with an objective and a model, those with an objective, the others as they were started.

    At SageMaker the value alone decides; here what is first has a model, as `get_top_model_s3_uri` takes it for granted.
    """

    def place(trial: Trial) -> tuple[int, float, int]:
        if trial.objective is None:
            return 2, 0.0, trial.number
        value = -trial.objective if maximize else trial.objective
        return int(not trial.has_model), value, trial.number

    return sorted(trials, key=place)


def best(trials: Iterable[Trial], *, maximize: bool) -> Trial | None:
    """The best that has an objective."""
    first = next(iter(ranked(trials, maximize=maximize)), None)
    return first if first is not None and first.objective is not None else None
