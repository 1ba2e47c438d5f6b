"""Operations on groups of model packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.named import Named, Refusal, tag
from sagelocal.cloud.catalog import Kind
from sagelocal.cloud.registry import new_group
from sagelocal.engine import Engine
from sagelocal.errors import ConflictError
from sagelocal.values import JsonObject

GROUPS: Final = Named(
    Kind.MODEL_PACKAGE_GROUP,
    "ModelPackageGroup",
    Refusal("ValidationException", "ModelPackageGroup {arn} does not exist."),
    # The SDKs look for the words "already exists".
    Refusal("ValidationException", "Model Package Group already exists: {arn}"),
)
_LISTING: Final = Listing(
    "ModelPackageGroupSummaryList",
    "ModelPackageGroupSummary",
    "ModelPackageGroupName",
    "ModelPackageGroupName",
)
_POLICY: Final = "ResourcePolicy"


def create(engine: Engine, request: Request) -> JsonObject:
    """CreateModelPackageGroup."""
    name = request["ModelPackageGroupName"]
    arn = GROUPS.arn(engine, name)
    if GROUPS.find(engine, name) is not None:
        raise GROUPS.taken.of(name, arn)
    said = {key: value for key, value in request.items() if key != "Tags"}
    engine.catalog.put(new_group(engine.partition, name, engine.clock.now(), said))
    tag(engine, arn, request)
    return {"ModelPackageGroupArn": arn}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeModelPackageGroup, by name or ARN."""
    return described("DescribeModelPackageGroup", get(engine, request["ModelPackageGroupName"]))


def list_groups(engine: Engine, request: Request) -> JsonObject:
    """ListModelPackageGroups; none of them is another account's."""
    own = request.get("CrossAccountFilterOption", "SameAccount") == "SameAccount"
    return _LISTING.answer(request, GROUPS.all(engine) if own else [])


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteModelPackageGroup; its packages must be gone."""
    record = get(engine, request["ModelPackageGroupName"])
    name = str(record["ModelPackageGroupName"])
    packages = engine.catalog.list(Kind.MODEL_PACKAGE, name)
    if any(package.version for package in packages):
        arn = record["ModelPackageGroupArn"]
        message = f"Model Package Group {arn} has model packages: delete them before."
        raise ConflictError(message)
    GROUPS.delete(engine, name)
    return {}


def put_policy(engine: Engine, request: Request) -> JsonObject:
    """PutModelPackageGroupPolicy; it is kept, and acted upon by nobody."""
    record = _with_policy(engine, request)
    GROUPS.put(engine, {**record, _POLICY: request[_POLICY]})
    return {"ModelPackageGroupArn": record["ModelPackageGroupArn"]}


def get_policy(engine: Engine, request: Request) -> JsonObject:
    """GetModelPackageGroupPolicy."""
    record = _with_policy(engine, request)
    if _POLICY not in record:
        message = f"Cannot find resource policy for: {record['ModelPackageGroupArn']}"
        raise ApiError("ValidationException", message)
    return {_POLICY: record[_POLICY]}


def delete_policy(engine: Engine, request: Request) -> JsonObject:
    """DeleteModelPackageGroupPolicy."""
    get_policy(engine, request)
    record = _with_policy(engine, request)
    GROUPS.put(engine, {name: value for name, value in record.items() if name != _POLICY})
    return {}


def get(engine: Engine, name: str) -> JsonObject:
    """The group of that name or ARN, in which its name is lower-cased.

    Raises:
        ApiError: there is none.
    """
    if name.startswith("arn:"):
        of_arn = (each for each in GROUPS.all(engine) if each["ModelPackageGroupArn"] == name.lower())
        found = next(of_arn, None)
        if found is None:
            raise GROUPS.absent.of("", name)
        return found
    return GROUPS.get(engine, name)


def _with_policy(engine: Engine, request: Request) -> JsonObject:
    name = request["ModelPackageGroupName"]
    record = GROUPS.find(engine, name)
    if record is None:
        message = f"Cannot find Model Package Group: {GROUPS.arn(engine, name)}"
        raise ApiError("ValidationException", message)
    return record


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateModelPackageGroup": create,
    "DeleteModelPackageGroup": delete,
    "DeleteModelPackageGroupPolicy": delete_policy,
    "DescribeModelPackageGroup": describe,
    "GetModelPackageGroupPolicy": get_policy,
    "ListModelPackageGroups": list_groups,
    "PutModelPackageGroupPolicy": put_policy,
}
