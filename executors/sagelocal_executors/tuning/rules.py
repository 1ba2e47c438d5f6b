"""What SageMaker refuses in a CreateHyperParameterTuningJob request, beyond its shape (semantics 08 §8.4)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from math import prod

from sagelocal.nearest import did_you_mean, listed
from sagelocal_executors.tuning.builtin_metrics import builtin_metrics
from sagelocal_executors.tuning.ranges import number, whole
from sagelocal_executors.tuning.request import (
    CategoricalRange,
    NumericRange,
    ParameterRanges,
    TrainingJobDefinition,
    TuningRequest,
)

MOST_JOBS = 750
MOST_PARALLEL = 100
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
_MOST_DEFINITIONS = 10
_MOST_TUNED, _MOST_HYPERPARAMETERS, _MOST_VALUES, _MOST_METRICS = 30, 100, 30, 40
_MOST_EPOCHS = 20_000
_EPOCH_KEYS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
_NO_METRIC = (
    "A metric is required for this hyperparameter tuning job objective. "
    "Provide a metric in the metric definitions."
)


def problems(name: str, request: TuningRequest, *, stubbed: bool) -> Iterator[str]:
    """Each rule that the request breaks, as a sentence; a stubbed step prints no metrics, so it needs none."""
    yield from _named(name)
    yield from _defined(request)
    yield from _limited(request)
    yield from _of_strategy(request)
    for definition in request.definitions:
        where = f"definition {definition.definition_name!r}: " if request.training_job_definitions else ""
        for rule in (_aimed, _resourced, _tuned):
            yield from (where + text for text in rule(request, definition))
        if not stubbed:
            yield from (where + text for text in _measured(request, definition))
    yield from _comparable(request)


def _named(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield (
            f"the name {name!r} of the tuning job must be 1 to 32 letters, digits and hyphens, "
            f"and begin and end with a letter or digit; it has {len(name)} characters"
        )


def _defined(request: TuningRequest) -> Iterator[str]:
    many = request.training_job_definitions
    if (request.training_job_definition is None) == (not many):
        yield "give either TrainingJobDefinition or TrainingJobDefinitions, not both and not neither"
    if len(many) > _MOST_DEFINITIONS:
        yield f"TrainingJobDefinitions has {len(many)} definitions; at most {_MOST_DEFINITIONS} are allowed"
    if any(definition.definition_name is None for definition in many):
        yield "each of TrainingJobDefinitions needs a DefinitionName"
    yield from _unique(
        "DefinitionName", (each.definition_name or "" for each in many if each.definition_name)
    )


def _unique(what: str, names: Iterable[str]) -> Iterator[str]:
    for twice in (name for name, count in Counter(names).items() if count > 1):
        yield f"{what} {twice!r} is given more than once"


def _limited(request: TuningRequest) -> Iterator[str]:
    limits, config = request.config.resource_limits, request.config
    jobs = limits.max_number_of_training_jobs
    if jobs is not None and jobs > MOST_JOBS:
        yield f"MaxNumberOfTrainingJobs is {jobs}; at most {MOST_JOBS} are allowed"
    if limits.max_parallel_training_jobs > MOST_PARALLEL:
        yield f"MaxParallelTrainingJobs is {limits.max_parallel_training_jobs}; at most {MOST_PARALLEL} are allowed"
    open_ended = limits.max_runtime_in_seconds is not None or request.autotune is not None
    if jobs is None and config.strategy != "Grid" and not open_ended:
        yield f"ResourceLimits.MaxNumberOfTrainingJobs is required for the strategy {config.strategy}"


def _of_strategy(request: TuningRequest) -> Iterator[str]:
    config = request.config
    if config.strategy_config is not None and config.strategy != "Hyperband":
        yield f"StrategyConfig is for the strategy Hyperband only, not for {config.strategy}"
    if rules := _STRATEGIES.get(config.strategy):
        yield from rules(request)


def _grid(request: TuningRequest) -> Iterator[str]:
    ranges = [request.ranges(definition) for definition in request.definitions]
    numeric = [
        each.name
        for one in ranges
        for each in (*one.continuous_parameter_ranges, *one.integer_parameter_ranges)
    ]
    if numeric:
        yield f"the strategy Grid takes categorical ranges only; not categorical: {listed(numeric)}"
        return
    total = sum(combinations(one) for one in ranges)
    given = request.config.resource_limits.max_number_of_training_jobs
    if given not in {None, total}:
        yield (
            f"MaxNumberOfTrainingJobs is {given}, but the strategy Grid has {total} combinations: "
            f"give {total}, or leave it out"
        )
    if total > MOST_JOBS:
        yield f"the strategy Grid has {total} combinations; at most {MOST_JOBS} training jobs are allowed"


def combinations(ranges: ParameterRanges) -> int:
    """How many training jobs a grid over these categories has."""
    return prod(len(each.values) for each in ranges.categorical_parameter_ranges)


def _hyperband(request: TuningRequest) -> Iterator[str]:
    if request.config.training_job_early_stopping_type == "Auto":
        yield "the strategy Hyperband stops training jobs by itself: TrainingJobEarlyStoppingType must be Off"
    for definition in request.definitions:
        low, high = resources(request, definition)
        if high is None:
            yield (
                "the strategy Hyperband needs StrategyConfig.HyperbandStrategyConfig.MaxResource, "
                f"or one of the static hyperparameters {', '.join(_EPOCH_KEYS)}"
            )
        elif not low <= high <= _MOST_EPOCHS:
            yield f"MaxResource is {high}; it must be from MinResource, {low}, to {_MOST_EPOCHS}"


def resources(request: TuningRequest, definition: TrainingJobDefinition) -> tuple[int, int | None]:
    """Hyperband's MinResource and MaxResource; the latter is taken from the hyperparameters when it is not given."""
    config = request.config.strategy_config
    hyperband = config.hyperband_strategy_config if config else None
    low, high = (hyperband.min_resource, hyperband.max_resource) if hyperband else (1, None)
    static = definition.static_hyper_parameters
    told = (whole(static[key].strip('"')) for key in _EPOCH_KEYS if key in static)
    return low, high or next(told, None)


_STRATEGIES: dict[str, Callable[[TuningRequest], Iterator[str]]] = {"Grid": _grid, "Hyperband": _hyperband}


def _aimed(request: TuningRequest, definition: TrainingJobDefinition) -> Iterator[str]:
    if request.objective(definition) is None:
        member = "TuningObjective" if request.training_job_definitions else "HyperParameterTuningJobObjective"
        yield f"{member} is required: which metric to maximize or minimize"


def _resourced(_request: TuningRequest, definition: TrainingJobDefinition) -> Iterator[str]:
    flexible = definition.hyper_parameter_tuning_resource_config
    if definition.resource_config is not None and flexible is not None:
        yield "give either ResourceConfig or HyperParameterTuningResourceConfig, not both"
    if flexible is not None and flexible.instance_configs and flexible.instance_type is not None:
        yield "HyperParameterTuningResourceConfig: give either InstanceConfigs or InstanceType, not both"


def _measured(request: TuningRequest, definition: TrainingJobDefinition) -> Iterator[str]:
    defined = definition.algorithm_specification.metric_definitions
    if len(defined) > _MOST_METRICS:
        yield f"{len(defined)} metrics are defined; at most {_MOST_METRICS} are allowed"
    yield from _unique("metric", (each.name for each in defined))
    objective = request.objective(definition)
    names = [each.name for each in defined] + [str(each["Name"]) for each in builtin_metrics(definition)]
    if objective is None or objective.metric_name in names:
        return
    known = f"; defined are {listed(names)}" if names else ""
    hint = did_you_mean(objective.metric_name, names)
    yield f"{_NO_METRIC} The objective metric {objective.metric_name!r} has no definition{hint}{known}"


def _tuned(request: TuningRequest, definition: TrainingJobDefinition) -> Iterator[str]:
    ranges, static = request.ranges(definition), definition.static_hyper_parameters
    names = ranges.names
    automatic = [each.name for each in ranges.auto_parameters]
    if automatic and request.autotune is None:
        yield "AutoParameters need Autotune, with Mode Enabled"
    if not names and not automatic:
        yield "no hyperparameter is tuned: give at least one range"
    if len(names) > _MOST_TUNED:
        yield f"{len(names)} hyperparameters are tuned; at most {_MOST_TUNED} are allowed"
    if (total := len({*names, *automatic, *static})) > _MOST_HYPERPARAMETERS:
        yield f"there are {total} hyperparameters; at most {_MOST_HYPERPARAMETERS} are allowed"
    yield from _unique("hyperparameter", [*names, *automatic])
    if both := [name for name in [*names, *automatic] if name in static]:
        yield f"hyperparameters are either static or tuned; both: {listed(both)}"
    for each in ranges.continuous_parameter_ranges:
        yield from _bounds(each, number, "a number")
    for each in ranges.integer_parameter_ranges:
        yield from _bounds(each, whole, "a whole number")
        if each.scaling_type == "ReverseLogarithmic":
            yield f"range {each.name!r}: ReverseLogarithmic scaling is for continuous ranges only"
    for categories in ranges.categorical_parameter_ranges:
        yield from _categories(categories)


def _bounds(each: NumericRange, read: Callable[[str], float | None], kind: str) -> Iterator[str]:
    low, high = read(each.min_value), read(each.max_value)
    for member, text, value in (("MinValue", each.min_value, low), ("MaxValue", each.max_value, high)):
        if value is None:
            yield f"range {each.name!r}: {member} {text!r} is not {kind}"
    if low is None or high is None:
        return
    if not low < high:
        yield f"range {each.name!r}: MinValue {each.min_value} must be less than MaxValue {each.max_value}"
    if each.scaling_type == "Logarithmic" and low <= 0:
        yield f"range {each.name!r}: Logarithmic scaling needs values greater than 0, MinValue is {each.min_value}"
    if each.scaling_type == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        yield f"range {each.name!r}: ReverseLogarithmic scaling needs values from 0 to below 1"


def _categories(each: CategoricalRange) -> Iterator[str]:
    if not 1 <= len(each.values) <= _MOST_VALUES:
        yield f"range {each.name!r} has {len(each.values)} Values; 1 to {_MOST_VALUES} are allowed"
    yield from _unique(f"range {each.name!r}: the value", each.values)


def _comparable(request: TuningRequest) -> Iterator[str]:
    types = [objective.type for each in request.definitions if (objective := request.objective(each))]
    if any(one != other for one, other in pairwise(types)):
        yield "all definitions must either maximize or minimize: their training jobs are ranked together"
