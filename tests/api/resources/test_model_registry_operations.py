"""The model registry, as scripts and the SDKs use it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

PREFIX = "arn:aws:sagemaker:us-east-1:000000000000:"


@pytest.fixture(name="group")
async def _group(sage: Any) -> str:
    await sage.call(
        "create_model_package_group",
        ModelPackageGroupName="Wine",
        ModelPackageGroupDescription="all of them",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    return "Wine"


async def _version(sage: Any, make: Any, **more: Any) -> str:
    answer = await sage.call("create_model_package", ModelPackageGroupName="Wine", **make.package(**more))
    return str(answer["ModelPackageArn"])


async def test_a_group_is_described_by_name_and_arn(sage: Any, group: str) -> None:
    arn = f"{PREFIX}model-package-group/wine"
    for name in (group, arn):
        told = await sage.call("describe_model_package_group", ModelPackageGroupName=name)
        assert told["ModelPackageGroupArn"] == arn
        assert told["ModelPackageGroupDescription"] == "all of them"
        assert told["ModelPackageGroupStatus"] == "Completed"
    assert (await sage.call("list_tags", ResourceArn=arn))["Tags"] == [{"Key": "a", "Value": "b"}]
    listed = await sage.call("list_model_package_groups", NameContains="win")
    assert [each["ModelPackageGroupName"] for each in listed["ModelPackageGroupSummaryList"]] == ["Wine"]
    other = await sage.call("list_model_package_groups", CrossAccountFilterOption="CrossAccount")
    assert other["ModelPackageGroupSummaryList"] == []


async def test_versions_are_counted_approved_and_found(sage: Any, make: Any, group: str) -> None:
    first = await _version(sage, make)
    second = await _version(sage, make, ModelApprovalStatus="Approved", CustomerMetadataProperties={"x": "1"})
    assert [first, second] == [f"{PREFIX}model-package/wine/{number}" for number in (1, 2)]
    told = await sage.call("describe_model_package", ModelPackageName=second)
    assert (told["ModelPackageVersion"], told["ModelApprovalStatus"]) == (2, "Approved")
    assert told["ModelPackageStatus"] == "Completed"
    await sage.call(
        "update_model_package",
        ModelPackageArn=first,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"y": "2", "z": "3"},
    )
    await sage.call("update_model_package", ModelPackageArn=first, CustomerMetadataPropertiesToRemove=["z"])
    told = await sage.call("describe_model_package", ModelPackageName=first)
    assert (told["ModelApprovalStatus"], told["ApprovalDescription"]) == ("Approved", "good")
    assert told["CustomerMetadataProperties"] == {"y": "2"}
    assert told["LastModifiedTime"] >= told["CreationTime"]
    await sage.call("update_model_package", ModelPackageArn=second, ModelApprovalStatus="Rejected")

    async def versions(**request: Any) -> list[int]:
        answer = await sage.call("list_model_packages", ModelPackageGroupName="Wine", **request)
        return [each["ModelPackageVersion"] for each in answer["ModelPackageSummaryList"]]

    assert await versions() == [2, 1]
    assert await versions(SortBy="CreationTime", SortOrder="Ascending") == [1, 2]
    assert await versions(ModelApprovalStatus="Approved") == [1]
    assert await versions(ModelPackageType="Unversioned") == []
    assert await versions(MaxResults=1) == [2]


async def test_a_package_may_stand_alone(sage: Any, make: Any, group: str) -> None:
    await _version(sage, make)
    answer = await sage.call("create_model_package", ModelPackageName="Alone", **make.package(), Tags=_TAGS)
    assert answer["ModelPackageArn"] == f"{PREFIX}model-package/alone"
    assert (await sage.call("list_tags", ResourceArn=answer["ModelPackageArn"]))["Tags"] == _TAGS
    for name in ("Alone", answer["ModelPackageArn"]):
        told = await sage.call("describe_model_package", ModelPackageName=name)
        assert told["ModelPackageName"] == "Alone"
        assert "ModelPackageVersion" not in told
    names = {}
    for kind in ("Unversioned", "Versioned", "Both"):
        listed = await sage.call("list_model_packages", ModelPackageType=kind)
        names[kind] = [
            each["ModelPackageArn"].rpartition("model-package/")[2]
            for each in listed["ModelPackageSummaryList"]
        ]
    assert names == {"Unversioned": ["alone"], "Versioned": ["wine/1"], "Both": ["alone", "wine/1"]}


_TAGS = [{"Key": "k", "Value": "v"}]


async def test_the_number_of_a_deleted_version_is_not_given_again(sage: Any, make: Any, group: str) -> None:
    await sage.call("delete_model_package", ModelPackageName=await _version(sage, make))
    assert await _version(sage, make) == f"{PREFIX}model-package/wine/2"


async def test_a_repeated_request_makes_one_version(sage: Any, make: Any, group: str) -> None:
    arns = [await _version(sage, make, ClientToken="a" * 36) for _ in range(2)]
    assert arns[0] == arns[1]


async def test_many_packages_are_described_at_once(sage: Any, make: Any, group: str) -> None:
    arn, none = await _version(sage, make), f"{PREFIX}model-package/wine/9"
    answer = await sage.call("batch_describe_model_package", ModelPackageArnList=[arn, none])
    assert set(answer["ModelPackageSummaries"]) == {arn}
    assert answer["BatchDescribeModelPackageErrorMap"][none] == {
        "ErrorCode": "ValidationException",
        "ErrorResponse": f"ModelPackage {none} does not exist.",
    }


async def test_a_group_keeps_a_policy(sage: Any, group: str) -> None:
    by = {"ModelPackageGroupName": group}
    with pytest.raises(ClientError, match=r"Cannot find resource policy for: .*model-package-group/wine"):
        await sage.call("get_model_package_group_policy", **by)
    await sage.call("put_model_package_group_policy", **by, ResourcePolicy='{"Statement": []}')
    told = await sage.call("get_model_package_group_policy", **by)
    assert told == {"ResourcePolicy": '{"Statement": []}'}
    await sage.call("delete_model_package_group_policy", **by)
    with pytest.raises(ClientError, match=r"Cannot find resource policy"):
        await sage.call("delete_model_package_group_policy", **by)
    with pytest.raises(ClientError, match=r"Cannot find Model Package Group: .*/none"):
        await sage.call("get_model_package_group_policy", ModelPackageGroupName="none")


async def test_what_the_service_says_about_the_registry(sage: Any, make: Any, group: str) -> None:
    with pytest.raises(
        ClientError, match=r"ValidationException.*Model Package Group already exists: arn:.*/wine"
    ):
        await sage.call("create_model_package_group", ModelPackageGroupName="Wine")
    none = "ValidationException.*ModelPackageGroup arn:.*model-package-group/none does not exist"
    for operation in ("describe_model_package_group", "delete_model_package_group", "list_model_packages"):
        with pytest.raises(ClientError, match=none):
            await sage.call(operation, ModelPackageGroupName="none")
    with pytest.raises(ClientError, match=none):
        await sage.call("create_model_package", ModelPackageGroupName="none", **make.package())
    arn = await _version(sage, make)
    with pytest.raises(ClientError, match=r"ConflictException.*has model packages"):
        await sage.call("delete_model_package_group", ModelPackageGroupName="Wine")
    await sage.call("delete_model_package", ModelPackageName=arn)
    missing = r"ValidationException.*ModelPackage arn:.*wine/1 does not exist\."
    for operation in ("describe_model_package", "delete_model_package"):
        with pytest.raises(ClientError, match=missing):
            await sage.call(operation, ModelPackageName=arn)
    with pytest.raises(ClientError, match=missing):
        await sage.call("update_model_package", ModelPackageArn=arn, ModelApprovalStatus="Approved")
    await sage.call("delete_model_package_group", ModelPackageGroupName="Wine")
    assert (await sage.call("list_model_package_groups"))["ModelPackageGroupSummaryList"] == []


async def test_what_the_service_says_about_names_of_packages(sage: Any, make: Any, group: str) -> None:
    with pytest.raises(
        ClientError, match=r"ValidationException.*Both ModelPackageName and ModelPackageGroupName"
    ):
        await _version(sage, make, ModelPackageName="x")
    with pytest.raises(ClientError, match=r"ValidationException.*Missing ARN\."):
        await sage.call("create_model_package", **make.package())
    with pytest.raises(ClientError, match=r"ValidationException.*Tags cannot be given"):
        await _version(sage, make, Tags=_TAGS)
    await sage.call("create_model_package", ModelPackageName="x", **make.package())
    with pytest.raises(
        ClientError, match=r"ValidationException.*ModelPackage already exists: .*model-package/x"
    ):
        await sage.call("create_model_package", ModelPackageName="x", **make.package())
