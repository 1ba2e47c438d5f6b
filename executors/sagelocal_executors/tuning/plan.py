"""A tuning job, checked and laid out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sagelocal.values import JsonObject
from sagelocal_executors.faults import rejected
from sagelocal_executors.tuning import autotune, rules
from sagelocal_executors.tuning.ranges import Categorical, Continuous, Integer, Range, scale_of, whole
from sagelocal_executors.tuning.request import (
    OPERATION,
    ParameterRanges,
    TrainingJobDefinition,
    TuningRequest,
    echo_tuning,
    parse_tuning,
)

OBJECTIVE = "_tuning_objective_metric"
"""The hyperparameter by which SageMaker tells a training job what it is tuned for."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One TrainingJobDefinition, ready to launch training jobs.

    Attributes:
        name: its DefinitionName; empty for the only one of a request.
        metric: the objective metric.
        ranges: what is tuned.
        static: what is not.
        raw: as it is described.
        request: as it was parsed.
        resources: Hyperband's MinResource and MaxResource; the same numbers mean nothing to other strategies.
    """

    name: str
    metric: str
    ranges: tuple[Range, ...]
    static: Mapping[str, str]
    raw: JsonObject
    request: TrainingJobDefinition
    resources: tuple[int, int]

    def hyperparameters(self, values: Mapping[str, str]) -> dict[str, str]:
        """All hyperparameters of a training job with these tuned values."""
        return {**self.static, **values, OBJECTIVE: self.metric}


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """What to do.

    Attributes:
        name: of the tuning job.
        request: as it was parsed.
        echoed: as it is described.
        definitions: what is trained.
        maximize: whether a higher objective is better.
        jobs: how many training jobs at most, and how many of them at once.
        early_stopping: whether jobs that fall behind are stopped.
        until_convergence: whether convergence ends the tuning job.
        seed: what every choice is derived from.
        notes: what was chosen for the author, for the log.
    """

    name: str
    request: TuningRequest
    echoed: JsonObject
    definitions: tuple[Definition, ...]
    maximize: bool
    jobs: int
    parallel: int
    early_stopping: bool
    until_convergence: bool
    seed: str
    notes: tuple[str, ...] = ()

    @property
    def strategy(self) -> str:
        return self.request.config.strategy


def plan_tuning(name: str, arguments: JsonObject, *, stubbed: bool = False) -> TuningPlan:
    """Check a CreateHyperParameterTuningJob request, and lay it out.

    Raises:
        JobError: it breaks rules; all of them are told.
    """
    request = parse_tuning(arguments)
    if found := list(rules.problems(name, request, stubbed=stubbed)):
        raise rejected(OPERATION, "; ".join(found))
    config, echoed = request.config, echo_tuning(arguments)
    definitions = tuple(_definitions(request, echoed))
    auto = request.autotune is not None
    criteria = config.tuning_job_completion_criteria.convergence_detected.complete_on_convergence
    early = config.training_job_early_stopping_type or (
        "Auto" if auto and config.strategy != "Hyperband" else "Off"
    )
    return TuningPlan(
        name=name,
        request=request,
        echoed=echoed,
        definitions=definitions,
        maximize=_maximize(request),
        jobs=_jobs(request),
        parallel=config.resource_limits.max_parallel_training_jobs,
        early_stopping=early == "Auto",
        until_convergence=(criteria or ("Enabled" if auto else "Disabled")) == "Enabled",
        # Derived from the name when none is given, so that a tuning job that goes on goes on alike.
        seed=str(config.random_seed) if config.random_seed is not None else name,
        notes=tuple(_notes(request)) if auto else (),
    )


def _maximize(request: TuningRequest) -> bool:
    objective = request.objective(request.definitions[0])
    return objective is not None and objective.type == "Maximize"


def _jobs(request: TuningRequest) -> int:
    given = request.config.resource_limits.max_number_of_training_jobs
    if request.config.strategy == "Grid":
        return sum(rules.combinations(request.ranges(each)) for each in request.definitions)
    return given or (autotune.JOBS if request.autotune else rules.MOST_JOBS)


def _notes(request: TuningRequest) -> Iterator[str]:
    for each in request.definitions:
        yield from autotune.choices(_opened(request.ranges(each)))
    yield f"Autotune: up to {_jobs(request)} training jobs"


def _opened(ranges: ParameterRanges) -> ParameterRanges:
    """The ranges of the auto parameters alone."""
    return autotune.widened(ParameterRanges(AutoParameters=ranges.auto_parameters))


def _definitions(request: TuningRequest, echoed: JsonObject) -> Iterator[Definition]:
    listed = echoed.get("TrainingJobDefinitions") or [echoed.get("TrainingJobDefinition")]
    assert isinstance(listed, list)
    for parsed, raw in zip(request.definitions, listed, strict=True):
        assert isinstance(raw, Mapping)
        yield _definition(request, parsed, raw)


def _definition(request: TuningRequest, parsed: TrainingJobDefinition, raw: JsonObject) -> Definition:
    objective, ranges = request.objective(parsed), request.ranges(parsed)
    assert objective is not None, "a rule asks for it"
    low, high = rules.resources(request, parsed)
    return Definition(
        name=parsed.definition_name or "",
        metric=objective.metric_name,
        ranges=tuple(_ranges(autotune.widened(ranges))),
        static={**parsed.static_hyper_parameters, **autotune.static_hints(ranges)},
        raw=raw,
        request=parsed,
        resources=(low, high or low),
    )


def _ranges(ranges: ParameterRanges) -> Iterator[Range]:
    for each in ranges.continuous_parameter_ranges:
        low, high = float(each.min_value), float(each.max_value)
        yield Continuous(each.name, low, high, scale_of(each.scaling_type, low, high))
    for each in ranges.integer_parameter_ranges:
        first, last = whole(each.min_value), whole(each.max_value)
        assert first is not None, "a rule asks for it"
        assert last is not None, "likewise"
        yield Integer(each.name, first, last, scale_of(each.scaling_type, first, last))
    for categories in ranges.categorical_parameter_ranges:
        yield Categorical(categories.name, categories.values)
