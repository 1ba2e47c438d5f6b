"""Operations on the entities of lineage: artifacts, actions and contexts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.associations import detach
from sagelocal.api.resources.entities import ACTIONS, ARTIFACTS, CONTEXTS
from sagelocal.api.resources.experiments import fresh
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.named import Named
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject


def _as_it_is(request: Request) -> Request:
    return request


@dataclass(frozen=True, slots=True)
class LineageOperations:
    """The operations on one kind of entity.

    Attributes:
        entity: the kind.
        by: the member of requests that names one.
        summary: the shape of an item of its List operation.
        identified: a Create request with the name that it may not give itself.
    """

    entity: Named
    by: str
    summary: str
    identified: Callable[[Request], Request] = _as_it_is

    def table(self) -> dict[str, Operation]:
        noun = self.entity.noun
        return {
            f"Create{noun}": self.create,
            f"Delete{noun}": self.delete,
            f"Describe{noun}": self.describe,
            f"List{noun}s": self.list_entities,
            f"Update{noun}": self.update,
        }

    def create(self, engine: Engine, request: Request) -> JsonObject:
        """Create<Entity>."""
        known = self.identified(request)
        arn = self.entity.create(engine, known, **fresh(engine, self.entity, known))
        return {self.entity.arn_member: arn}

    def describe(self, engine: Engine, request: Request) -> JsonObject:
        """Describe<Entity>."""
        return described(f"Describe{self.entity.noun}", self.entity.get(engine, request[self.by]))

    def list_entities(self, engine: Engine, request: Request) -> JsonObject:
        """List<Entity>s: from a source, of a type, or all."""
        member = f"{self.entity.noun}Type"
        uri, type_ = request.get("SourceUri"), request.get(member)
        found = [
            record
            for record in self.entity.all(engine)
            if uri in {None, _source_uri(record)} and type_ in {None, record[member]}
        ]
        listing = Listing(
            f"{self.summary.replace('Summary', 'Summaries')}",
            self.summary,
            self.entity.name,
            self.entity.arn_member,
        )
        return listing.answer(request, found)

    def update(self, engine: Engine, request: Request) -> JsonObject:
        """Update<Entity>: properties are added, or removed by ``PropertiesToRemove``."""
        before = self.entity.get(engine, request[self.by]).get("Properties")
        kept = {**(before if isinstance(before, Mapping) else {}), **request.get("Properties", {})}
        gone = request.get("PropertiesToRemove", ())
        changes: dict[str, Json] = {
            member: value
            for member, value in request.items()
            if member not in {self.by, "PropertiesToRemove"}
        }
        changes["Properties"] = {name: value for name, value in kept.items() if name not in gone}
        record = self.entity.update(engine, request[self.by], **changes, LastModifiedBy={})
        return {self.entity.arn_member: record[self.entity.arn_member]}

    def delete(self, engine: Engine, request: Request) -> JsonObject:
        """Delete<Entity>, with its associations."""
        arn = str(self.entity.delete(engine, request[self.by])[self.entity.arn_member])
        detach(engine, arn)
        return {self.entity.arn_member: arn}


def _with_identity(request: Request) -> Request:
    """An artifact is told from another by its source."""
    source = json.dumps(request["Source"], sort_keys=True)
    return {**request, ARTIFACTS.name: hashlib.md5(source.encode(), usedforsecurity=False).hexdigest()}


def _source_uri(record: JsonObject) -> Json:
    source = record["Source"]
    return source["SourceUri"] if isinstance(source, Mapping) else None


artifacts: Final = LineageOperations(ARTIFACTS, "ArtifactArn", "ArtifactSummary", _with_identity)
actions: Final = LineageOperations(ACTIONS, "ActionName", "ActionSummary")
contexts: Final = LineageOperations(CONTEXTS, "ContextName", "ContextSummary")


def delete_artifact(engine: Engine, request: Request) -> JsonObject:
    """DeleteArtifact, by ARN or source."""
    if "ArtifactArn" not in request and "Source" not in request:
        raise ApiError("ValidationException", "Either ArtifactArn or Source must be specified.")
    if "ArtifactArn" not in request:
        arn = ARTIFACTS.arn(engine, _with_identity(request)[ARTIFACTS.name])
        request = {"ArtifactArn": arn}
    return artifacts.delete(engine, request)


OPERATIONS: Final[Mapping[str, Operation]] = {
    **artifacts.table(),
    **actions.table(),
    **contexts.table(),
    "DeleteArtifact": delete_artifact,
}
