"""kill -9 in the middle of a tuning job: run again, it goes on where it was."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.jobs import Stopped, Succeeded
from sagelocal.names import S3Uri
from sagelocal_executors.tuning.ledger import Ledger
from sagelocal_executors.tuning.trials import trial_name

if TYPE_CHECKING:
    from tests.executors.conftest import Box
    from tests.executors.tuning.conftest import Make, Tuning

NAME = "abcdefghijkl-Tune-0123456789"
LIFE = """
import asyncio, json, sys
from pathlib import Path
from sagelocal.clock import SystemClock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.objects import LocalObjects
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.database import open_database
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job
from sagelocal.logs import StepLogs
from sagelocal.names import Partition
from sagelocal.settings import Settings
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.training import TrainingExecutor
from sagelocal_executors.tuning.executor import TuningExecutor
from sagelocal_executors.tuning.watch import Watch

root = Path(sys.argv[1])
containers = ProcessContainers(Settings(python=Path(sys.executable)), root / "scratch")
objects, logs = LocalObjects(ObjectStore(root / "s3")), StepLogs(root / "logs")
partition, clock, watch = Partition("us-east-1", "000000000000"), SystemClock(), Watch()
training = TrainingExecutor(
    containers, objects, logs, partition, root / "jobs", clock, 5.0, on_metric=watch.tell
)
catalog = Catalog(open_database(root / "state.db"))
executor = TuningExecutor(training, watch, objects, catalog, logs, partition, clock)
execution = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
job = Job(execution, "Tune", StepType.TUNING, 1, "tune", json.loads((root / "request.json").read_text()))
print(json.dumps(asyncio.run(executor.run(job)).properties))
"""

# The first two end at once; the others wait for a file that only the second life has.
SCRIPT = """
import os, sys, time
values = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("begun", flush=True)
if "-001-" not in os.environ["TRAINING_JOB_NAME"] and "-002-" not in os.environ["TRAINING_JOB_NAME"]:
    if not os.path.exists("/opt/ml/input/data/train/go"):
        print("waiting", flush=True)
        time.sleep(600)
open("/opt/ml/model/w", "w").write(values["-x"])
print(f"loss={float(values['-x']) ** 2};")
print("saved", flush=True)
"""


class Lives:
    """A tuning job in processes of their own, over one folder."""

    def __init__(self, root: Path, arguments: Any) -> None:
        self.root = root
        self.store = ObjectStore(root / "s3")
        (root / "life.py").write_text(LIFE)
        (root / "request.json").write_text(json.dumps(arguments))
        self.put("s3://bucket/code/train.py", SCRIPT.encode())
        self.put("s3://bucket/train/some", b"x")

    def put(self, uri: str, data: bytes) -> None:
        self.store.put_bytes(S3Uri.parse(uri), data)

    def begin(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.root / "life.py"), str(self.root)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def log(self, number: int) -> Path:
        return self.root / "logs" / "abcdefghijkl" / "Tune" / f"{trial_name('tune', number)}.log"

    def printed(self, number: int, word: str) -> int:
        """How often a training job has printed the line, over all lives."""
        return self.log(number).read_text().splitlines().count(word) if self.log(number).exists() else 0

    def model(self, number: int) -> Path:
        uri = f"s3://bucket/models/{trial_name('tune', number)}/output/model.tar.gz"
        path = self.store.file(S3Uri.parse(uri))
        assert path is not None
        return path

    def state(self, number: int) -> Any:
        """What must not change any more when a training job has ended."""
        model, log = self.model(number), self.log(number)
        return model.read_bytes(), model.stat().st_mtime_ns, log.read_bytes(), log.stat().st_mtime_ns


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_killed_tuning_job_goes_on(tmp_path: Path, make: Make, strategy: str) -> None:
    training = make.definition(**make.script("train"))
    lives = Lives(tmp_path, make.request(make.config(jobs=6, parallel=2, strategy=strategy), training))

    with lives.begin() as process:
        while not (lives.printed(3, "waiting") and lives.printed(4, "waiting")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    ended = [lives.state(number) for number in (1, 2)]
    for left in (tmp_path / "jobs").iterdir():  # as the engine does before it goes on
        subprocess.run(["rm", "-r", left], check=True)
    lives.put("s3://bucket/train/go", b"")
    with lives.begin() as process:
        out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    answer = json.loads(out)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert answer["TrainingJobStatusCounters"]["Completed"] == 6
    assert [lives.state(number) for number in (1, 2)] == ended, "what had ended was not touched"
    assert [lives.printed(number, "begun") for number in range(1, 7)] == [1, 1, 2, 2, 1, 1]
    assert [lives.printed(number, "saved") for number in range(1, 7)] == [1] * 6
    names = {item["TrainingJobName"] for item in answer["TrainingJobSummaries"]}
    assert names == {trial_name("tune", number) for number in range(1, 7)}
    assert list((tmp_path / "jobs").iterdir()) == []


async def test_an_ended_tuning_job_runs_nothing_again(tuning: Tuning) -> None:
    """The engine may die between the end of a tuning job and its note of it."""
    first = await tuning.run(tuning.squared)
    runs: list[str] = []

    def program(box: Box) -> None:
        runs.append(box.spec.name)

    second = await tuning.run(program)

    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert runs == []
    kept = ("BestTrainingJob", "TrainingJobSummaries", "CreationTime", "TrainingJobStatusCounters")
    assert {key: second.properties[key] for key in kept} == {key: first.properties[key] for key in kept}


async def test_what_was_stopped_with_the_tuning_job_comes_again(tuning: Tuning) -> None:
    second = asyncio.Event()

    async def hang(box: Box) -> None:
        tuning.squared(box)
        if "-001-" not in box.spec.name:
            second.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(tuning.run(hang))
    await second.wait()
    while not any(job["TrainingJobStatus"] == "Completed" for job in tuning.training_jobs()):
        await asyncio.sleep(0)
    task.cancel()
    assert isinstance(await task, Stopped)
    runs: list[str] = []

    def program(box: Box) -> None:
        runs.append(box.spec.name.removesuffix("-algo-1"))
        tuning.squared(box)

    outcome = await tuning.run(program)

    assert isinstance(outcome, Succeeded)
    assert sorted(runs) == [trial_name(NAME, number) for number in (2, 3, 4)]
    assert outcome.properties["TrainingJobStatusCounters"] == {
        "Completed": 4,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }


class Alarm(SystemClock):
    """The machine's clock, which remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.Event().wait()


@pytest.mark.parametrize(("spent", "jobs", "alarms"), [(100, 9, [20]), (120, 2, [])])
async def test_the_seconds_of_all_runs_count(
    tuning: Tuning, make: Make, spent: int, jobs: int, alarms: list[float]
) -> None:
    limits = {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 2, "MaxRuntimeInSeconds": 120}
    await tuning.run(tuning.squared, make.request(make.config(ResourceLimits=limits)))
    consumed = {**tuning.described(), "ConsumedResources": {"RuntimeInSeconds": spent}}
    Ledger(tuning.world.catalog, NAME).keep_job(consumed, 0.0)
    clock = Alarm()
    more = make.request(make.config(ResourceLimits={**limits, "MaxNumberOfTrainingJobs": 9}))
    outcome = await tuning.executor(tuning.squared, clock=clock).run(make.job(more))

    assert isinstance(outcome, Succeeded)
    assert len(tuning.training_jobs()) == jobs
    assert clock.asked == alarms
    seconds: Any = outcome.properties["ConsumedResources"]
    assert seconds["RuntimeInSeconds"] >= spent
