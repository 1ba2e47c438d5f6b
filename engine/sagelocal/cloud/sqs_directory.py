"""Which queues there are, and how they are set up."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import MappingProxyType

from sagelocal.clock import Clock
from sagelocal.cloud import sqs_attributes, sqs_rows
from sagelocal.cloud.sqs_attributes import FIFO
from sagelocal.cloud.sqs_faults import SqsError, invalid, no_queue
from sagelocal.database import explained
from sagelocal.names import Partition

_PURGE_EVERY = 60.0  # seconds
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, as it is set up.

    Attributes:
        arn: its ARN in the partition.
        settings: its settable attributes with their defaults, as SQS's texts: ``{"VisibilityTimeout": "30", …}``.
        created: when, in seconds since the epoch; `modified`: its settings, likewise.
    """

    name: str
    arn: str
    settings: Mapping[str, str]
    tags: Mapping[str, str]
    created: float
    modified: float

    @property
    def fifo(self) -> bool:
        return self.name.endswith(FIFO)

    def seconds(self, attribute: str) -> float:
        """The value of an attribute that is a number of seconds."""
        return float(self.settings[attribute])


def queue_name(name_or_url: str) -> str:
    """The name in a queue's URL, of AWS (``https://sqs.<region>.amazonaws.com/<account>/<name>``) or ours, or ARN."""
    return name_or_url.rstrip("/").rpartition("/")[2].rpartition(":")[2]


class Directory:
    """The queues of the account, in the state file.

    Raises:
        SqsError: from every method, what SQS would refuse.
        MachineError: from every method, when the file cannot be read or written.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock, partition: Partition) -> None:
        self._connection = connection
        self._clock = clock
        self.partition = partition

    def queue(self, name_or_url: str) -> Queue:
        """The queue of that name or URL; made with SQS's defaults when there is none (a FIFO one by its name)."""
        name = queue_name(name_or_url)
        if found := self._find(name):
            return found
        sqs_attributes.check_name(name)
        # Its owner would know how it deduplicates; by content, senders with and without an id of their own are served.
        attributes = {"ContentBasedDeduplication": "true"} if name.endswith(FIFO) else {}
        now = self._clock.now()
        self._keep(sqs_rows.Row(name, now, now, implicit=True, attributes=attributes, tags={}))
        return self.existing(name)

    def existing(self, name_or_url: str) -> Queue:
        """The queue of that name or URL.

        Raises:
            SqsError: QueueDoesNotExist.
        """
        name = queue_name(name_or_url)
        if found := self._find(name):
            return found
        raise no_queue(name)

    def create(
        self, name: str, attributes: Mapping[str, str] = _NO_TEXTS, tags: Mapping[str, str] = _NO_TEXTS
    ) -> Queue:
        """Create a queue; one that is there already, with these attributes, is left as it is.

        Raises:
            SqsError: QueueNameExists, when it is there with another value of an attribute; a bad name or value.
        """
        sqs_attributes.check_name(name)
        if name.endswith(FIFO) != (attributes.get("FifoQueue") == "true"):
            message = f"{name}: the name of a FIFO queue ends with {FIFO} and its attribute FifoQueue is true; of another queue neither."
            raise SqsError("InvalidParameterValueException", message)
        sqs_attributes.check(name, attributes)
        self._check_dead_letters(name, attributes)
        with _kept():
            row = sqs_rows.find(self._connection, name)
        now = self._clock.now()
        if row is None or row.implicit:
            created = row.created if row else now
            wanted = sqs_attributes.given(attributes)
            self._keep(sqs_rows.Row(name, created, now, implicit=False, attributes=wanted, tags=tags))
        else:
            _check_same(self._queue(row), attributes)
        return self.existing(name)

    def all(self, prefix: str = "") -> list[Queue]:
        """The queues whose names begin so, by name."""
        with _kept():
            return [
                self._queue(row)
                for row in sqs_rows.all_queues(self._connection)
                if row.name.startswith(prefix)
            ]

    def set_attributes(self, name_or_url: str, attributes: Mapping[str, str]) -> None:
        """Set attributes of a queue; an empty value gives the default back."""
        row = self._row(name_or_url)
        sqs_attributes.check(row.name, attributes)
        self._check_dead_letters(row.name, attributes)
        wanted = sqs_attributes.given({**row.attributes, **attributes})
        self._keep(replace(row, attributes=wanted, modified=self._clock.now()))

    def set_tags(self, name_or_url: str, tags: Mapping[str, str]) -> None:
        """Put these in place of the queue's tags."""
        self._keep(replace(self._row(name_or_url), tags=tags))

    def drop(self, queue: Queue) -> None:
        """Delete a queue with its messages."""
        with _kept():
            sqs_rows.drop(self._connection, queue.name)

    def begin_purge(self, name_or_url: str) -> str:
        """Note that the queue is emptied now; returns its name.

        Raises:
            SqsError: PurgeQueueInProgress, within 60 seconds of another purge.
        """
        row, now = self._row(name_or_url), self._clock.now()
        if row.purged is not None and now < row.purged + _PURGE_EVERY:
            message = (
                f"Only one PurgeQueue operation on {row.name} is allowed every {_PURGE_EVERY:.0f} seconds."
            )
            raise SqsError("PurgeQueueInProgress", message)
        self._keep(replace(row, purged=now))
        return row.name

    def _find(self, name: str) -> Queue | None:
        with _kept():
            row = sqs_rows.find(self._connection, name)
        return self._queue(row) if row else None

    def _row(self, name_or_url: str) -> sqs_rows.Row:
        name = queue_name(name_or_url)
        with _kept():
            row = sqs_rows.find(self._connection, name)
        if row is None:
            raise no_queue(name)
        return row

    def _queue(self, row: sqs_rows.Row) -> Queue:
        defaults = sqs_attributes.FIFO_DEFAULTS if row.name.endswith(FIFO) else sqs_attributes.DEFAULTS
        settings = {**defaults, **row.attributes}
        return Queue(row.name, self._arn(row.name), settings, row.tags, row.created, row.modified)

    def _arn(self, name: str) -> str:
        return f"arn:aws:sqs:{self.partition.region}:{self.partition.account}:{name}"

    def _keep(self, row: sqs_rows.Row) -> None:
        with _kept():
            sqs_rows.keep(self._connection, row)

    def _check_dead_letters(self, name: str, attributes: Mapping[str, str]) -> None:
        policy = sqs_attributes.redrive(attributes)
        if policy is None:
            return
        text = attributes["RedrivePolicy"]
        if self._find(policy.queue) is None:
            raise invalid("RedrivePolicy", text, "Dead letter target does not exist.")
        if policy.queue.endswith(FIFO) != name.endswith(FIFO):
            raise invalid(
                "RedrivePolicy", text, "Dead-letter queue must be same type of queue as the source."
            )


def _kept() -> AbstractContextManager[None]:
    return explained("state.db")


def _check_same(queue: Queue, attributes: Mapping[str, str]) -> None:
    for name, value in attributes.items():
        if value and queue.settings.get(name) != value:
            message = f"A queue already exists with the same name and a different value for attribute {name}: {queue.name} has {queue.settings.get(name)}"
            raise SqsError("QueueNameExists", message)
