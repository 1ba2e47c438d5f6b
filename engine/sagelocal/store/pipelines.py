"""Pipelines with their versions and aliases (semantics 10 §10.4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sagelocal.database import explained, transaction
from sagelocal.errors import ConflictError, NotFoundError, UsageError
from sagelocal.nearest import did_you_mean

MOST_ALIASES: Final = 10
"""Aliases that one version may have (botocore: PipelineVersionAliasList)."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline; moments are seconds since the epoch.

    Attributes:
        name, arn: what it is called.
        created: when; `updated` likewise: its definition or what is said here.
        role: RoleArn; None for one that the command line has made.
        display_name, description: for people; None where nobody gave one.
        max_parallel: MaxParallelExecutionSteps of executions that are started without one.
        last_started: when its latest execution was; None before any.
    """

    name: str
    arn: str
    created: float
    updated: float
    role: str | None = None
    display_name: str | None = None
    description: str | None = None
    max_parallel: int | None = None
    last_started: float | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a pipeline's definition.

    Attributes:
        number: from 1.
        created: seconds since the epoch.
        display_name, description: for people; None where nobody gave one.
        last_execution: ARN of the latest execution that it was started for.
        aliases: in the order of their names.
    """

    number: int
    created: float
    display_name: str | None
    description: str | None
    last_execution: str | None
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What an update of a pipeline says; what is None stays as it is."""

    role: str | None = None
    display_name: str | None = None
    description: str | None = None
    max_parallel: int | None = None


class Pipelines:
    """The pipelines of the account, in the state file that `sagelocal.database.open_database` opens.

    Raises:
        MachineError: from every method, when the file cannot be read or written.
        NotFoundError: from every method that takes the name of a pipeline, when there is none of that name.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, name: str, arn: str, definition: str, now: float) -> int:
        """Create a pipeline, or give it this definition; the number of its version."""
        with transaction(self._connection):
            if name not in self.names():
                self.create(Pipeline(name, arn, now, now), definition)
                return 1
            return self.update(name, Change(), now, definition)

    def create(self, pipeline: Pipeline, definition: str, aliases: Sequence[str] = ()) -> None:
        """Add a pipeline with its first version.

        Raises:
            UsageError: an alias may not be called so.
        """
        row = (
            pipeline.name,
            pipeline.arn,
            pipeline.created,
            pipeline.updated,
            pipeline.role,
            pipeline.display_name,
            pipeline.description,
            pipeline.max_parallel,
        )
        with transaction(self._connection) as connection:
            connection.execute(
                "INSERT INTO pipelines (name, arn, created, updated, role, display_name, description, max_parallel) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            self._add_version(pipeline.name, 1, pipeline.created, definition)
            self.move_aliases(pipeline.name, 1, aliases)

    def update(
        self,
        name: str,
        change: Change,
        now: float,
        definition: str | None = None,
        aliases: Sequence[str] = (),
    ) -> int:
        """Change a pipeline; a definition with another text is a new version. The number of the latest version.

        Raises:
            UsageError: there are aliases, but no new version to have them (semantics 13, U29), or they may not be called so.
            ConflictError: another version has one of the aliases.
        """
        with transaction(self._connection) as connection:
            latest = self.version(name).number
            connection.execute(
                "UPDATE pipelines SET updated = ?, role = coalesce(?, role), display_name = coalesce(?, display_name), "
                "description = coalesce(?, description), max_parallel = coalesce(?, max_parallel) WHERE name = ?",
                (now, change.role, change.display_name, change.description, change.max_parallel, name),
            )
            if definition is None or definition == self.definition(name, latest):
                if aliases:
                    message = "PipelineVersionAliases can only be given when the definition changes: use UpdatePipelineVersion."
                    raise UsageError(message)
                return latest
            self._add_version(name, latest + 1, now, definition)
            self.move_aliases(name, latest + 1, aliases)
            return latest + 1

    def delete(self, name: str) -> None:
        """Delete a pipeline with its versions and executions (semantics 10 §10.1)."""
        self.get(name)
        with transaction(self._connection) as connection:
            connection.execute(
                "DELETE FROM events WHERE execution IN (SELECT number FROM executions WHERE pipeline = ?)",
                (name,),
            )
            connection.execute("DELETE FROM executions WHERE pipeline = ?", (name,))
            connection.execute("DELETE FROM pipeline_versions WHERE pipeline = ?", (name,))
            connection.execute("DELETE FROM pipelines WHERE name = ?", (name,))

    def names(self) -> list[str]:
        """Names of all pipelines."""
        return [name for (name,) in self._rows("SELECT name FROM pipelines ORDER BY name")]

    def all(self) -> list[Pipeline]:
        """All pipelines, by name."""
        return [Pipeline(*row) for row in self._rows(f"{_PIPELINES} GROUP BY p.name ORDER BY p.name")]

    def get(self, name: str) -> Pipeline:
        """One pipeline."""
        rows = self._rows(f"{_PIPELINES} WHERE p.name = ? GROUP BY p.name", name)
        if not rows:
            message = f"Pipeline '{name}' does not exist{did_you_mean(name, self.names())}."
            raise NotFoundError(message)
        return Pipeline(*rows[0])

    def versions(self, name: str) -> list[Version]:
        """All versions of a pipeline, the newest first."""
        self.get(name)
        aliases: dict[int, list[str]] = {}
        query = "SELECT version, alias FROM pipeline_aliases WHERE pipeline = ? ORDER BY alias"
        for number, alias in self._rows(query, name):
            aliases.setdefault(number, []).append(alias)
        rows = self._rows(_VERSIONS, name, name)
        return [Version(*(*row, tuple(aliases.get(row[0], ())))) for row in rows]

    def version(self, name: str, number: int | None = None, alias: str | None = None) -> Version:
        """One version of a pipeline, by its number or an alias; the latest when neither is given.

        Raises:
            NotFoundError: no such version either.
        """
        versions = self.versions(name)
        found = [
            version
            for version in versions
            if number in {None, version.number} and (alias is None or alias in version.aliases)
        ]
        if not found:
            wanted = f"with alias '{alias}'" if alias is not None else str(number)
            message = f"Pipeline '{name}' has no version {wanted}."
            raise NotFoundError(message)
        return found[0]

    def definition(self, name: str, number: int) -> str:
        """The text of a version that exists, exactly as it was given."""
        query = "SELECT definition FROM pipeline_versions WHERE pipeline = ? AND version = ?"
        [(text,)] = self._rows(query, name, number)
        return str(text)

    def describe_version(
        self, name: str, number: int, display_name: str | None, description: str | None
    ) -> None:
        """Say what a version is; what is None stays as it is.

        Raises:
            NotFoundError: no such version either.
        """
        self.version(name, number)
        with transaction(self._connection) as connection:
            connection.execute(
                "UPDATE pipeline_versions SET display_name = coalesce(?, display_name), "
                "description = coalesce(?, description) WHERE pipeline = ? AND version = ?",
                (display_name, description, name, number),
            )

    def move_aliases(self, name: str, number: int, add: Sequence[str], remove: Sequence[str] = ()) -> None:
        """Take aliases from a version, then give it others; all or nothing.

        Raises:
            NotFoundError: no such version, or it does not have an alias that shall be removed.
            ConflictError: another version has an alias that shall be added.
            UsageError: an alias may not be called so, or there would be too many.
        """
        self.version(name, number)
        with transaction(self._connection) as connection:
            owners = {alias: each.number for each in self.versions(name) for alias in each.aliases}
            for alias in remove:
                if owners.pop(alias, None) != number:
                    message = f"Version {number} of pipeline '{name}' has no alias '{alias}'."
                    raise NotFoundError(message)
            for alias in add:
                _refuse(alias, owners.get(alias, number), number)
                owners[alias] = number
            if sum(owner == number for owner in owners.values()) > MOST_ALIASES:
                message = f"Version {number} would have more than {MOST_ALIASES} aliases."
                raise UsageError(message)
            connection.execute("DELETE FROM pipeline_aliases WHERE pipeline = ?", (name,))
            connection.executemany(
                "INSERT INTO pipeline_aliases (pipeline, alias, version) VALUES (?, ?, ?)",
                [(name, alias, owner) for alias, owner in owners.items()],
            )

    def _add_version(self, name: str, number: int, now: float, definition: str) -> None:
        self._connection.execute(
            "INSERT INTO pipeline_versions (pipeline, version, created, definition) VALUES (?, ?, ?, ?)",
            (name, number, now, definition),
        )

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with explained("state.db"):
            return self._connection.execute(query, values).fetchall()


_PIPELINES: Final = (
    "SELECT p.name, p.arn, p.created, p.updated, p.role, p.display_name, p.description, p.max_parallel, max(e.created) "
    "FROM pipelines p LEFT JOIN executions e ON e.pipeline = p.name"
)
# SQLite takes the other columns from the row that has the largest number: the latest execution.
_VERSIONS: Final = (
    "SELECT v.version, v.created, v.display_name, v.description, e.arn FROM pipeline_versions v "
    "LEFT JOIN (SELECT version, arn, max(number) FROM executions WHERE pipeline = ? GROUP BY version) e "
    "ON e.version = v.version WHERE v.pipeline = ? ORDER BY v.version DESC"
)


def _refuse(alias: str, owner: int, number: int) -> None:
    if alias.isdecimal():
        message = f"Alias '{alias}' consists of digits only: that would be the number of a version."
        raise UsageError(message)
    if owner != number:
        message = f"Alias '{alias}' belongs to version {owner}: remove it from there first, with UpdatePipelineVersion."
        raise ConflictError(message)
