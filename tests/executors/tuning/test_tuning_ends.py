"""When a training job is stopped early, and when a tuning job has found enough."""

from __future__ import annotations

import asyncio
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sagelocal.jobs import Failed, Succeeded
from sagelocal_executors.tuning.criteria import CONVERGED_AFTER, completion, falls_behind, progress
from sagelocal_executors.tuning.request import CompletionCriteria

if TYPE_CHECKING:
    from tests.executors.conftest import Box
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning

NUMBERS = some.floats(-1e6, 1e6)
CURVES = some.lists(some.lists(NUMBERS, min_size=1, max_size=6), max_size=6)


@given(some.lists(NUMBERS, min_size=1, max_size=5), CURVES, some.booleans())
def test_the_median_rule_is_the_documented_one(curve: list[float], earlier: Any, maximize: bool) -> None:
    epoch = len(curve)
    averages = [sum(other[:epoch]) / epoch for other in earlier if len(other) >= epoch]
    longer = any(len(other) > epoch for other in earlier)
    value = curve[-1]
    worse = longer and (
        value < statistics.median(averages) if maximize else value > statistics.median(averages)
    )
    close = averages and abs(value - statistics.median(averages)) < 1e-6
    assert close or falls_behind(curve, earlier, maximize=maximize) is worse


def test_nothing_is_stopped_before_there_is_anything_to_compare_with() -> None:
    assert not falls_behind([99.0], [], maximize=False)
    assert not falls_behind([99.0, 99.0], [[1.0]], maximize=False)


def test_nothing_is_stopped_where_no_earlier_job_went_on() -> None:
    """A metric that is printed once, at the end, stops nobody who is about to save a model."""
    assert not falls_behind([99.0], [[1.0], [2.0]], maximize=False)
    assert falls_behind([99.0], [[1.0, 0.5], [2.0]], maximize=False)


def objectives(*values: float) -> list[tuple[float, str]]:
    return [(value, f"t{number}") for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "maximize", "expected"),
    [
        ((), False, 0),
        ((1.0,), False, 0),
        ((1.0, 0.98), False, 0),
        ((1.0, 0.995), False, 1),
        ((1.0, 2.0, 3.0), False, 2),
        ((1.0, 2.0, 0.5, 0.6), False, 1),
        ((1.0, 1.005, 1.009), True, 2),
        ((1.0, 1.02), True, 0),
        ((-1.0, -0.5), True, 0),
        ((0.0, 0.001), True, 0),
    ],
)
def test_an_improvement_is_more_than_one_percent(values: Any, *, maximize: bool, expected: int) -> None:
    assert progress(objectives(*values), maximize=maximize).not_improving == expected


def test_convergence_is_noticed_after_ten_jobs_without_improvement() -> None:
    values = [1.0, *[0.999 + number / 1e6 for number in range(CONVERGED_AFTER)]]
    assert progress(objectives(*values[:-1]), maximize=True).converged == ""
    assert progress(objectives(*values), maximize=True).converged == f"t{CONVERGED_AFTER}"
    assert progress(objectives(*values, 5.0), maximize=True).converged == f"t{CONVERGED_AFTER}"


@given(some.lists(NUMBERS, min_size=1, max_size=30), NUMBERS, some.booleans())
def test_a_target_is_met_by_the_first_that_reaches_it(
    values: list[float], target: float, maximize: bool
) -> None:
    criteria = CompletionCriteria.model_validate({"TargetObjectiveMetricValue": target})
    reached = any(value >= target if maximize else value <= target for value in values)
    now = progress(objectives(*values), maximize=maximize)

    assert (completion(criteria, now, maximize=maximize, until_convergence=False) is not None) is reached


def epochs(tuning: Tuning, levels: dict[int, float], count: int = 5) -> Any:
    """A program that prints the level of its number at each epoch, and says when it may be stopped."""

    async def program(box: Box) -> None:
        number = int(box.spec.name.split("-")[-4])
        box.write("/opt/ml/model/w", "w")
        for _ in range(count):
            box.say(f"loss={levels.get(number, 1.0)};")
            await asyncio.sleep(0.001)

    return program


async def test_early_stopping_ends_a_job_that_falls_behind(
    tuning: Tuning, make: Make, check_tuning: CheckTuning, check_shape: Any
) -> None:
    config = make.config(jobs=3, parallel=1, TrainingJobEarlyStoppingType="Auto")
    outcome = await tuning.run(epochs(tuning, {1: 1.0, 2: 9.0, 3: 0.5}), make.request(config))

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    first, second, third = tuning.training_jobs()
    assert [job["TrainingJobStatus"] for job in (first, second, third)] == [
        "Completed",
        "Stopped",
        "Completed",
    ]
    check_shape("DescribeTrainingJobResponse", second)
    assert tuning.world.get(second["ModelArtifacts"]["S3ModelArtifacts"]), "its model is kept"
    last = answer["TrainingJobSummaries"][-1]
    assert (last["TrainingJobName"], last["TrainingJobStatus"]) == (second["TrainingJobName"], "Stopped")
    assert last["ObjectiveStatus"] == "Succeeded"
    assert last["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 9.0
    assert answer["TrainingJobStatusCounters"]["Stopped"] == 1
    assert answer["BestTrainingJob"]["TrainingJobName"] == third["TrainingJobName"]
    assert "early stopping: 9 at epoch 1 is worse than the median so far" in tuning.log()


async def test_without_early_stopping_nobody_is_stopped(tuning: Tuning, make: Make) -> None:
    await tuning.run(epochs(tuning, {1: 1.0, 2: 9.0}), make.request(make.config(jobs=3, parallel=1)))

    assert {job["TrainingJobStatus"] for job in tuning.training_jobs()} == {"Completed"}


async def test_a_stopped_job_without_a_model_is_never_the_best(tuning: Tuning, make: Make) -> None:
    """It may print better values while it is being stopped; but there would be nothing to deploy."""

    async def program(box: Box) -> None:
        second = "-002-" in box.spec.name
        if not second:
            box.write("/opt/ml/model/w", "w")
        try:
            for _ in range(4):
                box.say(f"loss={9 if second else 1};")
                await asyncio.sleep(0.001)
        finally:
            if second:
                box.say("loss=0.001;")

    config = make.config(jobs=3, parallel=1, TrainingJobEarlyStoppingType="Auto")
    outcome = await tuning.run(program, make.request(config))

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    values = [
        item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        for item in answer["TrainingJobSummaries"]
    ]
    assert values == [1.0, 1.0, 0.001]
    assert answer["BestTrainingJob"]["TrainingJobStatus"] == "Completed"


async def test_hyperband_stops_jobs_at_its_rungs(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    bands = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}
    levels = {number: float(number) for number in range(1, 13)}
    config = make.config(jobs=12, parallel=1, strategy="Hyperband", StrategyConfig=bands)
    outcome = await tuning.run(epochs(tuning, levels, 9), make.request(config))

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    statuses = [job["TrainingJobStatus"] for job in tuning.training_jobs()]
    assert statuses[0] == "Completed", "the best of all"
    assert statuses.count("Stopped") >= 4
    assert answer["TrainingJobStatusCounters"]["Stopped"] == statuses.count("Stopped")
    assert "Hyperband: " in tuning.log()


async def test_a_target_ends_the_tuning_job_and_what_runs(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    async def program(box: Box) -> None:
        if "-002-" in box.spec.name:
            await asyncio.Event().wait()
        tuning.squared(box)

    criteria = {"TargetObjectiveMetricValue": 0.9}
    config = make.config(jobs=9, TuningJobCompletionCriteria=criteria, RandomSeed=1)
    outcome = await tuning.run(program, make.request(config))

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert answer["TrainingJobStatusCounters"]["Stopped"] == 1
    assert len(tuning.training_jobs()) < 9
    assert "reaches the target 0.9" in tuning.log()


async def test_jobs_that_do_not_improve_end_the_tuning_job(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    config = make.config(jobs=20, parallel=1, TuningJobCompletionCriteria=criteria)
    outcome = await tuning.run(epochs(tuning, {1: 5.0, 2: 4.0}), make.request(config))

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_tuning(answer)
    assert len(tuning.training_jobs()) == 6  # 5, 4, 1, and three times 1 again
    assert answer["TuningJobCompletionDetails"] == {"NumberOfTrainingJobsObjectiveNotImproving": 3}


@pytest.mark.parametrize(("switch", "jobs"), [("Enabled", 11), ("Disabled", 13)])
async def test_convergence_ends_the_tuning_job_when_asked_to(
    tuning: Tuning, make: Make, check_tuning: CheckTuning, switch: str, jobs: int
) -> None:
    criteria = {"ConvergenceDetected": {"CompleteOnConvergence": switch}}
    config = make.config(jobs=13, parallel=1, TuningJobCompletionCriteria=criteria)
    outcome = await tuning.run(epochs(tuning, {}, 1), make.request(config))

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_tuning(answer)
    assert len(tuning.training_jobs()) == jobs
    assert "ConvergenceDetectedTime" in answer["TuningJobCompletionDetails"]


class HeldClock:
    """Time passes only where somebody sleeps, and not before it is let go."""

    def __init__(self) -> None:
        self.moment = 1_700_000_000.0
        self.let_go = asyncio.Event()

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        await self.let_go.wait()
        self.moment += seconds


@pytest.mark.parametrize("first_ends", [True, False])
async def test_out_of_time_it_ends_with_what_there_is(
    tuning: Tuning, make: Make, check_tuning: CheckTuning, *, first_ends: bool
) -> None:
    clock = HeldClock()

    async def program(box: Box) -> None:
        if f"-00{3 if first_ends else 2}-" in box.spec.name:
            clock.let_go.set()
        if not (first_ends and "-001-" in box.spec.name):
            await asyncio.Event().wait()
        tuning.squared(box)

    limits = {"MaxParallelTrainingJobs": 2, "MaxRuntimeInSeconds": 600}
    executor = tuning.executor(program, clock=clock)
    outcome = await executor.run(make.job(make.request(make.config(ResourceLimits=limits))))

    assert isinstance(outcome, Succeeded if first_ends else Failed)
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["HyperParameterTuningJobStatus"] == ("Completed" if first_ends else "Failed")
    assert answer["ConsumedResources"] == {"RuntimeInSeconds": 600}
    assert "MaxRuntimeInSeconds, 600, have passed" in tuning.log()
