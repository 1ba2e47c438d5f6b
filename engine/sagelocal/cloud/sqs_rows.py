"""Queues and messages as rows of the state file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from sagelocal.cloud.sqs_messages import AttributeValue, Draft, Message, handle
from sagelocal.values import Json

DEDUPLICATION_SECONDS = 300.0
"""For how long a FIFO queue remembers what it has taken (SQS developer guide, "Exactly-once processing")."""

_FIRST_SEQUENCE = 10**19  # sequence numbers have 20 digits


@dataclass(frozen=True, slots=True)
class Row:
    """A queue; `attributes` are those that were set, `implicit` means that nobody has created it by name yet."""

    name: str
    created: float
    modified: float
    implicit: bool
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    purged: float | None = None


class Counts(NamedTuple):
    visible: int
    in_flight: int
    delayed: int


def find(db: sqlite3.Connection, name: str) -> Row | None:
    row = db.execute(f"{_SELECT_QUEUE} WHERE name = ?", (name,)).fetchone()
    return _queue(row) if row else None


def all_queues(db: sqlite3.Connection) -> list[Row]:
    return [_queue(row) for row in db.execute(f"{_SELECT_QUEUE} ORDER BY name")]


def keep(db: sqlite3.Connection, row: Row) -> None:
    """Write a queue, new or changed."""
    values = (
        row.name,
        row.created,
        row.modified,
        row.implicit,
        json.dumps(dict(row.attributes)),
        json.dumps(dict(row.tags)),
        row.purged,
    )
    db.execute(_KEEP_QUEUE, values)


def drop(db: sqlite3.Connection, name: str) -> None:
    """Delete a queue with its messages."""
    db.execute("DELETE FROM queues WHERE name = ?", (name,))


def empty(db: sqlite3.Connection, name: str) -> None:
    """Delete all messages of a queue."""
    db.execute("DELETE FROM queue_messages WHERE queue = ?", (name,))


def expire(db: sqlite3.Connection, name: str, before: float) -> None:
    """Delete what was sent before that moment."""
    db.execute("DELETE FROM queue_messages WHERE queue = ? AND sent < ?", (name, before))


def insert(
    db: sqlite3.Connection, name: str, identity: str, draft: Draft, *, sent: float, visible: float
) -> int:
    """Add a message; returns its place in the order of sending."""
    values = (
        name,
        identity,
        draft.body,
        _encoded(draft.attributes),
        draft.trace,
        draft.group,
        draft.deduplication,
        sent,
        visible,
    )
    return int(db.execute(_INSERT, values).fetchone()[0])


def earlier(
    db: sqlite3.Connection, name: str, scope: str, deduplication: str, now: float
) -> tuple[str, int] | None:
    """The id and place of the message that the same deduplication id has brought within the last five minutes."""
    db.execute(
        "DELETE FROM queue_deduplications WHERE queue = ? AND sent <= ?", (name, now - DEDUPLICATION_SECONDS)
    )
    row = db.execute(
        "SELECT message, seq FROM queue_deduplications WHERE queue = ? AND scope = ? AND id = ?",
        (name, scope, deduplication),
    ).fetchone()
    return (str(row[0]), int(row[1])) if row else None


def remember(
    db: sqlite3.Connection,
    name: str,
    scope: str,
    deduplication: str,
    *,
    message: tuple[str, int],
    now: float,
) -> None:
    """Remember which message a deduplication id has brought."""
    db.execute(
        "INSERT OR REPLACE INTO queue_deduplications VALUES (?, ?, ?, ?, ?, ?)",
        (name, scope, deduplication, *message, now),
    )


def receivable(db: sqlite3.Connection, name: str, now: float, limit: int) -> list[int]:
    """The places of the messages that may be received now, in the order of delivery.

    A FIFO queue delivers nothing of a group of which something is in flight, or something earlier is out of sight.
    """
    query = _RECEIVABLE_FIFO if name.endswith(".fifo") else _RECEIVABLE
    return [seq for (seq,) in db.execute(query, {"queue": name, "now": now, "limit": limit})]


def take(db: sqlite3.Connection, seq: int, receipt: str, now: float, visible: float) -> Message:
    """Mark a message as received, out of sight until `visible`."""
    return _message(db.execute(_TAKE, (receipt, visible, now, seq)).fetchone())


def retire(db: sqlite3.Connection, name: str, most: int, *, target: str, source: str, now: float) -> int:
    """Move what was received `most` times, and is in sight again, to a dead-letter queue; returns how many."""
    # A FIFO queue counts the age of a message anew, another keeps it (SQS developer guide, "Dead-letter queues").
    values = (target, source, now, target.endswith(".fifo"), now, name, now, most)
    return db.execute(_RETIRE, values).rowcount


def receipt_of(db: sqlite3.Connection, name: str, identity: str) -> tuple[str | None, float] | None:
    """The receipt that is valid for a message, and until when it is out of sight; None when it is gone."""
    row = db.execute(
        "SELECT receipt, visible FROM queue_messages WHERE queue = ? AND id = ?", (name, identity)
    ).fetchone()
    return (row[0], float(row[1])) if row else None


def delete(db: sqlite3.Connection, name: str, identity: str) -> None:
    db.execute("DELETE FROM queue_messages WHERE queue = ? AND id = ?", (name, identity))


def hide(db: sqlite3.Connection, name: str, identity: str, visible: float) -> None:
    """Put a message out of sight until then."""
    db.execute("UPDATE queue_messages SET visible = ? WHERE queue = ? AND id = ?", (visible, name, identity))


def counts(db: sqlite3.Connection, name: str, now: float) -> Counts:
    visible, in_flight, delayed = db.execute(_COUNTS, {"queue": name, "now": now}).fetchone()
    return Counts(int(visible), int(in_flight), int(delayed))


def in_flight(db: sqlite3.Connection, name: str, now: float) -> int:
    query = "SELECT COUNT(receipt) FROM queue_messages WHERE queue = ? AND visible > ?"
    return int(db.execute(query, (name, now)).fetchone()[0])


def next_visible(db: sqlite3.Connection, name: str, now: float) -> float:
    """When the next message comes into sight by itself; infinite when none will."""
    query = "SELECT MIN(visible) FROM queue_messages WHERE queue = ? AND visible > ?"
    (moment,) = db.execute(query, (name, now)).fetchone()
    return inf if moment is None else float(moment)


def sequence(seq: int) -> str:
    """The place as a FIFO queue's sequence number."""
    return str(_FIRST_SEQUENCE + seq)


_SELECT_QUEUE = "SELECT name, created, modified, implicit, attributes, tags, purged FROM queues"
_KEEP_QUEUE = """
    INSERT INTO queues (name, created, modified, implicit, attributes, tags, purged) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET modified = excluded.modified, implicit = excluded.implicit,
        attributes = excluded.attributes, tags = excluded.tags, purged = excluded.purged
"""
_INSERT = """
    INSERT INTO queue_messages
        (queue, id, body, attributes, trace, sender_group, deduplication, sent, visible)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq
"""
# Those that came into sight first: what a consumer gives back goes behind what nobody has seen yet.
_RECEIVABLE = """
    SELECT seq FROM queue_messages WHERE queue = :queue AND visible <= :now ORDER BY visible, seq LIMIT :limit
"""
_RECEIVABLE_FIFO = """
    SELECT seq FROM queue_messages AS message WHERE queue = :queue AND visible <= :now AND NOT EXISTS (
        SELECT 1 FROM queue_messages AS other
        WHERE other.queue = :queue AND other.sender_group = message.sender_group AND other.visible > :now
            AND (other.receipt IS NOT NULL OR other.seq < message.seq)
    ) ORDER BY seq LIMIT :limit
"""
_TAKE = """
    UPDATE queue_messages SET receipt = ?, visible = ?, received = received + 1,
        first_received = COALESCE(first_received, ?)
    WHERE seq = ?
    RETURNING seq, queue, id, body, attributes, trace, sender_group, deduplication, source, sent, receipt, received,
        first_received
"""
_RETIRE = """
    UPDATE queue_messages SET queue = ?, source = ?, visible = ?, sent = IIF(?, ?, sent), receipt = NULL, received = 0,
        first_received = NULL
    WHERE queue = ? AND visible <= ? AND received >= ?
"""
_COUNTS = """
    SELECT COUNT(*) FILTER (WHERE visible <= :now), COUNT(*) FILTER (WHERE visible > :now AND receipt IS NOT NULL),
        COUNT(*) FILTER (WHERE visible > :now AND receipt IS NULL)
    FROM queue_messages WHERE queue = :queue
"""


def _queue(row: Any) -> Row:
    name, created, modified, implicit, attributes, tags, purged = row
    return Row(name, created, modified, bool(implicit), json.loads(attributes), json.loads(tags), purged)


def _message(row: Any) -> Message:
    seq, queue, identity, body, attributes, trace, group, deduplication, source, *times = row
    sent, receipt, received, first_received = times
    return Message(
        id=identity,
        body=body,
        receipt=handle(queue, identity, receipt),
        attributes=_decoded(attributes),
        sent=sent,
        received=received,
        first_received=first_received,
        group=group,
        deduplication=deduplication,
        sequence=sequence(seq) if queue.endswith(".fifo") else None,
        trace=trace,
        source=source,
    )


def _encoded(attributes: Mapping[str, AttributeValue]) -> str:
    return json.dumps({name: _encoded_value(each) for name, each in attributes.items()})


def _encoded_value(attribute: AttributeValue) -> list[Json]:
    # Bytes as hexadecimal digits, marked by a third element.
    if isinstance(attribute.value, bytes):
        return [attribute.data_type, attribute.value.hex(), True]
    return [attribute.data_type, attribute.value]


def _decoded(text: str) -> dict[str, AttributeValue]:
    return {
        name: AttributeValue(data_type, bytes.fromhex(value) if binary else value)
        for name, (data_type, value, *binary) in json.loads(text).items()
    }
