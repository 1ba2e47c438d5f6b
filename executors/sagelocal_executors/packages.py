"""Model packages in the catalog, as others than the registry look for them."""

from __future__ import annotations

from sagelocal.cloud.catalog import Catalog, Entity, Kind


def find_package(catalog: Catalog, name_or_arn: str) -> Entity | None:
    """The model package of that name or ARN, in whose ARN the group is lower-cased."""
    return next(
        (
            entity
            for entity in catalog.list(Kind.MODEL_PACKAGE)
            if name_or_arn == entity.describe["ModelPackageArn"]
            or (not entity.version and name_or_arn == entity.name)
        ),
        None,
    )
