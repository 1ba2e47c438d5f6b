"""Training on several hosts, with checkpoints, with pipes."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sagelocal.jobs import Succeeded

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


async def test_hosts_share_one_model_and_know_each_other(world: World) -> None:
    def program(box: Box) -> None:
        host = box.json(f"{CONFIG}/resourceconfig.json")["current_host"]
        box.write(f"{MODEL}/{host}", "x")
        box.write(f"{MODEL}/common", host)
        assert box.spec.hosts == ("algo-1", "algo-2")

    outcome = await world.train(program, **instances(2))

    assert isinstance(outcome, Succeeded)
    assert members(world.get(ARCHIVE)) == {"algo-1": "x", "algo-2": "x", "common": "algo-1"}


async def test_instance_groups_get_their_own_channels(world: World, check_shape: CheckShape) -> None:
    world.put("s3://bucket/a/x")
    only = channel("a", "s3://bucket/a")
    only["DataSource"]["S3DataSource"]["InstanceGroupNames"] = ["two"]
    groups = [
        {"InstanceGroupName": "one", "InstanceType": "ml.m5.large", "InstanceCount": 1},
        {"InstanceGroupName": "two", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
    ]
    seen: dict[str, Any] = {}

    def program(box: Box) -> None:
        config = box.json(f"{CONFIG}/resourceconfig.json")
        has_channel = any(mount.target == "/opt/ml/input/data/a" for mount in box.spec.mounts)
        seen[config["current_host"]] = (config["current_group_name"], has_channel)
        assert config["instance_groups"][1]["hosts"] == ["algo-2", "algo-3"]

    resources = {"ResourceConfig": {"InstanceGroups": groups, "VolumeSizeInGB": 1}}
    outcome = await world.train(program, InputDataConfig=[only], **resources)

    assert isinstance(outcome, Succeeded), outcome
    check_shape("DescribeTrainingJobResponse", outcome.properties)
    assert seen == {"algo-1": ("one", False), "algo-2": ("two", True), "algo-3": ("two", True)}


async def test_checkpoints_come_down_and_go_up_as_they_are_written(world: World) -> None:
    world.put("s3://bucket/ck/old", "1")

    async def program(box: Box) -> None:
        assert box.read("/opt/ml/checkpoints/old") == "1"
        box.write("/opt/ml/checkpoints/new", "2")
        while "ck/new" not in world.keys("s3://bucket/ck/"):
            await asyncio.sleep(0.05)
        box.write("/opt/ml/checkpoints/last", "3")

    await world.train(program, CheckpointConfig={"S3Uri": "s3://bucket/ck"})

    assert world.keys("s3://bucket/ck/") == ["ck/last", "ck/new", "ck/old"]


async def test_a_first_job_finds_no_checkpoints(world: World) -> None:
    outcome = await world.train(
        lambda box: box.write("/checkpoints/a", "1"),
        CheckpointConfig={"S3Uri": "s3://bucket/ck/", "LocalPath": "/checkpoints"},
    )

    assert isinstance(outcome, Succeeded), outcome
    assert world.keys("s3://bucket/ck/") == ["ck/a"]


async def test_pipe_mode_streams_the_objects_once_per_epoch(world: World) -> None:
    world.put("s3://bucket/train/a", "one\n")
    world.put("s3://bucket/train/b", "two\n")
    epochs: list[str] = []

    async def program(box: Box) -> None:
        pipes = [box.path(f"/opt/ml/input/data/train_{epoch}") for epoch in range(2)]
        epochs.extend([await asyncio.to_thread(pipe.read_text) for pipe in pipes])

    outcome = await world.train(
        program, InputDataConfig=[channel("train", "s3://bucket/train", InputMode="Pipe")]
    )

    assert isinstance(outcome, Succeeded), outcome
    assert epochs == ["one\ntwo\n"] * 2


async def test_a_pipe_nobody_reads_does_not_hold_the_job(world: World) -> None:
    world.put("s3://bucket/train/a", "x" * 1_000_000)

    async def program(box: Box) -> None:
        def peek() -> None:
            with box.path("/opt/ml/input/data/train_0").open("rb") as pipe:
                pipe.read(10)

        await asyncio.to_thread(peek)

    outcome = await world.train(
        program, InputDataConfig=[channel("train", "s3://bucket/train", InputMode="Pipe")]
    )

    assert isinstance(outcome, Succeeded), outcome
