"""The model registry in the catalog: groups of model packages, and the packages (semantics 08 §8.5)."""

from __future__ import annotations

from sagelocal.clock import iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject


def new_group(partition: Partition, name: str, created: float, more: JsonObject | None = None) -> Entity:
    """A model package group; its Describe answer is DescribeModelPackageGroupOutput, with `more` members."""
    answer: dict[str, Json] = {
        **(more or {}),
        "ModelPackageGroupName": name,
        "ModelPackageGroupArn": partition.arn(f"model-package-group/{name}"),
        "CreationTime": iso(created),
        "CreatedBy": {},
        "ModelPackageGroupStatus": "Completed",
    }
    return Entity(Kind.MODEL_PACKAGE_GROUP, name, created, answer)


def group_name(name_or_arn: str) -> str:
    """The name of the model package group whose name or ARN is given."""
    return name_or_arn.rpartition("model-package-group/")[2]


def find_package(catalog: Catalog, name_or_arn: str) -> Entity | None:
    """The model package of that name or ARN, in whose ARN the group is lower-cased."""
    return next(
        (
            entity
            for entity in catalog.list(Kind.MODEL_PACKAGE)
            if name_or_arn.lower() == entity.describe["ModelPackageArn"]
            or (not entity.version and name_or_arn == entity.name)
        ),
        None,
    )
