"""Which containers a model has, from the catalog alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.values import JsonObject
from sagelocal_executors.faults import JobError, UnsupportedError
from sagelocal_executors.serving import ModelContainer, model_containers
from sagelocal_executors.serving_models import find_model, is_isolated

if TYPE_CHECKING:
    from tests.executors.conftest import World

PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/abalone/2"


def model(world: World, **members: Any) -> tuple[ModelContainer, ...]:
    world.catalog.put(Entity(Kind.MODEL, "m", 0.0, {"ModelName": "m", **members}))
    return model_containers(world.catalog, "m")


def package(world: World, **members: Any) -> None:
    describe: JsonObject = {"ModelPackageArn": PACKAGE, **members}
    world.catalog.put(Entity(Kind.MODEL_PACKAGE, "Abalone", 0.0, describe, version=2))


def source(uri: str, kind: str, compression: str) -> dict[str, Any]:
    return {"S3DataSource": {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}}


def test_a_primary_container_is_the_only_one(world: World) -> None:
    primary = {"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"A": "1"}}

    found = model(world, PrimaryContainer=primary)

    assert found == (ModelContainer("i", "s3://b/m.tar.gz", False, {"A": "1"}, "container-1"),)


def test_the_containers_of_a_pipeline_keep_their_order_and_their_names(world: World) -> None:
    found = model(
        world,
        Containers=[
            {"Image": "a", "ContainerHostname": "scaler"},
            {"Image": "b"},
            {"Image": "c", "ContainerHostname": "scaler"},
        ],
    )

    named = [(container.image, container.hostname) for container in found]
    assert named == [("a", "scaler"), ("b", "container-2"), ("c", "container-3")]
    assert {container.data for container in found} == {None}


@pytest.mark.parametrize(
    ("kind", "compression", "uncompressed"),
    [("S3Object", "Gzip", False), ("S3Object", "None", True), ("S3Prefix", "None", True)],
)
def test_a_model_data_source_says_whether_the_files_are_plain(
    world: World, kind: str, compression: str, uncompressed: bool
) -> None:
    primary = {"Image": "i", "ModelDataSource": source("s3://b/x", kind, compression)}

    [found] = model(world, PrimaryContainer=primary)

    assert (found.data, found.uncompressed) == ("s3://b/x", uncompressed)


def test_values_of_the_environment_are_texts(world: World) -> None:
    [found] = model(world, PrimaryContainer={"Image": "i", "Environment": {"A": 1, "B": True, "C": "x"}})

    assert found.env == {"A": "1", "B": "true", "C": "x"}


def test_a_model_package_brings_its_containers_and_the_model_its_environment(world: World) -> None:
    inner = [
        {"Image": "a", "ModelDataUrl": "s3://b/a.tar.gz", "Environment": {"A": "package", "B": "package"}},
        {"Image": "b"},
    ]
    package(world, InferenceSpecification={"Containers": inner})

    found = model(world, Containers=[{"ModelPackageName": PACKAGE, "Environment": {"B": "model"}}])

    assert found == (
        ModelContainer("a", "s3://b/a.tar.gz", False, {"A": "package", "B": "model"}, "container-1"),
        ModelContainer("b", None, False, {"B": "model"}, "container-2"),
    )


def test_an_additional_inference_specification_is_found_by_its_name(world: World) -> None:
    other = {"Name": "gpu", "Containers": [{"Image": "gpu-image"}]}
    package(
        world,
        InferenceSpecification={"Containers": [{"Image": "a"}]},
        AdditionalInferenceSpecifications=[other],
    )
    named = {"ModelPackageName": PACKAGE, "InferenceSpecificationName": "gpu"}

    [found] = model(world, PrimaryContainer=named)

    assert found.image == "gpu-image"
    with pytest.raises(JobError, match="no additional inference specification 'tpu'"):
        model(world, PrimaryContainer={**named, "InferenceSpecificationName": "tpu"})


def test_a_model_that_does_not_exist_is_named_with_the_nearest(world: World) -> None:
    model(world, PrimaryContainer={"Image": "i"})
    world.catalog.put(Entity(Kind.MODEL, "abalone-model", 0.0, {}))

    with pytest.raises(
        JobError, match=r'^ClientError: Could not find model "abalone-modle" \(did you mean abalone-model\?'
    ):
        model_containers(world.catalog, "abalone-modle")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"PrimaryContainer": {"Image": "i", "Mode": "MultiModel"}}, "Mode MultiModel is not supported"),
        ({"PrimaryContainer": {"ModelDataUrl": "s3://b/m"}}, "names no Image"),
        ({"PrimaryContainer": {"Image": "i", "AdditionalModelDataSources": [{}]}}, "AdditionalModelData"),
        (
            {
                "Containers": [{"Image": "a"}, {"Image": "b"}],
                "InferenceExecutionConfig": {"Mode": "Direct"},
            },
            "Mode Direct is not supported",
        ),
    ],
)
def test_what_is_not_served_here_is_refused_with_a_way_out(
    world: World, members: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UnsupportedError, match=rf"{expected}.*stub the step"):
        model(world, **members)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, "has no container"),
        ({"PrimaryContainer": {"ModelPackageName": "nowhere"}}, "Model package nowhere does not exist"),
        (
            {"PrimaryContainer": {"Image": "i", "ModelDataSource": source("s3://b/x", "S3Prefix", "Gzip")}},
            "Gzip goes with S3DataType S3Object",
        ),
    ],
)
def test_what_no_account_could_serve_is_refused(world: World, members: dict[str, Any], expected: str) -> None:
    with pytest.raises(JobError, match=expected):
        model(world, **members)


def test_one_container_may_be_invoked_directly(world: World) -> None:
    config = {"InferenceExecutionConfig": {"Mode": "Direct"}}

    assert len(model(world, Containers=[{"Image": "a"}], **config)) == 1


def test_isolation_is_the_models(world: World) -> None:
    found = []
    for members in ({}, {"EnableNetworkIsolation": False}, {"EnableNetworkIsolation": True}):
        model(world, PrimaryContainer={"Image": "i"}, **members)
        found.append(is_isolated(find_model(world.catalog, "m")))

    assert found == [False, False, True]
