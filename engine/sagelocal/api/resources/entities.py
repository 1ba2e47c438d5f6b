"""What can be associated with one another, each found by its ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.resources.experiments import COMPONENTS, EXPERIMENTS, named
from sagelocal.api.resources.named import Named, Refusal
from sagelocal.cloud.catalog import Kind
from sagelocal.engine import Engine
from sagelocal.values import JsonObject

ARTIFACTS: Final = Named(
    Kind.ARTIFACT,
    "Artifact",
    Refusal("ResourceNotFound", "Artifact '{arn}' does not exist."),
    # The SDKs look for the words "already exists".
    Refusal("ValidationException", "Artifact '{arn}' of this source already exists."),
    str.lower,
    "ArtifactId",
)
ACTIONS: Final = named(Kind.ACTION, "Action", "Action")
CONTEXTS: Final = named(Kind.CONTEXT, "Context", "Context")
_ALL: Final = (ARTIFACTS, ACTIONS, CONTEXTS, EXPERIMENTS, COMPONENTS)
_BY_KIND: Final[Mapping[str, Named]] = {each.kind: each for each in _ALL}


def entity(engine: Engine, arn: str) -> JsonObject:
    """The record of what has that ARN.

    Raises:
        ApiError: ResourceNotFound, nothing has.
    """
    found = find_entity(engine, arn)
    if found is None:
        raise ApiError("ResourceNotFound", f"Entity '{arn}' does not exist.")
    return found


def find_entity(engine: Engine, arn: str) -> JsonObject | None:
    """The record of what has that ARN; None when nothing has."""
    return _BY_KIND[_kind(arn)].find(engine, arn)


def lineage_type(arn: str) -> str:
    """What QueryLineage calls such an entity: ``Artifact`` or ``TrialComponent``, say."""
    return _BY_KIND[_kind(arn)].noun


def _kind(arn: str) -> str:
    """That of the ARN, which has the pattern that requests must have."""
    return arn.split(":")[5].partition("/")[0]


def entity_type(arn: str, record: JsonObject) -> str:
    """The type that an entity was given, or that of the source of a trial component."""
    noun = lineage_type(arn)
    source = record.get("Source")
    given = record.get(f"{noun}Type") or (source.get("SourceType") if isinstance(source, Mapping) else None)
    return str(given or noun)


def entity_name(arn: str, record: JsonObject) -> str | None:
    """The name of an entity; an artifact may have none."""
    name = record.get(f"{lineage_type(arn)}Name")
    return None if name is None else str(name)
