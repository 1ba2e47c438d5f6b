"""Records that a name finds, and what the service says when it finds none, or one too many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Request
from sagelocal.clock import iso
from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the service: its name, and its text with ``{name}`` and ``{arn}`` of the record."""

    error: str
    text: str

    def of(self, name: str, arn: str) -> ApiError:
        return ApiError(self.error, self.text.format(name=name, arn=arn))


def _as_it_is(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True)
class Named:
    """A kind of record that has a name of its own.

    Attributes:
        kind: what the catalog calls it, and its ARN.
        noun: what members call it: ``<noun>Name``, ``<noun>Arn``.
        absent: when there is none of that name.
        taken: when there is one already.
        key: what of a name counts; some are not case-sensitive.
        member: that has the name, if not ``<noun>Name``.
    """

    kind: Kind
    noun: str
    absent: Refusal
    taken: Refusal
    key: Callable[[str], str] = _as_it_is
    member: str = ""

    @property
    def name(self) -> str:
        """The member that has the name."""
        return self.member or f"{self.noun}Name"

    @property
    def arn_member(self) -> str:
        """The member that has the ARN."""
        return f"{self.noun}Arn"

    def arn(self, engine: Engine, name: str) -> str:
        return engine.partition.arn(f"{self.kind}/{name}")

    def find(self, engine: Engine, name: str) -> JsonObject | None:
        """The record of that name, or of that ARN; None when there is none."""
        entity = engine.catalog.get(self.kind, self.key(_bare(name)))
        return None if entity is None else entity.describe

    def get(self, engine: Engine, name: str) -> JsonObject:
        """The record of that name, or of that ARN.

        Raises:
            ApiError: there is none.
        """
        record = self.find(engine, name)
        if record is None:
            raise self.absent.of(_bare(name), self.arn(engine, _bare(name)))
        return record

    def create(self, engine: Engine, request: Request, **more: Json) -> str:
        """Record what a request says, and what of it the request does not say; its ARN.

        Raises:
            ApiError: the name is taken.
        """
        name = request[self.name]
        arn = self.arn(engine, name)
        if self.find(engine, name) is not None:
            raise self.taken.of(name, arn)
        now = engine.clock.now()
        said = {key: value for key, value in request.items() if key != "Tags"}
        tag(engine, arn, request)
        self.put(engine, {**said, self.arn_member: arn, "CreationTime": iso(now), **more})
        return arn

    def put(self, engine: Engine, record: JsonObject) -> None:
        """Record it anew."""
        name = self.key(str(record[self.name]))
        known = engine.catalog.get(self.kind, name)
        when = known.created if known else engine.clock.now()
        engine.catalog.put(Entity(self.kind, name, when, record))

    def update(self, engine: Engine, name: str, **changes: Json) -> JsonObject:
        """Change members of the record of that name; the record as it is then.

        Raises:
            ApiError: there is none.
        """
        record = {**self.get(engine, name), "LastModifiedTime": iso(engine.clock.now()), **changes}
        self.put(engine, record)
        return record

    def delete(self, engine: Engine, name: str) -> JsonObject:
        """Forget the record of that name, and its tags; the record as it was.

        Raises:
            ApiError: there is none.
        """
        record = self.get(engine, name)
        engine.catalog.delete(self.kind, self.key(_bare(name)))
        engine.tags.forget(str(record[self.arn_member]))
        return record

    def all(self, engine: Engine) -> list[JsonObject]:
        """Every record, oldest first."""
        return [entity.describe for entity in engine.catalog.list(self.kind)]


def tag(engine: Engine, arn: str, request: Request) -> None:
    """Give what is created the tags that its request asks for."""
    if "Tags" in request:
        engine.tags.put(arn, {each["Key"]: each["Value"] for each in request["Tags"]})


def _bare(name: str) -> str:
    """The name in an ARN; a bare name is returned as it is."""
    return name.rpartition("/")[2] if name.startswith("arn:") else name
