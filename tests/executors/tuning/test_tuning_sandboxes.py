"""Tuning jobs whose training jobs are real processes, one per strategy."""

from __future__ import annotations

import asyncio
import io
import random
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Stopped, Succeeded
from sagelocal.settings import Settings
from sagelocal_executors.containers.process import ProcessContainers

if TYPE_CHECKING:
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

# Descends towards the square of rate, a stretch per epoch, and saves what it has after each.
SCRIPT = """
import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)
parser.add_argument("--kind", default="plain")
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--pause", type=float, default=0)
given = parser.parse_args()
for epoch in range(given.epochs):
    loss = given.rate ** 2 + 1 / (epoch + 1)
    with open("/opt/ml/model/model.txt", "w") as file:
        file.write(f"{given.rate} {given.kind} {loss!r}")
    print(f"epoch {epoch}: loss={loss!r};", flush=True)
    time.sleep(given.pause)
"""


@pytest.fixture(name="containers")
def _containers(tmp_path: Path) -> ProcessContainers:
    return ProcessContainers(Settings(python=Path(sys.executable)), tmp_path / "scratch")


def definition(make: Make, **hyperparameters: str) -> Any:
    scripted = make.script()
    scripted["StaticHyperParameters"] |= hyperparameters
    return make.definition(**scripted)


def model(tuning: Tuning, name: str) -> str:
    """What the training job has saved."""
    archive = tuning.world.get(f"s3://bucket/models/{name}/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        file = tar.extractfile("model.txt")
        assert file is not None
        return file.read().decode()


@pytest.mark.parametrize("strategy", ["Random", "Grid", "Bayesian"])
async def test_the_best_model_is_the_one_with_the_least_loss(
    tuning: Tuning, make: Make, containers: ProcessContainers, check_tuning: CheckTuning, strategy: str
) -> None:
    tuning.world.put("s3://bucket/code/train.py", SCRIPT)
    kinds = make.categorical("kind", '"plain"', '"fancy"')
    spaces = (
        make.ranges(categorical=[make.categorical("rate", "0.5", "2.5"), kinds])
        if strategy == "Grid"
        else make.ranges(
            continuous=[make.continuous("rate", "0.001", "10", "Logarithmic")], categorical=[kinds]
        )
    )
    arguments = make.request(
        make.config(jobs=4, strategy=strategy, ParameterRanges=spaces), definition(make, epochs="2")
    )
    outcome = await tuning.run(containers, arguments)

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    losses = []
    for item in answer["TrainingJobSummaries"]:
        rate, kind, loss = model(tuning, item["TrainingJobName"]).split()
        assert item["TunedHyperParameters"] == {"rate": rate, "kind": f'"{kind}"'}
        assert item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == float(loss)
        losses.append(float(loss))
    assert len(losses) == 4
    assert losses == sorted(losses)
    assert list(tuning.world.jobs.iterdir()) == []


async def test_hyperband_stops_real_jobs_and_keeps_their_models(
    tuning: Tuning, make: Make, containers: ProcessContainers, check_tuning: CheckTuning
) -> None:
    """Jobs that would go on for ever: some are stopped on their way, the others when they pass MaxResource."""
    tuning.world.put("s3://bucket/code/train.py", SCRIPT)
    bands = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}}
    spaces = make.ranges(categorical=[make.categorical("rate", "1", "2", "3", "4", "5", "6")])
    arguments = make.request(
        make.config(jobs=6, parallel=1, strategy="Hyperband", ParameterRanges=spaces, **bands),
        definition(make, epochs="100000", pause="0.05"),
    )
    outcome = await tuning.run(containers, arguments)

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["TrainingJobStatusCounters"]["Stopped"] == 6
    assert answer["ObjectiveStatusCounters"]["Succeeded"] == 6
    log = tuning.log()
    assert log.count("Hyperband: epoch 10 is beyond MaxResource, 9") + log.count("is not among the best") == 6
    assert "is not among the best" in log
    assert "beyond MaxResource" in log
    for job in tuning.training_jobs():
        assert model(tuning, job["TrainingJobName"])
    assert list(tuning.world.jobs.iterdir()) == []


async def test_a_stop_ends_the_processes(tuning: Tuning, make: Make, containers: ProcessContainers) -> None:
    tuning.world.put("s3://bucket/code/train.py", SCRIPT)
    spaces = make.ranges(continuous=[make.continuous("rate", 1, 2)])
    arguments = make.request(
        make.config(ParameterRanges=spaces), definition(make, epochs="1000", pause="0.5")
    )
    printing: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen(_execution: str, log: str, line: str) -> None:
        if line.startswith("epoch 0"):
            loop.call_soon_threadsafe(printing.put_nowait, log)

    tuning.world.logs.subscribe(listen)
    task = asyncio.ensure_future(tuning.run(containers, arguments))
    both = {await printing.get(), await printing.get()}
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert len(both) == 2
    assert [job["TrainingJobStatus"] for job in tuning.training_jobs()] == ["Stopped", "Stopped"]
    for job in tuning.training_jobs():
        assert model(tuning, job["TrainingJobName"])
    assert list(tuning.world.jobs.iterdir()) == []


async def test_the_built_in_xgboost_is_tuned_without_metric_definitions(
    tuning: Tuning, make: Make, containers: ProcessContainers, check_tuning: CheckTuning
) -> None:
    pytest.importorskip("xgboost")
    draw = random.Random(1)
    for channel in ("train", "validation"):
        rows = [[draw.random() for _ in range(3)] for _ in range(60)]
        text = "\n".join(f"{sum(row)},{row[0]},{row[1]},{row[2]}" for row in rows)
        tuning.world.put(f"s3://bucket/{channel}/data.csv", text)
    channels = make.script("train", "validation")["InputDataConfig"][1:]
    training = make.definition(
        StaticHyperParameters={"num_round": "8", "objective": "reg:squarederror"},
        InputDataConfig=[{**channel, "ContentType": "text/csv"} for channel in channels],
        AlgorithmSpecification={
            "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "TrainingInputMode": "File",
        },
    )
    spaces = make.ranges(
        integer=[make.continuous("max_depth", 1, 4)], continuous=[make.continuous("eta", "0.01", "1")]
    )
    objective = {"Type": "Minimize", "MetricName": "validation:rmse"}
    config = make.config(jobs=2, ParameterRanges=spaces, HyperParameterTuningJobObjective=objective)
    outcome = await tuning.run(containers, make.request(config, training))

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    assert answer["ObjectiveStatusCounters"]["Succeeded"] == 2
    for job in tuning.training_jobs():
        names = {item["MetricName"] for item in job["FinalMetricDataList"]}
        assert {"train:rmse", "validation:rmse"} <= names
