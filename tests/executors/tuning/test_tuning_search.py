"""How the strategies choose, against computations of our own."""

from __future__ import annotations

import builtins
import itertools
import math
import random
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sagelocal.jobs import Failed, Succeeded
from sagelocal_executors.faults import JobError
from sagelocal_executors.tuning.course import Course
from sagelocal_executors.tuning.optuna_search import OptunaSearch
from sagelocal_executors.tuning.plan import plan_tuning
from sagelocal_executors.tuning.ranges import SCALES, Categorical, Continuous, Integer
from sagelocal_executors.tuning.search import GridSearch, RandomSearch

if TYPE_CHECKING:
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning

X = Continuous("x", -1.0, 1.0, SCALES["Linear"])
RANGES = (X, Integer("n", 1, 8, SCALES["Linear"]), Categorical("c", ["a", "b"]))


def test_random_trials_depend_on_seed_and_number_alone() -> None:
    search = RandomSearch(RANGES, "7")
    forward = [search.ask(index) for index in range(20)]
    search.tell(3, 0.5, stopped=False)
    backward = [RandomSearch(RANGES, "7").ask(index) for index in reversed(range(20))]

    assert forward == backward[::-1]
    assert forward != [RandomSearch(RANGES, "8").ask(index) for index in range(20)]
    assert len({tuple(values.values()) for values in forward}) == 20


def test_random_trials_fill_each_range_evenly() -> None:
    drawn = [RandomSearch(RANGES, "s").ask(index) for index in range(4000)]

    xs = sorted(float(values["x"]) for values in drawn)
    furthest = max(abs((x + 1) / 2 - place / 4000) for place, x in enumerate(xs))
    assert furthest < 1.63 / math.sqrt(4000), "Kolmogorov-Smirnov at 1 %"
    for name, values in (("n", [str(n) for n in range(1, 9)]), ("c", ["a", "b"])):
        expected = 4000 / len(values)
        square = sum(
            (sum(each[name] == value for each in drawn) - expected) ** 2 / expected for value in values
        )
        assert square < 18.5, "chi-squared with 7 degrees of freedom at 1 %"


@given(some.lists(some.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_is_the_product_of_its_categories(sizes: list[int]) -> None:
    ranges = [
        Categorical(f"c{place}", [str(number) for number in range(size)]) for place, size in enumerate(sizes)
    ]
    search = GridSearch(ranges)

    trials = [tuple(search.ask(index).values()) for index in range(len(search))]
    assert trials == list(itertools.product(*(each.values for each in ranges)))
    assert list(search.ask(0)) == [each.name for each in ranges]


def bowl(values: Any) -> float:
    return (float(values["x"]) - 0.3) ** 2


def found(search: Any, trials: int = 30) -> float:
    least = math.inf
    for index in range(trials):
        value = bowl(search.ask(index))
        search.tell(index, value, stopped=False)
        least = min(least, value)
    return least


def bayesian(seed: str, **members: Any) -> OptunaSearch:
    return OptunaSearch("t", (X,), seed, **{"maximize": False, "jobs": 30, **members})


def test_bayesian_search_comes_closer_than_chance() -> None:
    learned = [found(bayesian(str(seed))) for seed in range(12)]
    by_chance = [found(RandomSearch((X,), str(seed))) for seed in range(12)]

    assert statistics.median(learned) < statistics.median(by_chance) / 3


def test_bayesian_search_can_climb_as_well_as_descend() -> None:
    search = OptunaSearch("t", (X,), "1", maximize=True, jobs=30)
    tried = []
    for index in range(30):
        values = search.ask(index)
        tried.append(float(values["x"]))
        search.tell(index, -bowl(values), stopped=False)

    assert statistics.fmean(abs(x - 0.3) for x in tried[-10:]) < statistics.fmean(
        abs(x - 0.3) for x in tried[:7]
    )


def test_bayesian_search_is_the_same_for_the_same_seed_and_results() -> None:
    def run(seed: str) -> list[Any]:
        search, asked = OptunaSearch("t", RANGES, seed, maximize=False, jobs=20), []
        for index in range(15):
            asked.append(search.ask(index))
            search.tell(index, bowl(asked[-1]), stopped=False)
        return asked

    assert run("1") == run("1")
    assert run("1") != run("2")


def test_bayesian_search_goes_on_where_it_was_killed() -> None:
    whole = bayesian("1")
    asked = []
    for index in range(12):
        asked.append(whole.ask(index))
        whole.tell(index, bowl(asked[-1]), stopped=False)

    again = bayesian("1")
    for index, values in enumerate(asked[:9]):
        again.again(index, values)
        again.tell(index, bowl(values), stopped=False)

    assert [again.ask(9)] == asked[9:10]


def test_trials_that_run_side_by_side_are_not_alike() -> None:
    search = bayesian("1")
    for index in range(10):
        search.tell(index, bowl(search.ask(index)), stopped=False)

    assert len({search.ask(index)["x"] for index in range(10, 18)}) == 8


def test_what_parents_have_found_is_put_to_use() -> None:
    """With lessons around the best place, the first proposals lie nearer to it than a blind draw."""

    def first(*, taught: bool) -> float:
        distances = []
        for seed in range(10):
            search = bayesian(str(seed))
            for number in range(40 if taught else 0):
                x = -1 + number / 20
                search.learn({"x": repr(x)}, (x - 0.3) ** 2)
            search.learn({"x": "99"}, 0.0)  # outside of the range: of no use
            distances.append(abs(float(search.ask(0)["x"]) - 0.3))
        return statistics.fmean(distances)

    assert first(taught=True) < first(taught=False) / 2


def hyperband(resources: tuple[int, int]) -> OptunaSearch:
    return OptunaSearch("study", (X,), "1", maximize=False, jobs=30, resources=resources)


def epochs_of(search: OptunaSearch, index: int, level: float, last: int) -> int:
    """Report the same level at each epoch; how many epochs the trial got."""
    search.ask(index)
    for epoch in range(1, last + 1):
        if search.report(index, level):
            search.tell(index, level, stopped=True)
            return epoch
    search.tell(index, level, stopped=False)
    return last


def test_hyperband_spends_most_on_the_best() -> None:
    search = hyperband((1, 27))
    levels = [random.Random(index).random() for index in range(60)]
    epochs = [epochs_of(search, index, level, 27) for index, level in enumerate(levels)]

    good = [count for level, count in zip(levels, epochs, strict=True) if level < 0.2]
    bad = [count for level, count in zip(levels, epochs, strict=True) if level > 0.5]
    assert statistics.fmean(good) > 3 * statistics.fmean(bad)
    assert set(epochs) <= {1, 3, 9, 27}, "stopped at the rungs of a reduction by three"
    assert 27 in good


def test_hyperband_stops_nobody_before_min_resource() -> None:
    search = hyperband((5, 40))
    epochs = [epochs_of(search, index, float(index), 40) for index in range(30)]

    assert min(epochs) == 5
    assert max(epochs) == 40


def test_hyperband_lets_a_trial_save_its_model_but_not_go_beyond_max_resource() -> None:
    search = hyperband((1, 9))

    assert epochs_of(search, 0, 0.0, 9) == 9
    assert epochs_of(search, 1, -1.0, 100) == 10


def test_optuna_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    search = hyperband((1, 9))
    for index in range(6):
        epochs_of(search, index, float(index), 9)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("strategy", ["Bayesian", "Hyperband"])
async def test_without_optuna_the_failure_says_how_to_get_it(
    tuning: Tuning, make: Make, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    original = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "optuna":
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    training = make.definition(StaticHyperParameters={"epochs": "9"})
    arguments = make.request(make.config(strategy=strategy), training)
    outcome = await tuning.run(tuning.squared, arguments)

    assert isinstance(outcome, Failed)
    assert "pip install 'sagelocal[tuning]'" in outcome.reason
    assert tuning.training_jobs() == []
    assert isinstance(await tuning.run(tuning.squared), Succeeded), "Random does without"


def test_a_stubbed_step_needs_no_optuna(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    plan = plan_tuning("t", make.request(make.config(strategy="Bayesian")))

    assert Course(plan, stubbed=True).next() is not None
    with pytest.raises(JobError, match="pip install"):
        Course(plan)


async def test_a_grid_runs_every_combination_once(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    spaces = make.ranges(
        categorical=[make.categorical("x", "0.1", "0.2", "0.3"), make.categorical("c", "a", "b")]
    )
    outcome = await tuning.run(
        tuning.squared, make.request(make.config(jobs=None, strategy="Grid", ParameterRanges=spaces))
    )

    assert isinstance(outcome, Succeeded), outcome
    check_tuning(outcome.properties)
    tried = [(job["HyperParameters"]["x"], job["HyperParameters"]["c"]) for job in tuning.training_jobs()]
    assert tried == list(itertools.product(["0.1", "0.2", "0.3"], ["a", "b"]))


async def test_a_grid_of_several_definitions_finishes_one_after_the_other(tuning: Tuning, make: Make) -> None:
    def one(name: str, *values: str) -> Any:
        return make.definition(
            DefinitionName=name,
            HyperParameterRanges=make.ranges(categorical=[make.categorical("x", *values)]),
        )

    training = [one("a", "1", "2"), one("b", "3")]
    await tuning.run(tuning.squared, make.request(make.config(jobs=3, strategy="Grid"), training))

    assert [job["HyperParameters"]["x"] for job in tuning.training_jobs()] == ["1", "2", "3"]


@pytest.mark.parametrize("parallel", [1, 4])
async def test_the_same_seed_gives_the_same_random_trials_whatever_ends_first(
    tuning: Tuning, make: Make, parallel: int
) -> None:
    await tuning.run(tuning.squared, make.request(make.config(jobs=6, parallel=parallel)))

    plan = plan_tuning("other", make.request(make.config(jobs=6)))
    course = Course(plan)
    expected = [trial.values["x"] for _ in range(6) if (trial := course.next())]
    assert [job["HyperParameters"]["x"] for job in tuning.training_jobs()] == expected


async def test_without_a_seed_the_name_decides(make: Make) -> None:
    def first(name: str) -> Any:
        trial = Course(plan_tuning(name, make.request(make.config(RandomSeed=None)))).next()
        return trial and trial.values

    assert first("one") == first("one") != first("other")
