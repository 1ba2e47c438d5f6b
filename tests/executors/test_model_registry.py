"""Models, model packages, and the catalogue that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.database import open_database
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Succeeded
from sagelocal_executors.models import ModelExecutor, RegisterModelExecutor
from sagelocal_executors.overrides import Overridden

if TYPE_CHECKING:
    from pathlib import Path

    from tests.executors.conftest import World

    CheckShape = Callable[[str, Mapping[str, Any]], None]

DATA = "s3://bucket/model.tar.gz"
ROLE = "arn:aws:iam::000000000000:role/any"


def job(kind: StepType, arguments: dict[str, Any], name: str = "pipelines-x-Step") -> Job:
    return Job("arn", "Step", kind, 1, name, arguments)


async def create(world: World, **arguments: Any) -> Outcome:
    executor = ModelExecutor(world.catalog, world.objects, world.partition, world.clock)
    return await executor.run(job(StepType.MODEL, {"ExecutionRoleArn": ROLE, **arguments}))


async def register(world: World, *, create_groups: bool = True, **arguments: Any) -> Outcome:
    executor = RegisterModelExecutor(world.catalog, world.partition, world.clock, create_groups)
    containers = [{"Image": "i", "ModelDataUrl": DATA, "Environment": {"A": 1}}]
    specification = {
        "Containers": containers,
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return await executor.run(
        job(StepType.REGISTER_MODEL, {"InferenceSpecification": specification, **arguments})
    )


async def test_a_model_is_recorded_as_the_api_describes_it(world: World, check_shape: CheckShape) -> None:
    world.put(DATA)
    container = {"Image": "i", "ModelDataUrl": DATA, "Environment": {"N": 3}}
    outcome = await create(world, PrimaryContainer=container, Tags=[{"Key": "a", "Value": "b"}])

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_shape("DescribeModelOutput", answer)
    assert answer["PrimaryContainer"]["Environment"] == {"N": "3"}
    recorded = world.catalog.get(Kind.MODEL, "pipelines-x-Step")
    assert recorded is not None
    assert recorded.describe == answer


@pytest.mark.parametrize("member", ["PrimaryContainer", "Containers"])
async def test_a_model_without_its_data_is_rejected(world: World, member: str) -> None:
    world.put("s3://bucket/model.tar.gz.old")
    container: Any = {"Image": "i", "ModelDataUrl": DATA}
    outcome = await create(world, **{member: [container] if member == "Containers" else container})

    assert isinstance(outcome, Failed)
    assert f"Could not find model data at {DATA}" in outcome.reason
    assert outcome.error == "ClientError"
    assert world.catalog.list(Kind.MODEL) == ()


async def test_the_data_of_a_multi_model_is_a_folder(world: World) -> None:
    world.put("s3://bucket/models/a.tar.gz")
    container = {"Image": "i", "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/models/"}

    assert isinstance(await create(world, PrimaryContainer=container), Succeeded)


async def test_versions_of_a_group_count_from_one(world: World, check_shape: CheckShape) -> None:
    answers: list[Any] = []
    for _ in range(3):
        outcome = await register(world, ModelPackageGroupName="MyGroup", SkipModelValidation="None")
        assert isinstance(outcome, Succeeded)
        check_shape("DescribeModelPackageOutput", outcome.properties)
        answers.append(outcome.properties)

    assert [answer["ModelPackageVersion"] for answer in answers] == [1, 2, 3]
    assert answers[2]["ModelPackageArn"] == "arn:aws:sagemaker:us-east-1:000000000000:model-package/mygroup/3"
    assert answers[0]["ModelApprovalStatus"] == "PendingManualApproval"
    group = world.catalog.get(Kind.MODEL_PACKAGE_GROUP, "MyGroup")
    assert group is not None
    check_shape("DescribeModelPackageGroupOutput", group.describe)


async def test_a_group_may_be_named_by_its_arn_and_approval_given(world: World) -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/group"
    outcome = await register(world, ModelPackageGroupName=arn, ModelApprovalStatus="Approved")

    assert isinstance(outcome, Succeeded)
    assert outcome.properties["ModelPackageGroupName"] == "group"
    assert outcome.properties["ModelApprovalStatus"] == "Approved"


async def test_a_missing_group_fails_when_groups_are_not_made(world: World) -> None:
    outcome = await register(world, create_groups=False, ModelPackageGroupName="g")

    assert isinstance(outcome, Failed)
    assert "create_model_package_groups" in outcome.reason


async def test_a_package_without_a_group_has_no_version(world: World, check_shape: CheckShape) -> None:
    outcome = await register(world)

    assert isinstance(outcome, Succeeded)
    check_shape("DescribeModelPackageOutput", outcome.properties)
    assert "ModelPackageVersion" not in outcome.properties


async def test_a_model_may_be_made_of_a_registered_package(world: World) -> None:
    outcome = await register(world, ModelPackageGroupName="Group")
    assert isinstance(outcome, Succeeded)
    arn = outcome.properties["ModelPackageArn"]

    assert isinstance(await create(world, PrimaryContainer={"ModelPackageName": arn}), Succeeded)
    assert isinstance(await create(world, PrimaryContainer={"ModelPackageName": f"{arn}0"}), Failed)


async def test_given_properties_are_merged_over_a_success(world: World) -> None:
    world.put(DATA)
    executor = ModelExecutor(world.catalog, world.objects, world.partition, world.clock)
    given = Overridden(executor, lambda step: {"PrimaryContainer": {"Image": step}, "Extra": 1})
    outcome = await given.run(job(StepType.MODEL, {"PrimaryContainer": {"Image": "i", "ModelDataUrl": DATA}}))

    assert isinstance(outcome, Succeeded)
    assert outcome.properties["PrimaryContainer"] == {"Image": "Step", "ModelDataUrl": DATA}
    assert outcome.properties["Extra"] == 1


def test_the_number_of_a_deleted_version_is_not_given_again(world: World) -> None:
    for _ in range(2):
        world.catalog.add_version("g", 1.0, lambda version: {"v": version})

    assert world.catalog.delete(Kind.MODEL_PACKAGE, "g", 2)
    assert not world.catalog.delete(Kind.MODEL_PACKAGE, "g", 2)
    assert world.catalog.add_version("g", 1.0, lambda version: {"v": version}).describe == {"v": 3}
    assert [entity.version for entity in world.catalog.list(Kind.MODEL_PACKAGE, "g")] == [1, 3]


def test_a_version_that_cannot_be_described_takes_no_number(world: World) -> None:
    def refuse(_: int) -> dict[str, Any]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        world.catalog.add_version("g", 1.0, refuse)

    assert world.catalog.add_version("g", 1.0, lambda version: {"v": version}).version == 1


def test_the_catalogue_outlives_its_process(tmp_path: Path) -> None:
    job_record = Entity(Kind.TRAINING_JOB, "job", 2.0, {"TrainingJobName": "job"})
    connection = open_database(tmp_path / "state.db")
    Catalog(connection).put(job_record)
    connection.close()
    again = open_database(tmp_path / "state.db")

    assert Catalog(again).list(Kind.TRAINING_JOB) == (job_record,)
    again.close()
