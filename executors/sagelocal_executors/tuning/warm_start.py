"""Warm start: what earlier tuning jobs have found (AWS: Run a Warm Start Hyperparameter Tuning Job)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog, Kind
from sagelocal.nearest import did_you_mean, listed
from sagelocal_executors.faults import rejected
from sagelocal_executors.tuning import rules
from sagelocal_executors.tuning.ledger import ENDED, Ledger
from sagelocal_executors.tuning.plan import Definition, TuningPlan, plan_tuning
from sagelocal_executors.tuning.ranges import Categorical, Values
from sagelocal_executors.tuning.request import OPERATION
from sagelocal_executors.tuning.trials import Trial

IDENTICAL = "IdenticalDataAndAlgorithm"
_MOST_PARENTS = 5
_MOST_CHANGES = 10
_MAY_CHANGE = frozenset(
    {
        "StaticHyperParameters", "OutputDataConfig", "RoleArn", "ResourceConfig", "StoppingCondition", "VpcConfig",
        "EnableManagedSpotTraining", "CheckpointConfig", "HyperParameterTuningResourceConfig", "HyperParameterRanges",
        "DefinitionName", "TuningObjective",
    }
)  # fmt: skip
"""Members of a definition that may differ from the parent's, as the service lists them, and what is compared elsewhere."""
_MAY_CHANGE_IN_TRANSFER = frozenset({"AlgorithmSpecification", "InputDataConfig"})
_OTHER_NAMES = (
    "The set of tunable plus static HyperParameter names is not the same across current and parent tuning jobs. "
    "Please ensure this set is constant when warm starting"
)


@dataclass(frozen=True, slots=True)
class Parent:
    """A tuning job to learn from."""

    plan: TuningPlan
    trials: tuple[Trial, ...]

    def definition(self, name: str) -> Definition | None:
        """Its definition of that name."""
        return next((each for each in self.plan.definitions if each.name == name), None)

    def named(self, trial: Trial) -> str:
        """The name of the definition that the trial was of."""
        return self.plan.definitions[trial.definition].name


def parents_of(plan: TuningPlan, catalog: Catalog) -> tuple[Parent, ...]:
    """The parents that the request names, with their trials.

    Raises:
        JobError: one does not exist, has not ended, or does not suit.
    """
    config = plan.request.warm_start_config
    if config is None:
        return ()
    if not 1 <= len(config.parents) <= _MOST_PARENTS:
        raise rejected(
            OPERATION, f"WarmStartConfig has {len(config.parents)} parents; 1 to {_MOST_PARENTS} are allowed"
        )
    parents = tuple(_parent(name, catalog) for name in config.parents)
    if problems := [*_too_many(plan, parents), *(text for each in parents for text in _problems(plan, each))]:
        raise rejected(OPERATION, "; ".join(problems))
    return parents


def _parent(name: str, catalog: Catalog) -> Parent:
    ledger = Ledger(catalog, name)
    describe = ledger.job()
    if describe is None:
        hint = did_you_mean(name, (entity.name for entity in catalog.list(Kind.TUNING_JOB)))
        raise rejected(OPERATION, f"Could not find the parent tuning job {name!r}{hint}")
    status = describe["HyperParameterTuningJobStatus"]
    if status not in ENDED:
        raise rejected(OPERATION, f"the parent tuning job {name!r} is {status}: it must have ended")
    plan = plan_tuning(name, describe, stubbed=True)
    return Parent(plan, tuple(ledger.trials([each.metric for each in plan.definitions])))


def _too_many(plan: TuningPlan, parents: tuple[Parent, ...]) -> Iterator[str]:
    before = sum(len(parent.trials) for parent in parents)
    if before + plan.jobs > rules.MOST_JOBS:
        yield (
            f"the parents' {before} training jobs and the new {plan.jobs} are more than {rules.MOST_JOBS}: "
            "lower MaxNumberOfTrainingJobs"
        )


def _problems(plan: TuningPlan, parent: Parent) -> Iterator[str]:
    config = plan.request.warm_start_config
    identical = config is not None and config.warm_start_type == IDENTICAL
    where = f"parent {parent.plan.name!r}: "
    if parent.plan.maximize != plan.maximize:
        yield where + "the objective's Type is not the same"
    for new in plan.definitions:
        old = parent.definition(new.name)
        if old is None:
            yield where + f"it has no definition {new.name!r}"
            continue
        for text in _differences(new, old, identical=identical):
            yield where + text


def _differences(new: Definition, old: Definition, *, identical: bool) -> Iterator[str]:
    if new.metric != old.metric:
        yield f"the objective metric must be the same: it is {new.metric!r}, was {old.metric!r}"
    if others := _names(new) ^ _names(old):
        yield f"{_OTHER_NAMES}: {listed(sorted(others))}"
    types, before = _types(new), _types(old)
    for name in sorted(types.keys() & before.keys()):
        if types[name] != before[name]:
            yield f"the type of {name!r} must not change: it is {types[name]}, was {before[name]}"
    if (changes := _changes(new, old)) > _MOST_CHANGES:
        yield f"{changes} changes of static hyperparameters; at most {_MOST_CHANGES} are allowed"
    allowed = _MAY_CHANGE if identical else _MAY_CHANGE | _MAY_CHANGE_IN_TRANSFER
    changed = [key for key in sorted({*new.raw, *old.raw} - allowed) if new.raw.get(key) != old.raw.get(key)]
    if changed:
        hint = "; TransferLearning allows it" if set(changed) <= _MAY_CHANGE_IN_TRANSFER else ""
        yield f"{', '.join(changed)} must not change{hint}"


def _names(definition: Definition) -> set[str]:
    return {*definition.static, *_types(definition)}


def _types(definition: Definition) -> dict[str, str]:
    return {each.name: type(each).__name__.lower() for each in definition.ranges}


def _changes(new: Definition, old: Definition) -> int:
    """Changes as SageMaker counts them: a value that goes and a value that comes each count."""
    now_static = sum(
        len(each.values) if isinstance(each, Categorical) else 1
        for each in old.ranges
        if each.name in new.static
    )
    both = new.static.keys() & old.static.keys()
    return now_static + 2 * sum(new.static[name] != old.static[name] for name in both)


def lessons(definition: Definition, parents: tuple[Parent, ...]) -> Iterator[tuple[Values, float]]:
    """What the parents' trials say about a definition: hyperparameters with their objective."""
    for parent in parents:
        old = parent.definition(definition.name)
        assert old is not None, "a parent without it was refused"
        for trial in parent.trials:
            if trial.objective is not None and parent.named(trial) == definition.name:
                every: Mapping[str, str] = {**old.static, **trial.values}
                yield {each.name: every[each.name] for each in definition.ranges}, trial.objective
