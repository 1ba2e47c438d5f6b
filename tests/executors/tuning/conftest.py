"""Tuning jobs over the small account: real training jobs, whose containers are played by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Kind
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job, Outcome
from sagelocal_executors.tuning.executor import TuningExecutor
from sagelocal_executors.tuning.watch import Watch

if TYPE_CHECKING:
    from tests.executors.conftest import Box, World

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
ROLE = "arn:aws:iam::000000000000:role/any"
NAME = "abcdefghijkl-Tune-0123456789"


def continuous(name: str, low: object, high: object, scaling: str = "Auto") -> dict[str, Any]:
    return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}


def categorical(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def ranges(
    *,
    continuous: list[Any] | None = None,
    integer: list[Any] | None = None,
    categorical: list[Any] | None = None,
) -> dict[str, Any]:
    return {
        "ContinuousParameterRanges": continuous or [],
        "IntegerParameterRanges": integer or [],
        "CategoricalParameterRanges": categorical or [],
    }


def config(
    jobs: int | None = 4, parallel: int = 2, strategy: str = "Random", **members: Any
) -> dict[str, Any]:
    limits: dict[str, Any] = {"MaxParallelTrainingJobs": parallel}
    if jobs is not None:
        limits["MaxNumberOfTrainingJobs"] = jobs
    return {
        "Strategy": strategy,
        "ResourceLimits": limits,
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ParameterRanges": ranges(continuous=[continuous("x", 0, 1)]),
        "TrainingJobEarlyStoppingType": "Off",
        "RandomSeed": 7,
        **members,
    }


def definition(**members: Any) -> dict[str, Any]:
    return {
        "StaticHyperParameters": {"depth": "3"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models/"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "HyperParameterTuningResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
            "VolumeSizeInGB": 30,
        },
        "AlgorithmSpecification": {
            "TrainingInputMode": "File",
            "TrainingImage": "image:1",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*?);"}],
        },
        **members,
    }


def script(*channels: str) -> dict[str, Any]:
    """Script mode: ``train.py`` below s3://bucket/code, a channel as the others are."""
    return {
        "StaticHyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"/opt/ml/input/data/code"',
        },
        "InputDataConfig": [
            {
                "ChannelName": name,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}/"}},
            }
            for name in ("code", *channels)
        ],
    }


def request(tuning: dict[str, Any] | None = None, training: Any = None, **members: Any) -> dict[str, Any]:
    """CreateHyperParameterTuningJob, of one definition or of several."""
    key = "TrainingJobDefinitions" if isinstance(training, list) else "TrainingJobDefinition"
    return {
        "HyperParameterTuningJobConfig": tuning or config(),
        key: definition() if training is None else training,
        **members,
    }


def tuning_job(arguments: dict[str, Any], name: str = NAME) -> Job:
    return Job(EXECUTION, "Tune", StepType.TUNING, 1, name, arguments)


class Make:
    """Requests, as the SDK writes them."""

    continuous = staticmethod(continuous)
    categorical = staticmethod(categorical)
    ranges = staticmethod(ranges)
    config = staticmethod(config)
    definition = staticmethod(definition)
    script = staticmethod(script)
    request = staticmethod(request)
    job = staticmethod(tuning_job)


@dataclass(frozen=True)
class Tuning:
    """The executor, and what it leaves."""

    world: World
    make: type[Make] = Make

    @staticmethod
    def hyperparameters(box: Box) -> dict[str, str]:
        """What the container of a trial finds."""
        found: dict[str, str] = box.json("/opt/ml/input/config/hyperparameters.json")
        return found

    @staticmethod
    def squared(box: Box) -> None:
        """A program that leaves a model whose loss is known: the square of x."""
        box.write("/opt/ml/model/w", "w")
        box.say(f"loss={float(Tuning.hyperparameters(box)['x']) ** 2};")

    def executor(self, program: Any, **members: Any) -> TuningExecutor:
        watch = Watch()
        training = replace(self.world.training(program), on_metric=watch.tell)
        if "stubbed" in members:
            training = replace(training, stubbed=members["stubbed"])
        world = self.world
        executor = TuningExecutor(
            training, watch, world.objects, world.catalog, world.logs, world.partition, world.clock
        )
        return replace(executor, **members)

    async def run(self, program: Any, arguments: dict[str, Any] | None = None, name: str = NAME) -> Outcome:
        return await self.executor(program).run(tuning_job(arguments or request(), name))

    def log(self) -> str:
        return "\n".join(self.world.logs.tail(EXECUTION, "Tune", 1000))

    def training_jobs(self) -> list[Any]:
        """The Describe answers of the training jobs, in the order of their names."""
        found = self.world.catalog.list(Kind.TRAINING_JOB)
        return [entity.describe for entity in sorted(found, key=lambda entity: entity.name)]

    def described(self, name: str = NAME) -> Any:
        """The tuning job as it is on record."""
        entity = self.world.catalog.get(Kind.TUNING_JOB, name)
        return None if entity is None else entity.describe


@pytest.fixture(name="make", scope="session")
def _make() -> type[Make]:
    return Make


@pytest.fixture(name="tuning")
def _tuning(world: World) -> Tuning:
    return Tuning(world)


CheckTuning = Callable[[Mapping[str, Any]], None]


@pytest.fixture(name="check_tuning", scope="session")
def _check_tuning(check_shape: Callable[[str, Mapping[str, Any]], None]) -> CheckTuning:
    """Assert that the properties are those of Describe, merged with those of List."""

    def check(properties: Mapping[str, Any]) -> None:
        own = {key: value for key, value in properties.items() if key != "TrainingJobSummaries"}
        check_shape("DescribeHyperParameterTuningJobResponse", own)
        listed = {"TrainingJobSummaries": properties["TrainingJobSummaries"]}
        check_shape("ListTrainingJobsForHyperParameterTuningJobResponse", listed)

    return check
