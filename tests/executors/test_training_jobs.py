"""Training jobs, from the request to the Describe answer."""

from __future__ import annotations

import asyncio
import io
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Stopped, Succeeded
from sagelocal_executors.containers import ContainerSpec, Exit

if TYPE_CHECKING:
    from tests.executors.conftest import Box, World

    CheckShape = Callable[[str, Mapping[str, Any]], None]

MODEL = "/opt/ml/model"
CONFIG = "/opt/ml/input/config"
JOB = "pipelines-abcdefghijkl-Step-0123456789"
ARCHIVE = f"s3://bucket/models/{JOB}/output/model.tar.gz"


def channel(name: str, uri: str, **keys: Any) -> dict[str, Any]:
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **keys}


def algorithm(**keys: Any) -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File", **keys}}


def instances(count: int) -> dict[str, Any]:
    return {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}}


def members(archive: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [member for member in tar if member.isfile()]
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read().decode() for member in files}


async def test_the_model_folder_becomes_an_archive_in_s3(world: World) -> None:
    def program(box: Box) -> None:
        box.write(f"{MODEL}/code/inference.py", "x")
        box.write(f"{MODEL}/weights", "w")

    outcome = await world.train(program)

    assert isinstance(outcome, Succeeded)
    assert outcome.properties["ModelArtifacts"] == {"S3ModelArtifacts": ARCHIVE}
    assert members(world.get(ARCHIVE)) == {"code/inference.py": "x", "weights": "w"}
    assert list(world.jobs.iterdir()) == []


async def test_a_job_without_a_model_leaves_an_empty_archive_alone(world: World) -> None:
    await world.train(lambda _: None)

    assert members(world.get(ARCHIVE)) == {}
    assert world.keys("s3://bucket/") == [f"models/{JOB}/output/model.tar.gz"]


async def test_output_data_goes_to_an_archive_of_its_own(world: World) -> None:
    await world.train(lambda box: box.write("/opt/ml/output/data/plot.txt", "p"))

    assert members(world.get(f"s3://bucket/models/{JOB}/output/output.tar.gz")) == {"plot.txt": "p"}


async def test_an_uncompressed_model_lies_below_a_folder(world: World) -> None:
    outcome = await world.train(
        lambda box: box.write(f"{MODEL}/w", "w"),
        OutputDataConfig={"S3OutputPath": "s3://bucket/models", "CompressionType": "NONE"},
    )

    assert isinstance(outcome, Succeeded)
    assert outcome.properties["ModelArtifacts"] == {
        "S3ModelArtifacts": f"s3://bucket/models/{JOB}/output/model/"
    }
    assert world.get(f"s3://bucket/models/{JOB}/output/model/w") == b"w"


async def test_the_container_finds_its_configuration(world: World) -> None:
    world.put("s3://bucket/train/a.csv", "1,2")
    seen: dict[str, Any] = {}

    def program(box: Box) -> None:
        for name in ("hyperparameters", "inputdataconfig", "resourceconfig"):
            seen[name] = box.json(f"{CONFIG}/{name}.json")
        seen["data"] = box.read("/opt/ml/input/data/train/a.csv")
        seen["overlaid"] = box.overlaid("/opt/ml/input/data/train")

    outcome = await world.train(
        program,
        HyperParameters={"depth": 5, "eta": 0.1, "quiet": True, "objective": "reg:linear"},
        InputDataConfig=[channel("train", "s3://bucket/train", ContentType="text/csv", InputMode="FastFile")],
    )

    assert isinstance(outcome, Succeeded)
    hyperparameters = {"depth": "5", "eta": "0.1", "quiet": "true", "objective": "reg:linear"}
    assert seen["hyperparameters"] == outcome.properties["HyperParameters"] == hyperparameters
    assert seen["inputdataconfig"] == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert seen["resourceconfig"] == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
        ],
        "network_interface_name": "eth0",
    }
    assert (seen["data"], seen["overlaid"]) == ("1,2", True)


@pytest.mark.parametrize(
    ("given", "entrypoint", "command"),
    [
        ({}, None, ("train",)),
        ({"ContainerEntrypoint": ["sh", "-c"]}, ("sh", "-c"), None),
        ({"ContainerArguments": ["--n", 1]}, None, ("--n", "1")),
        ({"ContainerEntrypoint": ["a"], "ContainerArguments": ["b"]}, ("a",), ("b",)),
    ],
)
async def test_the_image_is_told_to_train_unless_the_request_says_otherwise(
    world: World, given: dict[str, Any], entrypoint: object, command: object
) -> None:
    specs: list[ContainerSpec] = []
    await world.train(lambda box: specs.append(box.spec), **algorithm(**given))

    assert (specs[0].entrypoint, specs[0].command) == (entrypoint, command)


async def test_environment_isolation_and_limits_reach_the_container(world: World) -> None:
    specs: list[ContainerSpec] = []
    await world.train(
        lambda box: specs.append(box.spec),
        Environment={"A": "b"},
        EnableNetworkIsolation=True,
        EnableManagedSpotTraining=True,
    )

    (spec,) = specs
    assert spec.env["A"] == "b"
    assert spec.env["TRAINING_JOB_NAME"] == JOB
    assert spec.env["TRAINING_JOB_ARN"].endswith(f"training-job/{JOB.lower()}")
    assert (spec.network, spec.limits.seconds) == (False, 3600)
    assert spec.labels["sagelocal.job"] == JOB


async def test_a_success_describes_the_job_as_the_api_does(world: World, check_shape: CheckShape) -> None:
    world.put("s3://bucket/train/a.csv")

    def program(box: Box) -> None:
        for line in ("rmse=3.5;", "epoch 2: rmse=1.25;", "acc=nan;"):
            box.say(line)

    metrics = [{"Name": "rmse", "Regex": "rmse=([0-9.]+);"}, {"Name": "acc", "Regex": "acc=(.*?);"}]
    outcome = await world.train(
        program,
        InputDataConfig=[channel("train", "s3://bucket/train/")],
        Tags=[{"Key": "a", "Value": "b"}],
        DebugHookConfig={"S3OutputPath": "s3://bucket/debug", "CollectionConfigurations": []},
        ProfilerConfig={"DisableProfiler": True},
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        RetryStrategy={"MaximumRetryAttempts": 1},
        VpcConfig=None,
        **algorithm(MetricDefinitions=metrics),
    )

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_shape("DescribeTrainingJobResponse", answer)
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Completed", "Completed")
    assert [item["Status"] for item in answer["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [(item["MetricName"], item["Value"]) for item in answer["FinalMetricDataList"]] == [("rmse", 1.25)]
    assert answer["BillableTimeInSeconds"] >= 1
    assert answer["OutputDataConfig"]["S3OutputPath"] == "s3://bucket/models/"


async def test_the_failure_file_is_the_reason(world: World, check_shape: CheckShape) -> None:
    def program(box: Box) -> int:
        box.write("/opt/ml/output/failure", "RuntimeError('no data')\n")
        box.say("something else")
        return 1

    outcome = await world.train(program)

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: RuntimeError('no data'), exit code: 1"
    assert outcome.error == "AlgorithmError"
    check_shape("DescribeTrainingJobResponse", outcome.properties)
    assert outcome.properties["TrainingJobStatus"] == outcome.properties["SecondaryStatus"] == "Failed"
    assert world.keys("s3://bucket/") == []


async def test_a_long_failure_is_cut_to_what_the_api_can_say(world: World) -> None:
    def program(box: Box) -> int:
        box.write("/opt/ml/output/failure", "x" * 5000)
        return 1

    outcome = await world.train(program)

    assert isinstance(outcome, Failed)
    assert len(str(outcome.properties["FailureReason"])) == 1024


async def test_without_a_failure_file_the_last_line_is_the_reason(world: World) -> None:
    def program(box: Box) -> int:
        box.say("KeyError: 'label'")
        box.say("")
        return 2

    outcome = await world.train(program)

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: KeyError: 'label', exit code: 2"


async def test_a_silent_failure_has_its_exit_code(world: World) -> None:
    outcome = await world.train(lambda _: Exit(137, oom=True))

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: out of memory, exit code: 137"


@pytest.mark.parametrize("has_model", [True, False])
async def test_a_job_out_of_time_counts_when_it_left_a_model(
    world: World, check_shape: CheckShape, *, has_model: bool
) -> None:
    def program(box: Box) -> Exit:
        if has_model:
            box.write(f"{MODEL}/w", "w")
        return Exit(143, timed_out=True)

    outcome = await world.train(program)

    assert isinstance(outcome, Succeeded if has_model else Failed)
    check_shape("DescribeTrainingJobResponse", outcome.properties)
    assert outcome.properties["TrainingJobStatus"] == "Stopped"
    assert outcome.properties["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert world.get(ARCHIVE)


async def test_a_stop_keeps_the_model_so_far(world: World, check_shape: CheckShape) -> None:
    running = asyncio.Event()

    async def program(box: Box) -> None:
        box.write(f"{MODEL}/w", "half")
        running.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(world.train(program))
    await running.wait()
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    check_shape("DescribeTrainingJobResponse", outcome.properties)
    assert outcome.properties["TrainingJobStatus"] == outcome.properties["SecondaryStatus"] == "Stopped"
    assert members(world.get(ARCHIVE)) == {"w": "half"}
    assert list(world.jobs.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ServerlessJobConfig": {"JobType": "FineTuning"}}, "ServerlessJobConfig is not supported locally"),
        ({"AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"}}, "AlgorithmName"),
        (algorithm(MetricDefinitions=[{"Name": "m", "Regex": "(unclosed"}]), "invalid regex"),
        (algorithm(MetricDefinitions=[{"Name": "m", "Regex": "no group"}]), "has no group"),
        (
            {"InputDataConfig": [{"ChannelName": "c", "DataSource": {"FileSystemDataSource": {}}}]},
            "channel 'c'",
        ),
        ({"OutputDataConfig": {}}, "OutputDataConfig.S3OutputPath"),
    ],
)
async def test_a_request_that_cannot_be_served_says_which_member(
    world: World, arguments: dict[str, Any], text: str
) -> None:
    outcome = await world.train(lambda _: None, **arguments)

    assert isinstance(outcome, Failed)
    assert outcome.error == "ClientError"
    assert re.search(re.escape(text), outcome.reason), outcome.reason


async def test_a_channel_without_data_fails_the_job(world: World, check_shape: CheckShape) -> None:
    outcome = await world.train(lambda _: None, InputDataConfig=[channel("train", "s3://bucket/none/")])

    assert isinstance(outcome, Failed)
    assert "channel 'train'" in outcome.reason
    check_shape("DescribeTrainingJobResponse", outcome.properties)


async def test_a_stubbed_job_needs_neither_image_nor_data(world: World, check_shape: CheckShape) -> None:
    executor = replace(world.training(lambda _: None), stubbed=lambda _: True)
    job = world.training_job(
        AlgorithmSpecification=None,
        ServerlessJobConfig={
            "JobType": "FineTuning",
            "BaseModelArn": "arn:aws:sagemaker:us-east-1:aws:hub-content/x",
        },
        InputDataConfig=[channel("train", "s3://bucket/none/")],
    )
    outcome = await executor.run(job)

    assert isinstance(outcome, Succeeded), outcome
    check_shape("DescribeTrainingJobResponse", outcome.properties)
