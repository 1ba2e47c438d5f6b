"""STS and IAM, as set-up scripts and the SDKs use them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.surroundings.conftest import World

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"


async def test_the_caller_is_in_the_account_of_the_settings_and_acts_as_a_role(world: World) -> None:
    identity = await world.call("sts", "get_caller_identity")

    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/sagelocal/local"
    assert identity["UserId"].startswith("AROA")


async def test_whoever_has_assumed_a_role_is_that_role(
    world: World, client_for: Callable[..., object]
) -> None:
    role = "arn:aws:iam::111122223333:role/service-role/Trainer"
    assumed = await world.call("sts", "assume_role", RoleArn=role, RoleSessionName="me")
    client = world.client("sts")
    client._request_signer._credentials.access_key = assumed["Credentials"]["AccessKeyId"]

    identity = await world.call("sts", "get_caller_identity")

    assert identity["Arn"] == assumed["AssumedRoleUser"]["Arn"]
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/Trainer/me"
    assert identity["Account"] == "111122223333"


async def test_credentials_have_the_right_form_and_say_that_they_open_nothing(world: World) -> None:
    answer = await world.call("sts", "get_session_token", DurationSeconds=900)

    credentials = answer["Credentials"]
    assert len(credentials["AccessKeyId"]) == 20
    assert len(credentials["SecretAccessKey"]) == 40
    assert "open/nothing" in credentials["SecretAccessKey"]
    assert credentials["Expiration"].timestamp() == world.clock.now() + 900


async def test_a_role_arn_that_is_none_is_refused(world: World) -> None:
    told = await world.refused(
        "sts", "assume_role", RoleArn="arn:aws:iam::1:group/wrong", RoleSessionName="me"
    )

    assert told == "ValidationError: arn:aws:iam::1:group/wrong is invalid"


async def test_missing_and_wrong_members_are_told_as_aws_does(world: World) -> None:
    told = await world.refused("sts", "assume_role", RoleArn="x", DurationSeconds=1)

    assert told.startswith("ValidationError: 3 validation errors detected: ")
    assert "Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null" in told
    assert (
        "'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
        in told
    )


async def test_a_role_that_nobody_has_created_trusts_sagemaker(world: World) -> None:
    role = (await world.call("iam", "get_role", RoleName="TeamRole"))["Role"]

    services = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/TeamRole"
    assert "sagemaker.amazonaws.com" in services
    assert (await world.call("iam", "list_roles"))["Roles"] == []


async def test_a_role_is_created_shown_and_deleted(world: World) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    created = await world.call(
        "iam",
        "create_role",
        RoleName="R",
        AssumeRolePolicyDocument=TRUST,
        Path="/mine/",
        Tags=tags,
        Description="d",
    )

    found = (await world.call("iam", "get_role", RoleName="R"))["Role"]

    assert found == created["Role"]
    assert found["Arn"] == "arn:aws:iam::123456789012:role/mine/R"
    assert found["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert (found["Tags"], found["Description"], found["MaxSessionDuration"]) == (tags, "d", 3600)
    assert [role["RoleName"] for role in (await world.call("iam", "list_roles"))["Roles"]] == ["R"]
    assert (await world.refused("iam", "create_role", RoleName="r", AssumeRolePolicyDocument=TRUST)) == (
        "EntityAlreadyExists: Role with name r already exists."
    )
    await world.call("iam", "delete_role", RoleName="R")
    assert (await world.refused("iam", "delete_role", RoleName="R")) == (
        "NoSuchEntity: The role with name R cannot be found."
    )


async def test_a_role_keeps_its_policies_and_goes_only_without_them(world: World) -> None:
    """What the SDK's get_execution_role(use_default=True) does: no CreateRole, as GetRole has answered."""
    await world.call("iam", "attach_role_policy", RoleName="Default", PolicyArn=FULL_ACCESS)
    await world.call("iam", "put_role_policy", RoleName="Default", PolicyName="own", PolicyDocument=TRUST)

    attached = await world.call("iam", "list_attached_role_policies", RoleName="Default")
    own = await world.call("iam", "get_role_policy", RoleName="Default", PolicyName="own")

    assert attached["AttachedPolicies"] == [
        {"PolicyName": "AmazonSageMakerFullAccess", "PolicyArn": FULL_ACCESS}
    ]
    assert own["PolicyDocument"] == json.loads(TRUST)
    assert (await world.call("iam", "list_role_policies", RoleName="Default"))["PolicyNames"] == ["own"]
    assert (await world.refused("iam", "delete_role", RoleName="Default")).startswith("DeleteConflict")
    await world.call("iam", "detach_role_policy", RoleName="Default", PolicyArn=FULL_ACCESS)
    assert (await world.refused("iam", "delete_role", RoleName="Default")).startswith("DeleteConflict")
    await world.call("iam", "delete_role_policy", RoleName="Default", PolicyName="own")
    await world.call("iam", "delete_role", RoleName="Default")


async def test_what_a_role_has_not_cannot_be_read_or_taken_away(world: World) -> None:
    for operation, member in (
        ("get_role_policy", {"PolicyName": "p"}),
        ("delete_role_policy", {"PolicyName": "p"}),
        ("detach_role_policy", {"PolicyArn": FULL_ACCESS}),
    ):
        assert (await world.refused("iam", operation, RoleName="R", **member)).startswith("NoSuchEntity")


async def test_a_role_can_be_changed(world: World) -> None:
    await world.call("iam", "update_assume_role_policy", RoleName="R", PolicyDocument=TRUST)
    await world.call("iam", "update_role", RoleName="R", Description="new", MaxSessionDuration=7200)
    await world.call(
        "iam", "tag_role", RoleName="R", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    )
    await world.call("iam", "untag_role", RoleName="R", TagKeys=["a"])

    role = (await world.call("iam", "get_role", RoleName="R"))["Role"]

    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 7200)
    assert (await world.call("iam", "list_role_tags", RoleName="R"))["Tags"] == [{"Key": "b", "Value": "2"}]


async def test_a_policy_of_ones_own_is_created_and_attached(world: World) -> None:
    created = await world.call("iam", "create_policy", PolicyName="P", PolicyDocument=TRUST)
    arn = created["Policy"]["Arn"]

    await world.call("iam", "attach_role_policy", RoleName="R", PolicyArn=arn)

    assert arn == "arn:aws:iam::123456789012:policy/P"
    assert (await world.call("iam", "get_policy", PolicyArn=arn))["Policy"]["PolicyName"] == "P"
    assert (await world.refused("iam", "create_policy", PolicyName="P", PolicyDocument=TRUST)).startswith(
        "EntityAlreadyExists"
    )
    assert (await world.call("iam", "list_policies", Scope="Local"))["Policies"][0]["Arn"] == arn
    assert (await world.refused("iam", "attach_role_policy", RoleName="R", PolicyArn=f"{arn}x")) == (
        f"NoSuchEntity: Policy {arn}x was not found."
    )
    await world.call("iam", "delete_policy", PolicyArn=arn)
    assert (await world.refused("iam", "get_policy", PolicyArn=arn)).startswith("NoSuchEntity")


async def test_a_policy_has_up_to_five_versions_of_which_one_counts(world: World) -> None:
    arn = (await world.call("iam", "create_policy", PolicyName="P", PolicyDocument=TRUST))["Policy"]["Arn"]
    other = json.dumps({"Statement": [{"Effect": "Deny"}]})
    for number in range(2, 6):
        made = await world.call(
            "iam", "create_policy_version", PolicyArn=arn, PolicyDocument=other, SetAsDefault=number == 3
        )
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    many = await world.refused("iam", "create_policy_version", PolicyArn=arn, PolicyDocument=other)

    policy = (await world.call("iam", "get_policy", PolicyArn=arn))["Policy"]
    version = (await world.call("iam", "get_policy_version", PolicyArn=arn, VersionId="v3"))["PolicyVersion"]
    versions = await world.pages("iam", "list_policy_versions", "Versions", PolicyArn=arn)

    assert many.startswith("LimitExceeded")
    assert policy["DefaultVersionId"] == "v3"
    assert version["Document"] == json.loads(other)
    assert [(each["VersionId"], each["IsDefaultVersion"]) for each in versions] == [
        ("v1", False),
        ("v2", False),
        ("v3", True),
        ("v4", False),
        ("v5", False),
    ]
    for refused in ("delete_policy", "delete_policy_version"):
        extra = {"VersionId": "v3"} if refused.endswith("version") else {}
        assert (await world.refused("iam", refused, PolicyArn=arn, **extra)).startswith("DeleteConflict")
    await world.call("iam", "set_default_policy_version", PolicyArn=arn, VersionId="v1")
    for number in range(2, 6):
        await world.call("iam", "delete_policy_version", PolicyArn=arn, VersionId=f"v{number}")
    assert (await world.refused("iam", "get_policy_version", PolicyArn=arn, VersionId="v3")).startswith(
        "NoSuchEntity"
    )
    await world.call("iam", "delete_policy", PolicyArn=arn)


async def test_everything_is_allowed(world: World) -> None:
    """The SDK v3 asks, in pages, before it uses a role."""
    actions = ["s3:GetObject", "sagemaker:CreateTrainingJob"]

    found = await world.pages(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn="arn:aws:iam::123456789012:role/R",
        ActionNames=actions,
    )

    assert [(each["EvalActionName"], each["EvalDecision"]) for each in found] == [
        (action, "allowed") for action in actions
    ]


@pytest.mark.parametrize("document", ["{", "[]", "{}", '{"Statement": []}'])
async def test_a_document_that_is_no_policy_is_refused(world: World, document: str) -> None:
    told = await world.refused("iam", "create_role", RoleName="R", AssumeRolePolicyDocument=document)

    assert told.startswith("MalformedPolicyDocument")


async def test_roles_come_in_pages(world: World) -> None:
    names = [f"role-{number}" for number in range(5)]
    for name in reversed(names):
        await world.call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=TRUST)

    assert [role["RoleName"] for role in await world.pages("iam", "list_roles", "Roles")] == names
    assert (await world.refused("iam", "list_roles", Marker="?")) == "ValidationError: Invalid Marker."


async def test_an_operation_of_iam_that_is_not_ours_is_named_with_a_way_out(world: World) -> None:
    told = await world.refused("iam", "list_users")

    assert told.startswith("NotImplemented: iam: ListUsers is not served yet by sagelocal, which serves ")
    assert "AWS_ENDPOINT_URL_<SERVICE>" in told
