"""Tuning steps that a stub plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Outcome, Succeeded
from sagelocal_executors.containers.stub import Stub, StubContainers, Stubs

if TYPE_CHECKING:
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning


async def run(tuning: Tuning, arguments: Any, **stub: Any) -> Outcome:
    stubs = Stubs(steps={"Tune": Stub.model_validate(stub)})
    executor = tuning.executor(
        StubContainers(stubs, tuning.world.clock),
        stubbed=lambda _: True,
        stub_metrics=lambda step: stubs.of(step).metrics,
    )
    return await executor.run(tuning.make.job(arguments))


async def test_the_objective_is_what_the_stub_declares(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    """Whatever the regular expression, which the stub's own lines do not match."""
    outcome = await run(tuning, make.request(), metrics={"loss": 0.25, "other": 3})

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.25
    assert answer["ObjectiveStatusCounters"]["Succeeded"] == 4
    assert [job["FinalMetricDataList"][0]["Value"] for job in tuning.training_jobs()] == [0.25] * 4


async def test_without_a_declared_metric_the_objective_is_nought_and_that_is_said(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    outcome = await run(tuning, make.request())

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.0
    assert "the stub declares no metric loss: 0 stands for it" in tuning.log()
    for item in answer["TrainingJobSummaries"]:
        assert tuning.world.get(f"s3://bucket/models/{item['TrainingJobName']}/output/model.tar.gz")


async def test_a_line_of_the_stub_may_say_the_objective(tuning: Tuning, make: Make) -> None:
    outcome = await run(tuning, make.request(), logs=["loss=0.75;"])

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    assert answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.75


async def test_a_stub_that_fails_fails_the_tuning_job(tuning: Tuning, make: Make) -> None:
    outcome = await run(tuning, make.request(), failure={"reason": "no luck"})

    assert isinstance(outcome, Failed)
    assert "no luck" in outcome.reason


@pytest.mark.parametrize("strategy", ["Bayesian", "Hyperband"])
async def test_every_strategy_can_be_stubbed(tuning: Tuning, make: Make, strategy: str) -> None:
    training = make.definition(StaticHyperParameters={"epochs": "9"})
    arguments = make.request(make.config(strategy=strategy), training)
    outcome = await run(tuning, arguments)

    assert isinstance(outcome, Succeeded)
    assert len(tuning.training_jobs()) == 4


async def test_an_algorithm_whose_metrics_are_unknown_can_be_stubbed(tuning: Tuning, make: Make) -> None:
    algorithm = {"TrainingImage": "object-detection:1", "TrainingInputMode": "Pipe"}
    outcome = await run(tuning, make.request(training=make.definition(AlgorithmSpecification=algorithm)))

    assert isinstance(outcome, Succeeded), outcome
