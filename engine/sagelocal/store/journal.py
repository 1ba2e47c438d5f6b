"""The one truth: pipelines, executions, and every event in its order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

from sagelocal.database import explained, transaction
from sagelocal.events import Event
from sagelocal.names import execution_id
from sagelocal.state import Rules
from sagelocal.store.encoding import decode, encode
from sagelocal.values import Json, Scalar


@dataclass(frozen=True, slots=True)
class Start:
    """How an execution was started: all that replaying it needs besides its events.

    Attributes:
        arn: of the execution.
        pipeline: its name.
        version: of the pipeline's definition.
        definition: that version's text.
        created: seconds since the epoch.
        display_name: PipelineExecutionDisplayName.
        parameters: every parameter's value, typed.
        max_parallel: MaxParallelExecutionSteps; None: no limit.
        experiment: the resolved PipelineExperimentConfig.
        rules: choices that SageMaker does not document.
        origin: what whoever started it would need to know to go on with it.
    """

    arn: str
    pipeline: str
    version: int
    definition: str
    created: float
    display_name: str
    parameters: Mapping[str, Scalar]
    max_parallel: int | None
    experiment: Mapping[str, Json]
    rules: Rules
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Place:
    """Where the next event of an execution goes."""

    number: int
    next: int


class Journal:
    """Appends and reads; every call is one short transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._places: dict[str, _Place] = {}

    def put_pipeline(self, name: str, arn: str, definition: str, now: float) -> int:
        """Keep a definition; its version grows only when the text has changed.

        Returns:
            The version number, from 1.
        """
        with transaction(self._connection) as connection:
            connection.execute(
                "INSERT INTO pipelines VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET updated = excluded.updated",
                (name, arn, now, now),
            )
            latest = self._latest(name)
            if latest and latest[1] == definition:
                return latest[0]
            version = latest[0] + 1 if latest else 1
            connection.execute(
                "INSERT INTO pipeline_versions VALUES (?, ?, ?, ?)", (name, version, now, definition)
            )
            return version

    def pipelines(self) -> list[str]:
        """Names of all pipelines."""
        with explained("state.db"):
            return [name for (name,) in self._connection.execute("SELECT name FROM pipelines ORDER BY name")]

    def pipeline_records(self) -> list[tuple[str, str, float, float, float | None]]:
        """Of all pipelines, by name: name, ARN, when created, when given its latest definition, when last started."""
        query = (
            "SELECT p.name, p.arn, p.created, p.updated, max(e.created) FROM pipelines p "
            "LEFT JOIN executions e ON e.pipeline = p.name GROUP BY p.name ORDER BY p.name"
        )
        with explained("state.db"):
            return self._connection.execute(query).fetchall()

    def definition(self, pipeline: str) -> tuple[int, str] | None:
        """Number and text of a pipeline's latest version; None when there is no such pipeline."""
        with explained("state.db"):
            return self._latest(pipeline)

    def _latest(self, pipeline: str) -> tuple[int, str] | None:
        query = "SELECT version, definition FROM pipeline_versions WHERE pipeline = ? ORDER BY version DESC LIMIT 1"
        row: tuple[int, str] | None = self._connection.execute(query, (pipeline,)).fetchone()
        return row

    def begin(self, start: Start) -> None:
        """Write an execution's first line."""
        facts = {
            "display_name": start.display_name,
            "parameters": start.parameters,
            "max_parallel": start.max_parallel,
            "experiment": start.experiment,
            "rules": asdict(start.rules),
            "origin": start.origin,
        }
        row = (
            start.arn,
            execution_id(start.arn),
            start.pipeline,
            start.version,
            start.created,
            json.dumps(facts),
        )
        with transaction(self._connection) as connection:
            connection.execute(
                "INSERT INTO executions (arn, id, pipeline, version, created, start) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )

    def together(self) -> AbstractContextManager[object]:
        """What is appended inside is recorded as a whole when this is left, or not at all."""
        return transaction(self._connection)

    def append(self, execution: str, events: Sequence[Event]) -> None:
        """Record events, in their order, before they are applied; all of them or none."""
        place = self._places.get(execution)
        if place is None:
            place = self._places[execution] = self._place(execution)
        rows = [
            (place.number, place.next + index, event.at, *encode(event)) for index, event in enumerate(events)
        ]
        with transaction(self._connection) as connection:
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        place.next += len(rows)

    def _place(self, execution: str) -> _Place:
        query = (
            "SELECT number, (SELECT coalesce(max(seq), 0) FROM events WHERE execution = number) "
            "FROM executions WHERE arn = ?"
        )
        number, last = self._connection.execute(query, (execution,)).fetchone()
        return _Place(number, last + 1)

    def events(self, execution: str) -> Iterator[Event]:
        """What was recorded, in its order."""
        query = (
            "SELECT kind, at, body FROM events "
            "WHERE execution = (SELECT number FROM executions WHERE arn = ?) ORDER BY seq"
        )
        with explained("state.db"):
            for kind, at, body in self._connection.execute(query, (execution,)):
                yield decode(kind, at, body)

    def starts(self, pipeline: str | None = None) -> list[Start]:
        """All executions, newest first; of one pipeline when named."""
        where, values = ("WHERE e.pipeline = ?", (pipeline,)) if pipeline else ("", ())
        return self._select(f"{where} ORDER BY e.created DESC, e.rowid DESC", values)

    def find(self, identity: str) -> list[Start]:
        """Executions by ARN, id or the beginning of an id."""
        values = (identity, identity.replace("%", "") + "%")
        return self._select("WHERE e.arn = ? OR e.id LIKE ? ORDER BY e.created DESC, e.rowid DESC", values)

    def _select(self, tail: str, values: tuple[Any, ...]) -> list[Start]:
        query = (
            "SELECT e.arn, e.pipeline, e.version, v.definition, e.created, e.start FROM executions e "  # noqa: S608  # the tails are ours
            f"JOIN pipeline_versions v ON v.pipeline = e.pipeline AND v.version = e.version {tail}"
        )
        with explained("state.db"):
            return [_start(row) for row in self._connection.execute(query, values)]


def _start(row: tuple[str, str, int, str, float, str]) -> Start:
    arn, pipeline, version, definition, created, text = row
    facts = json.loads(text)
    rules = Rules(**facts.pop("rules"))
    return Start(arn, pipeline, version, definition, created, rules=rules, **facts)
