"""kill -9 while a direct job runs: the next engine says what became of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sagelocal.cloud.catalog import Catalog, Kind
from sagelocal.database import open_database
from sagelocal.engine import Engine
from sagelocal.settings import Runtime, Settings

LIFE = """
import asyncio, json, sys
from pathlib import Path
from sagelocal.cloud.job_records import TRAINING, TUNING
from sagelocal.engine import Engine, Stubs
from sagelocal.settings import Runtime, Settings

async def live() -> None:
    home, requests = Path(sys.argv[1]), json.loads(sys.argv[2])
    stubs = Stubs.model_validate({"steps": {"*": {"duration": 600}}})
    async with Engine(Settings(home=home, runtime=Runtime.STUB), stubs=stubs) as engine:
        await engine.jobs.create(TRAINING, "alone", requests[0])
        await engine.jobs.create(TUNING, "tune", requests[1])
        while not any(job.name.startswith("tune-") for job in engine.catalog.list(TRAINING.kind)):
            await asyncio.sleep(0.02)
        print("running", flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(live())
"""


@pytest.fixture(name="life")
def _life(tmp_path: Path, make: Any) -> Iterator[subprocess.Popen[str]]:
    """A process whose engine runs a training and a tuning job."""
    requests = json.dumps([make.training("alone"), make.tuning("tune")])
    command = [sys.executable, "-c", LIFE, str(tmp_path), requests]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "running\n"
        yield process
        process.kill()


def _statuses(home: Path) -> dict[str, Any]:
    catalog = Catalog(open_database(home / "state.db"))
    jobs = {job.name[:4]: job.describe for job in catalog.list(Kind.TRAINING_JOB)}
    [tuning] = catalog.list(Kind.TUNING_JOB)
    return {
        "alone": jobs["alon"]["TrainingJobStatus"],
        "child": jobs["tune"]["TrainingJobStatus"],
        "tuning": tuning.describe["HyperParameterTuningJobStatus"],
        "why": tuning.describe.get("FailureReason"),
    }


async def test_a_job_whose_engine_was_killed_has_failed(tmp_path: Path, life: subprocess.Popen[str]) -> None:
    life.send_signal(signal.SIGKILL)
    life.wait()
    assert _statuses(tmp_path)["alone"] == "InProgress"
    async with Engine(Settings(home=tmp_path, runtime=Runtime.STUB)) as engine:
        assert engine.catalog.list(Kind.DIRECT_JOB) == ()
    told = _statuses(tmp_path)
    assert told.pop("why").startswith("InternalServerError: sagelocal was ended while the job ran")
    assert set(told.values()) == {"Failed"}


async def test_a_job_that_another_engine_runs_is_left_alone(
    tmp_path: Path, life: subprocess.Popen[str]
) -> None:
    assert life.poll() is None
    async with Engine(Settings(home=tmp_path, runtime=Runtime.STUB)) as engine:
        assert len(engine.catalog.list(Kind.DIRECT_JOB)) == 2
    assert _statuses(tmp_path)["alone"] == "InProgress"
