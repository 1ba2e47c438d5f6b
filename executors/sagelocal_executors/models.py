"""Models and the model registry, which run nothing (semantics 02 §2.5, §2.6, 08 §8.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sagelocal.clock import Clock, iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.objects import Objects
from sagelocal.cloud.registry import find_package, group_name, new_group
from sagelocal.errors import UsageError
from sagelocal.jobs import Failed, Job, Outcome, Succeeded
from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject
from sagelocal_executors.describe import echo
from sagelocal_executors.faults import JobError, rejected, step_reason


def _never(_: str) -> bool:
    return False


_CREATOR: JsonObject = {}
_NO_CHECKS: JsonObject = {"ValidationStatuses": [], "ImageScanStatuses": []}


@dataclass(frozen=True, slots=True)
class ModelExecutor:
    """Records a model whose data exists (CreateModel).

    Attributes:
        stubbed: whether a step, by its name, is played by a stub: its data need not exist then.
    """

    catalog: Catalog
    objects: Objects
    partition: Partition
    clock: Clock
    stubbed: Callable[[str], bool] = _never

    async def run(self, job: Job) -> Outcome:
        try:
            for container in () if self.stubbed(job.step) else _containers(job.arguments):
                await self._check(container)
        except JobError as error:
            return Failed(step_reason(error.reason), error.error)
        now = self.clock.now()
        answer: JsonObject = {
            "EnableNetworkIsolation": False,
            **_texts(echo(job.arguments, "Tags", "ModelName")),
            "ModelName": job.name,
            "ModelArn": self.partition.arn(f"model/{job.name}"),
            "CreationTime": iso(now),
        }
        self.catalog.put(Entity(Kind.MODEL, job.name, now, answer))
        return Succeeded(answer)

    async def _check(self, container: JsonObject) -> None:
        """Raise a JobError unless the container's data, or its model package, exists."""
        uri = _data_uri(container)
        if uri is not None and not await self._exists(uri, prefix=_names_prefix(container)):
            raise rejected("CreateModel", f"Could not find model data at {uri}.")
        package = container.get("ModelPackageName")
        if isinstance(package, str) and find_package(self.catalog, package) is None:
            raise rejected("CreateModel", f"Model package {package} does not exist.")

    async def _exists(self, uri: str, *, prefix: bool) -> bool:
        try:
            found = await self.objects.list(uri)
        except UsageError as error:
            raise rejected("CreateModel", str(error)) from None
        return any(prefix or str(info.uri) == uri for info in found)


def _containers(arguments: JsonObject) -> Iterator[JsonObject]:
    listed = arguments.get("Containers")
    for container in [
        arguments.get("PrimaryContainer"),
        *(listed if isinstance(listed, list | tuple) else ()),
    ]:
        if isinstance(container, Mapping):
            yield container


def _data_uri(container: JsonObject) -> str | None:
    """Where the container's model data is said to lie; None when it needs none."""
    source = container.get("ModelDataSource")
    nested = source.get("S3DataSource") if isinstance(source, Mapping) else None
    uri = nested.get("S3Uri") if isinstance(nested, Mapping) else container.get("ModelDataUrl")
    return uri if isinstance(uri, str) else None


def _names_prefix(container: JsonObject) -> bool:
    """Whether the model data is a folder: of a multi-model container, or of a ModelDataSource."""
    return container.get("Mode") == "MultiModel" or "ModelDataSource" in container


def _texts(arguments: JsonObject) -> JsonObject:
    """The arguments with the containers' environments as texts, as the API types them."""
    result = dict(arguments)
    primary, listed = arguments.get("PrimaryContainer"), arguments.get("Containers")
    if isinstance(primary, Mapping):
        result["PrimaryContainer"] = echo(primary)
    if isinstance(listed, list):
        result["Containers"] = [echo(item) if isinstance(item, Mapping) else item for item in listed]
    return result


@dataclass(frozen=True, slots=True)
class RegisterModelExecutor:
    """Records the next version of a model package group, or a package of its own (CreateModelPackage).

    Attributes:
        create_groups: whether a missing group is made (semantics 13, U16).
    """

    catalog: Catalog
    partition: Partition
    clock: Clock
    create_groups: bool = True

    async def run(self, job: Job) -> Outcome:
        now = self.clock.now()
        group = _group_name(job.arguments.get("ModelPackageGroupName"))
        if group is None:
            answer = self._describe(job, job.name, now)
            self.catalog.put(Entity(Kind.MODEL_PACKAGE, job.name, now, answer))
            return Succeeded(answer)
        if self.catalog.get(Kind.MODEL_PACKAGE_GROUP, group) is None:
            if not self.create_groups:
                error = rejected(
                    "CreateModelPackage",
                    f"Model Package Group {group} does not exist. Create it, or set create_model_package_groups = true",
                )
                return Failed(step_reason(error.reason), error.error)
            self.catalog.put(new_group(self.partition, group, now))
        entity = self.catalog.add_version(
            group, now, lambda version: self._describe(job, group, now, version)
        )
        return Succeeded(entity.describe)

    def _describe(self, job: Job, name: str, now: float, version: int = 0) -> JsonObject:
        """DescribeModelPackageOutput."""
        dropped = ("Tags", "ClientToken", "ModelPackageName", "ModelPackageGroupName")
        versioned: JsonObject = {
            "ModelPackageGroupName": name,
            "ModelPackageVersion": version,
            "ModelApprovalStatus": "PendingManualApproval",
        }
        return {
            **(versioned if version else {}),
            **_with_container_texts(echo(job.arguments, *dropped)),
            "ModelPackageName": name,
            "ModelPackageArn": self.partition.arn(
                f"model-package/{name}" + (f"/{version}" if version else "")
            ),
            "CreationTime": iso(now),
            "LastModifiedTime": iso(now),
            "CreatedBy": _CREATOR,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": _NO_CHECKS,
        }


def _group_name(value: Json) -> str | None:
    """The group that is named, or whose ARN is given; None when none is."""
    return group_name(value) if isinstance(value, str) and value else None


def _with_container_texts(arguments: JsonObject) -> JsonObject:
    specification = arguments.get("InferenceSpecification")
    if not isinstance(specification, Mapping):
        return arguments
    return {**arguments, "InferenceSpecification": _texts(specification)}
