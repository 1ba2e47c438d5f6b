"""The one truth: executions, and every event in its order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

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
        display_name: PipelineExecutionDisplayName, as it is now.
        parameters: every parameter's value, typed.
        max_parallel: MaxParallelExecutionSteps; None: no limit.
        experiment: the resolved PipelineExperimentConfig.
        rules: choices that SageMaker does not document.
        origin: what whoever started it would need to know to go on with it.
        description: PipelineExecutionDescription, as it is now; None where nobody gave one.
        mlflow: the resolved MlflowConfig.
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
    description: str | None = None
    mlflow: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of an execution without reading its events.

    Attributes:
        arn, pipeline, version, created, display_name, description: as `Start` has them.
        modified: when display name or description were changed, in seconds since the epoch; None: never.
        events: the number of its last event; 0 before the first.
        ended: the status that the execution has after that event, where that has been noted.
    """

    arn: str
    pipeline: str
    version: int
    created: float
    display_name: str
    description: str | None
    modified: float | None
    events: int
    ended: str | None


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

    def begin(self, start: Start) -> None:
        """Write an execution's first line."""
        facts = {
            "display_name": start.display_name,
            "parameters": start.parameters,
            "max_parallel": start.max_parallel,
            "experiment": start.experiment,
            "rules": asdict(start.rules),
            "origin": start.origin,
            "mlflow": start.mlflow,
        }
        row = (
            start.arn,
            execution_id(start.arn),
            start.pipeline,
            start.version,
            start.created,
            json.dumps(facts),
            start.description,
        )
        with transaction(self._connection) as connection:
            connection.execute(
                "INSERT INTO executions (arn, id, pipeline, version, created, start, description) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
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

    def close(self, execution: str) -> None:
        """Another may append to the execution from here on."""
        self._places.pop(execution, None)

    def _place(self, execution: str) -> _Place:
        query = (
            "SELECT number, (SELECT coalesce(max(seq), 0) FROM events WHERE execution = number) "
            "FROM executions WHERE arn = ?"
        )
        number, last = self._connection.execute(query, (execution,)).fetchone()
        return _Place(number, last + 1)

    def rename(self, execution: str, display_name: str | None, description: str | None, now: float) -> None:
        """Change what an execution is called; what is None stays as it is."""
        with transaction(self._connection) as connection:
            connection.execute(
                "UPDATE executions SET display_name = coalesce(?, display_name), "
                "description = coalesce(?, description), modified = ? WHERE arn = ?",
                (display_name, description, now, execution),
            )

    def note_end(self, execution: str, status: str, event: int) -> None:
        """Note the status that the events up to this one have led to, so that lists need not read them again."""
        with transaction(self._connection) as connection:
            connection.execute(
                "UPDATE executions SET end_status = ?, end_event = ? WHERE arn = ?",
                (status, event, execution),
            )

    def events(self, execution: str, after: int = 0) -> Iterator[Event]:
        """What was recorded, in its order; of that only what follows the event of this number."""
        query = (
            "SELECT kind, at, body FROM events "
            "WHERE execution = (SELECT number FROM executions WHERE arn = ?) AND seq > ? ORDER BY seq"
        )
        with explained("state.db"):
            for kind, at, body in self._connection.execute(query, (execution, after)):
                yield decode(kind, at, body)

    def outlines(self, pipeline: str | None = None) -> list[Outline]:
        """All executions, oldest first; of one pipeline when named."""
        where, values = ("WHERE e.pipeline = ?", (pipeline,)) if pipeline else ("", ())
        return self._outlines(f"{_OUTLINES} {where} ORDER BY e.created, e.number", values)

    def outline(self, execution: str) -> Outline | None:
        """One execution by its ARN; None when there is none."""
        found = self._outlines(f"{_OUTLINES} WHERE e.arn = ?", (execution,))
        return found[0] if found else None

    def _outlines(self, query: str, values: tuple[Any, ...]) -> list[Outline]:
        with explained("state.db"):
            return [Outline(*row) for row in self._connection.execute(query, values)]

    def starts(self, pipeline: str | None = None) -> list[Start]:
        """All executions, newest first; of one pipeline when named."""
        where, values = ("WHERE e.pipeline = ?", (pipeline,)) if pipeline else ("", ())
        return self._select(f"{where} ORDER BY e.created DESC, e.number DESC", values)

    def start(self, execution: str) -> Start:
        """One execution that exists, by its ARN."""
        [start] = self._select("WHERE e.arn = ?", (execution,))
        return start

    def find(self, identity: str) -> list[Start]:
        """Executions by ARN, id or the beginning of an id."""
        values = (identity, identity.replace("%", "") + "%")
        return self._select("WHERE e.arn = ? OR e.id LIKE ? ORDER BY e.created DESC, e.number DESC", values)

    def _select(self, tail: str, values: tuple[Any, ...]) -> list[Start]:
        with explained("state.db"):
            return [_start(row) for row in self._connection.execute(f"{_STARTS} {tail}", values)]


_NUMBER: Final = "(SELECT coalesce(max(seq), 0) FROM events WHERE execution = e.number)"
_NAME: Final = "coalesce(e.display_name, json_extract(e.start, '$.display_name'))"
_OUTLINES: Final = (
    f"SELECT e.arn, e.pipeline, e.version, e.created, {_NAME}, e.description, e.modified, {_NUMBER}, "  # noqa: S608 - constants only
    f"CASE WHEN e.end_event = {_NUMBER} THEN e.end_status END FROM executions e"
)
_STARTS: Final = (
    f"SELECT e.arn, e.pipeline, e.version, v.definition, e.created, {_NAME}, e.description, e.start FROM executions e "  # noqa: S608 - constants only
    "JOIN pipeline_versions v ON v.pipeline = e.pipeline AND v.version = e.version"
)


def _start(row: tuple[str, str, int, str, float, str, str | None, str]) -> Start:
    arn, pipeline, version, definition, created, display_name, description, text = row
    facts = json.loads(text)
    rules = Rules(**facts.pop("rules"))
    facts |= {"display_name": display_name, "description": description}
    return Start(arn, pipeline, version, definition, created, rules=rules, **facts)
