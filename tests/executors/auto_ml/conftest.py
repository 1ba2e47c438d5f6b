"""AutoML jobs in a small account, and training jobs that are played by a function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor, Job, Outcome, Succeeded
from sagelocal_executors.auto_ml.executor import AutoMLExecutor

if TYPE_CHECKING:
    from tests.executors.conftest import Box, World

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
NAME = "abcdefghijkl-Step-0123456789"
FACTS = {
    "problem_type": "Regression",
    "reason": "it says so",
    "target": "y",
    "training_rows": 800,
    "validation_rows": 200,
    "classes": {},
    "numeric": ["a"],
    "categorical": ["b"],
    "dropped": {"c": "is empty"},
    "missing": {"a": 1, "b": 0, "c": 1000},
}


def channel(uri: str = "s3://bucket/train", **keys: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    return {"DataSource": {"S3DataSource": source}, "TargetAttributeName": "y", **keys}


@dataclass
class Play:
    """What training jobs do when a function plays them.

    Attributes:
        facts: what the look at the data finds.
        values: per candidate's name the metrics that it prints; a text instead: why it fails.
        default: those of any other.
        begun: the candidates that were started, in that order.
    """

    facts: dict[str, Any] = field(default_factory=lambda: dict(FACTS))
    values: dict[str, Mapping[str, float] | str] = field(default_factory=dict)
    default: Mapping[str, float] | str = field(default_factory=lambda: {"MSE": 5.0, "R2": 0.5})
    report: str = ""
    begun: list[str] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)

    def __call__(self, box: Box) -> int:
        told = {
            name: json.loads(value)
            for name, value in box.json("/opt/ml/input/config/hyperparameters.json").items()
        }
        self.told[told["task"]] = told
        return {"inspect": self._inspect, "train": self._train, "report": self._report}[told["task"]](
            box, told
        )

    def _inspect(self, box: Box, _told: Any) -> int:
        box.write("/opt/ml/output/data/inspection.json", json.dumps(self.facts))
        return 0

    def _train(self, box: Box, told: Any) -> int:
        self.begun.append(told["name"])
        values = self.values.get(told["name"], self.default)
        if isinstance(values, str):
            box.write("/opt/ml/output/failure", values)
            return 1
        box.write("/opt/ml/model/model.joblib", "m")
        for name, value in values.items():
            box.say(f"{name}={value!r}")
        return 0

    def _report(self, box: Box, _told: Any) -> int:
        if self.report:
            box.write("/opt/ml/output/failure", self.report)
            return 1
        assert box.files("/opt/ml/input/data/model") == ["model.tar.gz"]
        box.write("/opt/ml/output/data/statistics.json", '{"of": "statistics"}')
        box.write("/opt/ml/output/data/analysis.json", '{"of": "analysis"}')
        return 0


class Desk:
    """Runs AutoML jobs in one account."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.world.put("s3://bucket/train/a.csv", "y\n1\n")

    def job(self, config: Mapping[str, Any] | None = None, **arguments: Any) -> Job:
        """A job; `config` is laid over its AutoMLJobConfig."""
        base: dict[str, Any] = {
            "InputDataConfig": [channel()],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out/"},
            "AutoMLJobConfig": {"Mode": "ENSEMBLING", **(config or {})},
            "RoleArn": "arn:aws:iam::000000000000:role/any",
        }
        return Job(EXECUTION, "Step", StepType.AUTO_ML, 1, NAME, {**base, **arguments})

    def executor(self, training: Executor, **more: Any) -> AutoMLExecutor:
        world = self.world
        tools = (world.objects, world.catalog, world.logs, world.partition, world.jobs, world.clock)
        return AutoMLExecutor(training, *tools, **more)

    async def run(self, play: Any, job: Job) -> Outcome:
        return await self.executor(self.world.training(play)).run(job)

    async def answer(self, play: Any, config: Mapping[str, Any] | None = None, **arguments: Any) -> Any:
        """The Describe answer of a job that succeeds."""
        outcome = await self.run(play, self.job(config, **arguments))
        assert isinstance(outcome, Succeeded), outcome
        return outcome.properties


@pytest.fixture(name="desk")
def _desk(world: World) -> Iterator[Desk]:
    yield Desk(world)
    assert [path.name for path in world.jobs.glob("*")] == []


@pytest.fixture(name="play")
def _play() -> Play:
    return Play()
