"""Warm start: learning from tuning jobs that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Succeeded
from sagelocal_executors.tuning.ledger import Ledger
from sagelocal_executors.tuning.plan import plan_tuning
from sagelocal_executors.tuning.warm_start import lessons, parents_of

if TYPE_CHECKING:
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning


def warm(*parents: str, kind: str = "IdenticalDataAndAlgorithm") -> dict[str, Any]:
    named = [{"HyperParameterTuningJobName": parent} for parent in parents]
    return {"WarmStartConfig": {"ParentHyperParameterTuningJobs": named, "WarmStartType": kind}}


@pytest.fixture(name="parent")
async def _parent(tuning: Tuning, make: Make) -> Any:
    outcome = await tuning.run(tuning.squared, make.request(make.config(jobs=4)), name="parent")
    assert isinstance(outcome, Succeeded)
    return outcome.properties


def best_of(answer: Any, member: str = "BestTrainingJob") -> float:
    value: float = answer[member]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return value


async def test_the_overall_best_may_be_a_parents(
    tuning: Tuning, make: Make, parent: Any, check_tuning: CheckTuning
) -> None:
    spaces = make.ranges(continuous=[make.continuous("x", 2, 3)])
    config = make.config(jobs=2, ParameterRanges=spaces)
    outcome = await tuning.run(tuning.squared, make.request(config, **warm("parent")))

    assert isinstance(outcome, Succeeded), outcome
    answer: Any = outcome.properties
    check_tuning(answer)
    assert best_of(answer) >= 4
    assert best_of(answer, "OverallBestTrainingJob") == best_of(parent)
    assert answer["OverallBestTrainingJob"]["TuningJobName"] == "parent"
    assert answer["OverallBestTrainingJob"]["TrainingJobName"].startswith("parent-")
    assert answer["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm"


async def test_the_overall_best_may_be_its_own(tuning: Tuning, make: Make, parent: Any) -> None:
    spaces = make.ranges(continuous=[make.continuous("x", 0, 0.0001)])
    config = make.config(jobs=2, ParameterRanges=spaces)
    outcome = await tuning.run(tuning.squared, make.request(config, **warm("parent")))

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    assert best_of(answer, "OverallBestTrainingJob") == best_of(answer) < best_of(parent)
    assert answer["OverallBestTrainingJob"]["TuningJobName"] == answer["HyperParameterTuningJobName"]


@pytest.mark.usefixtures("parent")
async def test_transfer_learning_has_no_overall_best(tuning: Tuning, make: Make) -> None:
    training = make.definition()
    training["AlgorithmSpecification"] = {**training["AlgorithmSpecification"], "TrainingImage": "image:2"}
    outcome = await tuning.run(
        tuning.squared, make.request(training=training, **warm("parent", kind="TransferLearning"))
    )

    assert isinstance(outcome, Succeeded), outcome
    assert "OverallBestTrainingJob" not in outcome.properties


@pytest.mark.usefixtures("parent")
async def test_a_parents_trials_are_the_lessons(tuning: Tuning, make: Make) -> None:
    plan = plan_tuning("child", make.request(**warm("parent")))
    parents = parents_of(plan, tuning.world.catalog)

    told = [(float(values["x"]), objective) for values, objective in lessons(plan.definitions[0], parents)]
    assert len(told) == 4
    assert all(objective == pytest.approx(x**2) for x, objective in told)


@pytest.mark.usefixtures("parent")
async def test_what_was_static_in_a_parent_may_be_tuned(tuning: Tuning, make: Make) -> None:
    spaces = make.ranges(integer=[make.continuous("depth", 1, 9)])
    training = make.definition(StaticHyperParameters={"x": "0.5"})
    plan = plan_tuning("child", make.request(make.config(ParameterRanges=spaces), training, **warm("parent")))

    told = list(lessons(plan.definitions[0], parents_of(plan, tuning.world.catalog)))
    assert [values for values, _ in told] == [{"depth": "3"}] * 4


async def test_bayesian_search_starts_from_what_a_parent_has_found(tuning: Tuning, make: Make) -> None:
    def config(jobs: int) -> Any:
        return make.config(
            jobs=jobs, parallel=5, strategy="Bayesian", ParameterRanges=make.ranges(
                continuous=[make.continuous("x", -10, 10)]
            )
        )  # fmt: skip

    await tuning.run(tuning.squared, make.request(config(30)), name="parent")
    taught = await tuning.run(tuning.squared, make.request(config(5), **warm("parent")), name="taught")
    untaught = await tuning.run(tuning.squared, make.request(config(5)), name="untaught")

    assert isinstance(taught, Succeeded)
    assert isinstance(untaught, Succeeded)
    assert best_of(taught.properties) < best_of(untaught.properties)


@pytest.mark.usefixtures("parent")
@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"parents": ("parents",)}, "Could not find the parent tuning job 'parents' (did you mean parent?)"),
        ({"parents": ("parent",) * 6}, "WarmStartConfig has 6 parents; 1 to 5 are allowed"),
        ({"config": {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "loss"}}},
         "the objective's Type is not the same"),
        ({"config": {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "l2"}},
          "algorithm": {"MetricDefinitions": [{"Name": "l2", "Regex": "(.*)"}]}},
         "the objective metric must be the same: it is 'l2', was 'loss'"),
        ({"static": {"depth": "3", "more": "1"}}, "tuning jobs. Please ensure this set is constant when warm starting: more"),
        ({"static": {}}, "this set is constant when warm starting: depth"),
        ({"config": {"jobs": 747}}, "the parents' 4 training jobs and the new 747 are more than 750"),
        ({"algorithm": {"TrainingImage": "image:2"}}, "AlgorithmSpecification must not change; TransferLearning allows it"),
        ({"members": {"Environment": {"A": "b"}}}, "Environment must not change"),
        ({"members": {"Environment": {"A": "b"}}, "kind": "TransferLearning"}, "Environment must not change"),
    ],
)  # fmt: skip
async def test_parents_that_do_not_suit_are_refused(
    tuning: Tuning, make: Make, members: Any, text: str
) -> None:
    training = make.definition(**members.get("members", {}))
    training["AlgorithmSpecification"] = {
        **training["AlgorithmSpecification"],
        **members.get("algorithm", {}),
    }
    training["StaticHyperParameters"] = members.get("static", training["StaticHyperParameters"])
    start = warm(*members.get("parents", ("parent",)), kind=members.get("kind", "IdenticalDataAndAlgorithm"))
    arguments = make.request(make.config(**members.get("config", {})), training, **start)
    outcome = await tuning.run(tuning.squared, arguments)

    assert isinstance(outcome, Failed)
    assert outcome.error == "ClientError"
    assert text in outcome.reason


@pytest.mark.usefixtures("parent")
async def test_a_hyperparameter_keeps_its_type(tuning: Tuning, make: Make) -> None:
    spaces = make.ranges(categorical=[make.categorical("x", "1", "2")])
    outcome = await tuning.run(
        tuning.squared, make.request(make.config(ParameterRanges=spaces), **warm("parent"))
    )

    assert isinstance(outcome, Failed)
    assert "the type of 'x' must not change: it is categorical, was continuous" in outcome.reason


@pytest.mark.parametrize(("values", "good"), [(10, True), (11, False)])
async def test_changes_of_static_hyperparameters_are_counted(
    tuning: Tuning, make: Make, values: int, *, good: bool
) -> None:
    """From tuned to static each category counts; a changed static value counts twice."""
    names = [make.categorical("c", *map(str, range(values - 2))), make.categorical("x", "1", "2")]
    before = make.config(ParameterRanges=make.ranges(categorical=names), jobs=2)
    await tuning.run(tuning.squared, make.request(before), name="parent")
    after = make.config(ParameterRanges=make.ranges(categorical=names[1:]), jobs=2)
    training = make.definition(StaticHyperParameters={"depth": "4", "c": "0"})
    outcome = await tuning.run(tuning.squared, make.request(after, training, **warm("parent")))

    assert isinstance(outcome, Succeeded) is good, outcome
    assert good or "11 changes of static hyperparameters; at most 10 are allowed" in str(outcome)


@pytest.mark.usefixtures("parent")
async def test_a_parent_must_have_ended(tuning: Tuning, make: Make) -> None:
    ledger = Ledger(tuning.world.catalog, "parent")
    describe = {**tuning.described("parent"), "HyperParameterTuningJobStatus": "InProgress"}
    ledger.keep_job(describe, 0.0)
    outcome = await tuning.run(tuning.squared, make.request(**warm("parent")))

    assert isinstance(outcome, Failed)
    assert "the parent tuning job 'parent' is InProgress: it must have ended" in outcome.reason
