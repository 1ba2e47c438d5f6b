"""Tuning jobs, from the request to the Describe answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Stopped, Succeeded

if TYPE_CHECKING:
    from tests.executors.conftest import Box
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning

NAME = "abcdefghijkl-Tune-0123456789"


def losses(answer: Any) -> list[float]:
    return [
        item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        for item in answer["TrainingJobSummaries"]
    ]


async def test_the_best_training_job_is_found_and_described(
    tuning: Tuning, check_tuning: CheckTuning
) -> None:
    outcome = await tuning.run(tuning.squared)

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert answer["HyperParameterTuningJobArn"].endswith(f":hyper-parameter-tuning-job/{NAME.lower()}")
    tried = [float(item["TunedHyperParameters"]["x"]) ** 2 for item in answer["TrainingJobSummaries"]]
    assert losses(answer) == sorted(tried)
    assert len(tried) == 4
    assert answer["BestTrainingJob"] == answer["TrainingJobSummaries"][0]
    assert answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"
    assert answer["TrainingJobStatusCounters"] == {
        "Completed": 4,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert answer["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}


async def test_maximize_turns_the_order_round(tuning: Tuning, make: Make) -> None:
    objective = {"Type": "Maximize", "MetricName": "loss"}
    outcome = await tuning.run(
        tuning.squared, make.request(make.config(HyperParameterTuningJobObjective=objective))
    )

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    assert losses(answer) == sorted(losses(answer), reverse=True)
    assert answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] == "Maximize"


async def test_the_log_tells_each_trial(tuning: Tuning) -> None:
    outcome = await tuning.run(tuning.squared)

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    best = answer["BestTrainingJob"]
    log = tuning.log()
    for number, job in enumerate(tuning.training_jobs(), 1):
        name, x = job["TrainingJobName"], job["HyperParameters"]["x"]
        assert f"[sagelocal] {name} starts, {number} of 4: x={x}" in log
        assert f"{name} Completed, loss={float(x) ** 2:g}; best so far " in log
    value = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert f"completed: best so far {value:g} of {best['TrainingJobName']}; 4 of 4 ended" in log


async def test_as_many_run_at_once_as_may_and_no_fewer_while_some_are_left(
    tuning: Tuning, make: Make
) -> None:
    started: asyncio.Queue[asyncio.Event] = asyncio.Queue()
    running, most = 0, 0

    async def program(box: Box) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        gate = asyncio.Event()
        started.put_nowait(gate)
        await gate.wait()
        running -= 1
        tuning.squared(box)

    task = asyncio.ensure_future(tuning.run(program, make.request(make.config(jobs=8, parallel=2))))
    gates = [await started.get(), await started.get()]
    for _ in range(6):
        gates.pop(0).set()
        gates.append(await started.get())  # comes although the other of the two is still running
    for gate in gates:
        gate.set()
    outcome = await task

    assert isinstance(outcome, Succeeded)
    assert most == 2
    assert len(tuning.training_jobs()) == 8


async def test_a_failed_training_job_does_not_fail_the_tuning_job(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    def program(box: Box) -> int:
        if float(tuning.hyperparameters(box)["x"]) < 0.5:
            box.say("ValueError: too small")
            return 1
        tuning.squared(box)
        return 0

    outcome = await tuning.run(program, make.request(make.config(jobs=6)))

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    small = sum(float(job["HyperParameters"]["x"]) < 0.5 for job in tuning.training_jobs())
    assert 0 < small < 6
    assert answer["TrainingJobStatusCounters"]["NonRetryableError"] == small
    assert answer["ObjectiveStatusCounters"] == {"Succeeded": 6 - small, "Pending": 0, "Failed": small}
    last = answer["TrainingJobSummaries"][-1]
    assert (last["TrainingJobStatus"], last["ObjectiveStatus"]) == ("Failed", "Failed")
    assert "ValueError: too small" in last["FailureReason"]
    assert "FinalHyperParameterTuningJobObjectiveMetric" not in last


async def test_when_all_training_jobs_fail_so_does_the_tuning_job(
    tuning: Tuning, check_tuning: CheckTuning
) -> None:
    def program(box: Box) -> int:
        box.say("KeyError: 'label'")
        return 1

    outcome = await tuning.run(program)

    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("ClientError: All training jobs failed. Please take a look")
    assert "KeyError: 'label'" in outcome.reason
    assert outcome.error == "AlgorithmError"
    check_tuning(outcome.properties)
    assert outcome.properties["HyperParameterTuningJobStatus"] == "Failed"
    assert "BestTrainingJob" not in outcome.properties


async def test_five_failures_are_enough_where_nothing_succeeds(tuning: Tuning, make: Make) -> None:
    outcome = await tuning.run(lambda _: 1, make.request(make.config(jobs=20, parallel=1)))

    assert isinstance(outcome, Failed)
    assert "No training job succeeded after 5 attempts." in outcome.reason
    assert len(tuning.training_jobs()) == 5


async def test_failures_at_first_do_not_matter_when_one_succeeds_meanwhile(
    tuning: Tuning, make: Make
) -> None:
    """Five fail while the first still runs; when that succeeds, the others get their turn after all."""
    failed = 0
    enough = asyncio.Event()

    async def program(box: Box) -> int:
        nonlocal failed
        if "-001-" in box.spec.name:
            await enough.wait()
        elif failed < 5:
            failed += 1
            if failed == 5:
                enough.set()
            return 1
        tuning.squared(box)
        return 0

    outcome = await tuning.run(program, make.request(make.config(jobs=8, parallel=2)))

    assert isinstance(outcome, Succeeded)
    assert len(tuning.training_jobs()) == 8


async def test_a_training_job_without_the_metric_has_no_objective(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    def program(box: Box) -> None:
        if "-002-" not in box.spec.name:
            tuning.squared(box)

    outcome = await tuning.run(program, make.request(make.config(jobs=3)))

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_tuning(answer)
    last = answer["TrainingJobSummaries"][-1]
    assert "-002-" in last["TrainingJobName"]
    assert (last["TrainingJobStatus"], last["ObjectiveStatus"]) == ("Completed", "Failed")
    assert answer["ObjectiveStatusCounters"]["Failed"] == 1
    assert answer["TrainingJobStatusCounters"]["Completed"] == 3


async def test_a_metric_that_is_never_printed_fails_the_tuning_job(tuning: Tuning) -> None:
    outcome = await tuning.run(lambda _: None)

    assert isinstance(outcome, Failed)
    assert "No objective metrics found after running 4 training jobs" in outcome.reason


async def test_the_last_printed_value_is_the_objective(tuning: Tuning, make: Make) -> None:
    def program(box: Box) -> None:
        for value in (5, 0.25, 3):
            box.say(f"loss={value};")

    outcome = await tuning.run(program, make.request(make.config(jobs=1)))

    assert isinstance(outcome, Succeeded)
    assert losses(outcome.properties) == [3.0]


async def test_a_stop_stops_all_and_tells_what_there_is(tuning: Tuning, check_tuning: CheckTuning) -> None:
    third = asyncio.Event()

    async def program(box: Box) -> None:
        tuning.squared(box)
        if "-001-" not in box.spec.name:
            if "-003-" in box.spec.name:
                third.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(tuning.run(program))
    await third.wait()
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["HyperParameterTuningJobStatus"] == "Stopped"
    assert answer["TrainingJobStatusCounters"]["Completed"] == 1
    assert answer["TrainingJobStatusCounters"]["Stopped"] == 2
    assert tuning.described()["HyperParameterTuningJobStatus"] == "Stopped"
    assert {job["TrainingJobStatus"] for job in tuning.training_jobs()} == {"Completed", "Stopped"}
    assert list(tuning.world.jobs.iterdir()) == []


async def test_a_second_stop_cuts_the_grace_of_the_training_jobs_short(tuning: Tuning) -> None:
    begun, asked = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def program(_: Box) -> None:
        try:
            begun.release()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            asked.release()
            await asyncio.Event().wait()  # for as long as the grace lasts

    task = asyncio.ensure_future(tuning.run(program))
    for stage in (begun, asked):
        await stage.acquire()
        await stage.acquire()
        task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert [job["TrainingJobStatus"] for job in tuning.training_jobs()] == ["Stopped", "Stopped"]
    assert tuning.described()["HyperParameterTuningJobStatus"] == "Stopped"


async def test_a_stop_before_anything_has_begun_leaves_a_stopped_job(tuning: Tuning) -> None:
    task = asyncio.ensure_future(tuning.run(tuning.squared))
    await asyncio.sleep(0)
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert {job["TrainingJobStatus"] for job in tuning.training_jobs()} <= {"Stopped"}


async def test_a_fault_of_ours_is_not_a_result(tuning: Tuning) -> None:
    async def program(box: Box) -> None:
        if "-002-" in box.spec.name:
            message = "our bug"
            raise RuntimeError(message)
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="our bug"):
        await tuning.run(program)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_at_most_fifty_are_listed(tuning: Tuning, make: Make) -> None:
    outcome = await tuning.run(tuning.squared, make.request(make.config(jobs=53, parallel=10)))

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    assert len(answer["TrainingJobSummaries"]) == 50
    every = sorted(float(job["HyperParameters"]["x"]) ** 2 for job in tuning.training_jobs())
    assert losses(answer) == pytest.approx(every[:50])


async def test_a_request_that_breaks_rules_starts_nothing(tuning: Tuning, make: Make) -> None:
    outcome = await tuning.run(tuning.squared, make.request(), name="a" * 33)

    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith(
        "ClientError: Failed to invoke sagemaker:CreateHyperParameterTuningJob. Error Details: the name"
    )
    assert outcome.properties == {}
    assert tuning.training_jobs() == []
    assert outcome.reason in tuning.log()
