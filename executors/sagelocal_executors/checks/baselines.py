"""The baseline that came before: supplied with the step, or registered with a model package (semantics 08 §8.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.objects import Objects
from sagelocal.errors import UsageError
from sagelocal.names import S3Uri
from sagelocal.nearest import did_you_mean, listed
from sagelocal.values import Json, JsonObject
from sagelocal_executors.channels import Source, select
from sagelocal_executors.checks.requests import CheckRequest
from sagelocal_executors.faults import JobError, client_error

_APPROVED = "Approved"
_CONTAINER_FOLDER = "/opt/ml/processing/baseline"


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a previous baseline: where it lies, and who says so, for texts."""

    uri: str
    said_by: str


def find_previous(catalog: Catalog, request: CheckRequest, member: str) -> Found:
    """Where one file of the previous baseline lies: the supplied one, else that of the latest approved package.

    Raises:
        JobError: there is none; says why, and what to set.
    """
    if member in request.supplied:
        return Found(request.supplied[member], f"SuppliedBaseline{member}")
    if request.group is None:
        raise _missing(request, member, "the step names none, and no ModelPackageGroupName")
    package = _latest_approved(catalog, request, member)
    section, name = request.kind.registered[request.check_type][member]
    uri = _below(package.describe, "DriftCheckBaselines", section, name, "S3Uri")
    arn = package.describe["ModelPackageArn"]
    if not isinstance(uri, str):
        why = f"{arn}, the latest {_APPROVED} version, has no DriftCheckBaselines.{section}.{name}"
        raise _missing(request, member, why)
    return Found(uri, f"DriftCheckBaselines.{section}.{name} of {arn}")


def _latest_approved(catalog: Catalog, request: CheckRequest, member: str) -> Entity:
    """The package of the group, by name or ARN, that was created last among those approved."""
    groups = {entity.name: entity for entity in catalog.list(Kind.MODEL_PACKAGE_GROUP)}
    wanted = request.group or ""
    names = [
        name
        for name, entity in groups.items()
        if wanted in {name, entity.describe.get("ModelPackageGroupArn")}
    ]
    if not names:
        hint = did_you_mean(wanted.rpartition("/")[2], groups)
        raise _missing(request, member, f"there is no model package group {wanted!r}{hint}")
    versions = catalog.list(Kind.MODEL_PACKAGE, names[0])
    approved = [entity for entity in versions if entity.describe.get("ModelApprovalStatus") == _APPROVED]
    if not approved:
        number = f"{len(versions)} version{'s' * (len(versions) != 1)}"
        raise _missing(
            request, member, f"model package group {names[0]!r} has {number}, none of them {_APPROVED}"
        )
    return approved[-1]


def _below(value: Json, *path: str) -> Json:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _missing(request: CheckRequest, member: str, why: str) -> JobError:
    keys = " and ".join(f"SuppliedBaseline{member}" for member in request.kind.files)
    return client_error(
        f"There are no previous baseline {member.lower()}: {why}. Set {keys}, or ModelPackageGroupName to a group "
        f"with an {_APPROVED} version that was registered with DriftCheckBaselines; "
        "a first run, which has no baseline yet, sets both SkipCheck and RegisterNewBaseline to true"
    )


async def require_object(objects: Objects, found: Found) -> None:
    """Make sure that the file is there.

    Raises:
        JobError: it is not; names what is nearest to it.
    """
    try:
        uri = S3Uri.parse(found.uri)
        selection = await select(objects, Source(found.said_by, found.uri, ""))
    except UsageError as error:
        raise client_error(f"{found.said_by}: {error}") from None
    there = [item.uri for item in selection.items]
    if there != [str(uri)]:
        raise client_error(
            f"{found.said_by}: {found.uri} is no object; name one of those below it: {listed(there)}"
        )


def baseline_input(member: str, uri: str) -> tuple[JsonObject, Mapping[str, str]]:
    """How a container gets one file of the previous baseline: a ProcessingInput, and the variable with its path."""
    name = f"baseline_{member.lower()}"
    folder = f"{_CONTAINER_FOLDER}/{member.lower()}"
    s3_input: JsonObject = {
        "S3Uri": uri,
        "LocalPath": folder,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    path = f"{folder}/{S3Uri.parse(uri).key.rpartition('/')[2]}"
    return {"InputName": f"sagelocal_{name}", "S3Input": s3_input}, {name: path}
