"""Operations on the resources of the account, pipelines excepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.requests import Operation
from sagelocal.api.resources import (
    associations,
    components,
    endpoints,
    experiments,
    jobs,
    lineage,
    models,
    package_groups,
    packages,
    search,
    trials,
)

OPERATIONS: Final[Mapping[str, Operation]] = {
    **jobs.OPERATIONS,
    **models.OPERATIONS,
    **endpoints.OPERATIONS,
    **package_groups.OPERATIONS,
    **packages.OPERATIONS,
    **experiments.OPERATIONS,
    **trials.OPERATIONS,
    **components.OPERATIONS,
    **lineage.OPERATIONS,
    **associations.OPERATIONS,
    **search.OPERATIONS,
}
"""Those of SageMaker by name."""
