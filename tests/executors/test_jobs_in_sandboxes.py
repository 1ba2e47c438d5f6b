"""The same executors with real processes that see the real paths."""

from __future__ import annotations

import asyncio
import io
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Stopped, Succeeded
from sagelocal.settings import Settings
from sagelocal_executors.containers.process import ProcessContainers

if TYPE_CHECKING:
    from tests.executors.conftest import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

PROCESS = """
import pathlib, sys
root = pathlib.Path("/opt/ml/processing")
text = (root / "input/data/a.txt").read_text()
(root / "input/data/a.txt").write_text("changed")
(root / "output/copy.txt").write_text(text + sys.argv[1])
print("done")
"""

TRAIN = """
import json, pathlib
ml = pathlib.Path("/opt/ml")
depth = json.loads((ml / "input/config/hyperparameters.json").read_text())["depth"]
data = (ml / "input/data/train/a.txt").read_text()
(ml / "model/model.txt").write_text(data * int(depth))
print("loss=0.25;")
"""


@pytest.fixture(name="containers")
def _containers(tmp_path: Path) -> ProcessContainers:
    return ProcessContainers(Settings(python=Path(sys.executable)), tmp_path / "scratch")


def s3_input(uri: str, path: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": path, "S3Input": s3}


async def test_a_script_processes_a_folder(world: World, containers: ProcessContainers) -> None:
    world.put("s3://bucket/code/run.py", PROCESS)
    world.put("s3://bucket/data/a.txt", "hello")
    s3 = {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    code = "/opt/ml/processing/input/code"
    job = world.processing_job(
        AppSpecification={
            "ImageUri": "python:3",
            "ContainerEntrypoint": ["python3", f"{code}/run.py"],
            "ContainerArguments": ["!"],
        },
        ProcessingInputs=[
            s3_input("s3://bucket/code/run.py", code),
            s3_input("s3://bucket/data", "/opt/ml/processing/input/data"),
        ],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "o", "S3Output": s3}]},
    )
    outcome = await world.processing(containers).run(job)

    assert isinstance(outcome, Succeeded), world.log()
    assert world.get("s3://bucket/out/copy.txt") == b"hello!"
    assert world.get("s3://bucket/data/a.txt") == b"hello"
    assert "done" in world.log()
    assert list(world.jobs.iterdir()) == []


def training(world: World, *code: str) -> Any:
    source = {"S3DataSource": {"S3Uri": "s3://bucket/data", "S3DataType": "S3Prefix"}}
    return world.training_job(
        AlgorithmSpecification={
            "TrainingImage": "python:3",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": list(code),
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*?);"}],
        },
        HyperParameters={"depth": 2},
        InputDataConfig=[{"ChannelName": "train", "DataSource": source}],
    )


async def test_a_program_trains_a_model(world: World, containers: ProcessContainers) -> None:
    world.put("s3://bucket/data/a.txt", "ab")
    job = training(world, "python3", "-c", TRAIN)
    outcome = await world.training(containers).run(job)

    assert isinstance(outcome, Succeeded), world.log()
    archive = world.get(f"s3://bucket/models/{job.name}/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        model = tar.extractfile("model.txt")
        assert model is not None
        assert model.read() == b"abab"
    metrics: Any = outcome.properties["FinalMetricDataList"]
    assert metrics[0]["Value"] == 0.25


async def test_an_uncaught_exception_is_the_reason(world: World, containers: ProcessContainers) -> None:
    world.put("s3://bucket/data/a.txt")
    outcome = await world.training(containers).run(
        training(world, "python3", "-c", "raise ValueError('no labels')")
    )

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: ValueError: no labels, exit code: 1"


async def test_a_stop_reaches_the_program(world: World, containers: ProcessContainers) -> None:
    world.put("s3://bucket/data/a.txt")
    code = "import pathlib, time; pathlib.Path('/opt/ml/model/w').write_text('w'); print('ready', flush=True); time.sleep(600)"
    job = training(world, "python3", "-c", code)
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen(_execution: str, _step: str, line: str) -> None:
        if "ready" in line:
            loop.call_soon_threadsafe(ready.set)

    world.logs.subscribe(listen)
    task = asyncio.ensure_future(world.training(containers).run(job))
    await ready.wait()
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert world.get(f"s3://bucket/models/{job.name}/output/model.tar.gz")
    assert list(world.jobs.iterdir()) == []
