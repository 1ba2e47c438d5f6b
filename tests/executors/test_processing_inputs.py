"""Inputs of processing jobs: what of S3 a container finds where."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Succeeded

if TYPE_CHECKING:
    from tests.executors.conftest import Box, World

    CheckShape = Callable[[str, Mapping[str, Any]], None]

IN = "/opt/ml/processing/input"
OUT = "/opt/ml/processing/output"


def input_of(uri: str, path: str = IN, **keys: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File", **keys}
    return {"InputName": "data", "AppManaged": False, "S3Input": s3}


def output_to(uri: str, path: str = OUT, mode: str = "EndOfJob", name: str = "result") -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3UploadMode": mode}
    return {"OutputName": name, "AppManaged": False, "S3Output": s3}


def outputs(*items: dict[str, Any]) -> dict[str, Any]:
    return {"ProcessingOutputConfig": {"Outputs": list(items)}}


async def seen(world: World, *inputs: dict[str, Any]) -> list[str]:
    """The files that the container finds below its input folder."""
    found: list[list[str]] = []

    def program(box: Box) -> None:
        found.append(box.files(IN))

    outcome = await world.process(program, ProcessingInputs=list(inputs))
    assert isinstance(outcome, Succeeded), outcome
    return found[0]


async def test_one_object_lies_below_the_local_path_under_its_own_name(world: World) -> None:
    world.put("s3://bucket/code/run.py")
    world.put("s3://bucket/code/run.py.bak")

    assert await seen(world, input_of("s3://bucket/code/run.py")) == ["run.py"]


@pytest.mark.parametrize("uri", ["s3://bucket/data/train", "s3://bucket/data/train/"])
async def test_a_folder_keeps_the_paths_below_it(world: World, uri: str) -> None:
    world.put("s3://bucket/data/train/x.csv")
    world.put("s3://bucket/data/train/sub/y.csv")

    assert await seen(world, input_of(uri)) == ["sub/y.csv", "x.csv"]


async def test_a_prefix_that_ends_in_a_name_takes_all_that_begin_so(world: World) -> None:
    world.put("s3://bucket/data/train/x")
    world.put("s3://bucket/data/trx")
    world.put("s3://bucket/data/other")

    assert await seen(world, input_of("s3://bucket/data/tr")) == ["train/x", "trx"]


async def test_a_folder_of_the_store_is_overlaid_not_copied(world: World) -> None:
    world.put("s3://bucket/data/x")
    overlaid = []
    await world.process(
        lambda box: overlaid.append(box.overlaid(IN)), ProcessingInputs=[input_of("s3://bucket/data")]
    )

    assert overlaid == [True]


async def test_an_input_inside_an_output_leaves_the_store_alone(world: World) -> None:
    world.put("s3://bucket/data/x", "before")

    def program(box: Box) -> None:
        box.write(f"{OUT}/x", "after")

    await world.process(
        program, ProcessingInputs=[input_of("s3://bucket/data", OUT)], **outputs(output_to("s3://bucket/out"))
    )

    assert (world.get("s3://bucket/data/x"), world.get("s3://bucket/out/x")) == (b"before", b"after")


async def test_a_manifest_names_the_objects(world: World) -> None:
    world.put("s3://bucket/raw/a")
    world.put("s3://bucket/raw/sub/b")
    world.put("s3://bucket/raw/not-listed")
    world.put("s3://bucket/m.json", json.dumps([{"prefix": "s3://bucket/raw/"}, "a", "sub/b"]))

    assert await seen(world, input_of("s3://bucket/m.json", S3DataType="ManifestFile")) == ["a", "sub/b"]


async def test_sharded_objects_are_split_over_the_hosts(world: World) -> None:
    for name in "abcde":
        world.put(f"s3://bucket/data/{name}")
    shares: dict[str, list[str]] = {}

    def program(box: Box) -> None:
        shares[box.spec.hostname] = box.files(IN)

    await world.process(
        program,
        ProcessingInputs=[input_of("s3://bucket/data", S3DataDistributionType="ShardedByS3Key")],
        ProcessingResources=cluster(2),
    )

    assert sorted(shares["algo-1"] + shares["algo-2"]) == list("abcde")
    assert {2, 3} == {len(share) for share in shares.values()}


def cluster(count: int) -> dict[str, Any]:
    return {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}}


async def test_an_input_without_objects_fails_and_names_what_is_near(world: World) -> None:
    world.put("s3://bucket/data/train/x")
    outcome = await world.process(lambda _: None, ProcessingInputs=[input_of("s3://bucket/data/trian")])

    assert isinstance(outcome, Failed)
    assert outcome.error == "ClientError"
    assert outcome.reason.startswith(
        'ClientError: Data download failed: no S3 objects found under "s3://bucket/data/trian"'
    )
    assert '"s3://bucket/data/train/"' in outcome.reason
    assert "sagelocal.toml" in outcome.reason


async def test_a_stubbed_step_goes_on_without_what_it_lacks(world: World) -> None:
    inputs = [input_of("s3://bucket/nothing"), {"InputName": "athena", "DatasetDefinition": {}}]
    executor = replace(world.processing(lambda _: None), stubbed=lambda step: step == "Step")
    outcome = await executor.run(world.processing_job(ProcessingInputs=inputs))

    assert isinstance(outcome, Succeeded)
    assert "goes on without" in world.log()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"ProcessingInputs": [{"InputName": "d", "DatasetDefinition": {"LocalPath": IN}}]},
            "DatasetDefinition",
        ),
        ({"ProcessingInputs": [input_of("s3://bucket/x", S3InputMode="Pipe")]}, "S3InputMode 'Pipe'"),
        (
            {"ProcessingInputs": [input_of("s3://bucket/x", S3InputMode="FastFile")]},
            "enum value set: [Pipe, File]",
        ),
        ({"ProcessingInputs": [input_of("s3://bucket/x", "/somewhere")]}, "not below /opt/ml/processing"),
        ({"ProcessingInputs": [input_of("bucket/x")]}, "is not an S3 URI"),
        (outputs({"OutputName": "f", "FeatureStoreOutput": {"FeatureGroupName": "g"}}), "FeatureStoreOutput"),
        ({"AppSpecification": {}}, "ImageUri"),
    ],
)
async def test_a_request_that_cannot_be_served_says_which_member(
    world: World, arguments: dict[str, Any], text: str
) -> None:
    outcome = await world.process(lambda _: None, **arguments)

    assert isinstance(outcome, Failed)
    assert text in outcome.reason
    assert outcome.reason.startswith("ClientError: ")
    assert outcome.properties == {}
