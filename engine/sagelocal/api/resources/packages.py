"""Operations on model packages, whether they are versions in a group or stand alone."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources import package_groups
from sagelocal.api.resources.answers import described, shaped
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.made import made
from sagelocal.api.resources.named import Refusal, tag
from sagelocal.clock import iso
from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.cloud.registry import find_package
from sagelocal.definition.steps import StepType
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject

_ABSENT: Final = Refusal("ValidationException", "ModelPackage {arn} does not exist.")
_TAKEN: Final = Refusal("ValidationException", "ModelPackage already exists: {arn}")
_BOTH: Final = "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to use."
_NEITHER: Final = "Missing ARN."
_TAGGED: Final = "Tags cannot be given to a version of a model package group: it has those of its group."
_MOST_SPECIFICATIONS: Final = 15
_LISTING: Final = Listing(
    "ModelPackageSummaryList", "ModelPackageSummary", "ModelPackageName", "ModelPackageArn"
)
_UPDATED: Final = (
    "ApprovalDescription",
    "InferenceSpecification",
    "ModelApprovalStatus",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
    "SourceUri",
)
"""The members of UpdateModelPackage that take the place of those of the package."""


def create(engine: Engine, request: Request) -> Awaitable[JsonObject]:
    """CreateModelPackage: the next version of a group that exists, or a package of its own."""
    token = request.get("ClientToken")
    return engine.tokens.once("CreateModelPackage", token, request, lambda: _create(engine, request))


async def _create(engine: Engine, request: Request) -> JsonObject:
    name, group = request.get("ModelPackageName"), request.get("ModelPackageGroupName")
    if name is not None and group is not None:
        raise ApiError("ValidationException", _BOTH)
    if name is None and group is None:
        raise ApiError("ValidationException", _NEITHER)
    if group is not None:
        return {"ModelPackageArn": await _create_version(engine, request, group)}
    arn = engine.partition.arn(f"model-package/{name}")
    if find_package(engine.catalog, arn) is not None:
        raise _TAKEN.of(str(name), arn)
    await made(engine, StepType.REGISTER_MODEL, str(name), request)
    tag(engine, arn, request)
    return {"ModelPackageArn": arn}


async def _create_version(engine: Engine, request: Request, group: str) -> Json:
    if "Tags" in request:
        raise ApiError("ValidationException", _TAGGED)
    name = str(package_groups.get(engine, group)["ModelPackageGroupName"])
    arguments = {**request, "ModelPackageGroupName": name}
    return (await made(engine, StepType.REGISTER_MODEL, name, arguments))["ModelPackageArn"]


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeModelPackage, by name or ARN."""
    return described("DescribeModelPackage", _get(engine, request["ModelPackageName"]).describe)


def describe_many(engine: Engine, request: Request) -> JsonObject:
    """BatchDescribeModelPackage: those that exist, and what is wrong with the others."""
    found: dict[str, Json] = {}
    faults: dict[str, Json] = {}
    for arn in request["ModelPackageArnList"]:
        try:
            found[arn] = shaped("BatchDescribeModelPackageSummary", _get(engine, arn).describe)
        except ApiError as error:
            faults[arn] = {"ErrorCode": error.name, "ErrorResponse": str(error)}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": faults}


def list_packages(engine: Engine, request: Request) -> JsonObject:
    """ListModelPackages: the versions of a group; without one, packages of their own, unless asked otherwise."""
    group = request.get("ModelPackageGroupName")
    name = None if group is None else str(package_groups.get(engine, group)["ModelPackageGroupName"])
    wanted = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
    approval = request.get("ModelApprovalStatus")
    records = [
        _summary(package)
        for package in engine.catalog.list(Kind.MODEL_PACKAGE, name)
        if wanted in {"Both", "Versioned" if package.version else "Unversioned"}
        and (group is None or package.version)
        and approval in {None, package.describe.get("ModelApprovalStatus")}
    ]
    part = str(request.pop("NameContains", "")).lower()
    found = [record for record in records if part in str(_called(record)).lower()]
    return _LISTING.answer(request, found)


def _summary(package: Entity) -> JsonObject:
    """A version has no name of its own in lists."""
    if not package.version:
        return package.describe
    return {name: value for name, value in package.describe.items() if name != "ModelPackageName"}


def _called(record: JsonObject) -> Json:
    return record.get("ModelPackageName", record.get("ModelPackageGroupName"))


def update(engine: Engine, request: Request) -> JsonObject:
    """UpdateModelPackage: approve it, or change what is said of it."""
    package = _get(engine, request["ModelPackageArn"])
    record = dict(package.describe)
    record |= {name: request[name] for name in _UPDATED if name in request}
    properties = record.get("CustomerMetadataProperties")
    kept = {**(properties if isinstance(properties, Mapping) else {})}
    kept |= request.get("CustomerMetadataProperties", {})
    for name in request.get("CustomerMetadataPropertiesToRemove", ()):
        kept.pop(name, None)
    record["CustomerMetadataProperties"] = kept or None
    specifications = record.get("AdditionalInferenceSpecifications")
    added = [*(specifications if isinstance(specifications, list) else ())]
    added += request.get("AdditionalInferenceSpecificationsToAdd", [])
    if len(added) > _MOST_SPECIFICATIONS:
        message = f"A model package can have {_MOST_SPECIFICATIONS} additional inference specifications."
        raise ApiError("ValidationException", message)
    record["AdditionalInferenceSpecifications"] = added or None
    record |= {"LastModifiedTime": iso(engine.clock.now()), "LastModifiedBy": {}}
    engine.catalog.put(replace(package, describe={k: v for k, v in record.items() if v is not None}))
    return {"ModelPackageArn": record["ModelPackageArn"]}


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteModelPackage, by name or ARN; the number of a version is not given again."""
    package = _get(engine, request["ModelPackageName"])
    engine.catalog.delete(Kind.MODEL_PACKAGE, package.name, package.version)
    engine.tags.forget(str(package.describe["ModelPackageArn"]))
    return {}


def _get(engine: Engine, name: str) -> Entity:
    package = find_package(engine.catalog, name)
    if package is None:
        arn = name if name.startswith("arn:") else engine.partition.arn(f"model-package/{name}")
        raise _ABSENT.of(name, arn)
    return package


OPERATIONS: Final[Mapping[str, Operation]] = {
    "BatchDescribeModelPackage": describe_many,
    "CreateModelPackage": create,
    "DeleteModelPackage": delete,
    "DescribeModelPackage": describe,
    "ListModelPackages": list_packages,
    "UpdateModelPackage": update,
}
