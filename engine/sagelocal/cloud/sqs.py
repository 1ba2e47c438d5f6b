"""Queues that survive a restart.

Own code over SQLite. The one well-kept library, moto's sqs, holds messages in the memory of its process (a consumer's
backlog would be gone after a restart), lets a receiver block a thread and look every second, and reads the machine's clock
itself.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from uuid import uuid4

from sagelocal.clock import Clock
from sagelocal.cloud import sqs_attributes, sqs_messages, sqs_rows
from sagelocal.cloud.sqs_directory import Directory, Queue, queue_name
from sagelocal.cloud.sqs_faults import SqsError, invalid, not_in_flight, not_receipt
from sagelocal.cloud.sqs_messages import AttributeValue, Draft, Message, Sent
from sagelocal.cloud.sqs_waiting import Waiting
from sagelocal.database import explained, transaction
from sagelocal.names import Partition

_MOST_RECEIVED = 10
_LONGEST_WAIT = 20.0  # seconds
_LONGEST_HIDDEN = 43_200.0  # seconds
MOST_IN_FLIGHT = 120_000
_NO_ATTRIBUTES: Mapping[str, AttributeValue] = MappingProxyType({})


class Queues:
    """The messages of the account's queues, in the state file that `sagelocal.database.open_database` opens.

    A queue is named by its name or by a URL of it, AWS's or ours. Which queues there are, and how they are set up, is in
    `directory`.

    Not to be used by two threads at once; receivers wait on the event loop that sends.

    Raises:
        SqsError: from every method, what SQS would refuse.
        MachineError: from every method, when the file cannot be read or written.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock, partition: Partition) -> None:
        self._connection = connection
        self._clock = clock
        self.directory = Directory(connection, clock, partition)
        self._waiting: defaultdict[str, Waiting] = defaultdict(lambda: Waiting(clock))
        self._closed = False

    def close(self) -> None:
        """Let all waiting receivers return with nothing; nobody waits any more."""
        self._closed = True
        for waiting in self._waiting.values():
            waiting.wake_all()

    @property
    def closed(self) -> bool:
        """Whether nobody waits any more: receivers return at once."""
        return self._closed

    def queue(self, name_or_url: str) -> Queue:
        """The queue of that name or URL; made with SQS's defaults when there is none (a FIFO one by its name)."""
        return self.directory.queue(name_or_url)

    def delete_queue(self, name_or_url: str) -> None:
        """Delete a queue with its messages; its waiting receivers get QueueDoesNotExist."""
        queue = self.directory.existing(name_or_url)
        self.directory.drop(queue)
        if waiting := self._waiting.pop(queue.name, None):
            waiting.wake_all()

    def attributes(self, name_or_url: str) -> dict[str, str]:
        """All attributes of a queue, counts included, as SQS's texts."""
        queue = self.directory.existing(name_or_url)
        now = self._clock.now()
        with _kept():
            self._expire(queue, now)
            counts = sqs_rows.counts(self._connection, queue.name, now)
        return {
            **queue.settings,
            **{name: str(count) for name, count in zip(sqs_attributes.COUNTS, counts, strict=True)},
            "CreatedTimestamp": str(int(queue.created)),
            "LastModifiedTimestamp": str(int(queue.modified)),
            "QueueArn": queue.arn,
        }

    def purge(self, name_or_url: str) -> None:
        """Delete all messages of a queue.

        Raises:
            SqsError: PurgeQueueInProgress, within 60 seconds of another purge.
        """
        name = self.directory.begin_purge(name_or_url)
        with _kept():
            sqs_rows.empty(self._connection, name)

    def send(
        self,
        name_or_url: str,
        body: str,
        attributes: Mapping[str, AttributeValue] = _NO_ATTRIBUTES,
        *,
        delay: int | None = None,
        group: str | None = None,
        deduplication: str | None = None,
    ) -> Sent:
        """Send a message to a queue, which is created on first use; see `Draft` for the parameters."""
        return self.post(
            self.directory.queue(name_or_url), Draft(body, attributes, delay, group, deduplication)
        )

    def post(self, queue: Queue, draft: Draft) -> Sent:
        """Send a message to a queue that exists."""
        sqs_messages.check(draft, largest=int(queue.settings["MaximumMessageSize"]), fifo=queue.fifo)
        draft = _identified(queue, draft)
        now = self._clock.now()
        delay = queue.seconds("DelaySeconds") if draft.delay is None or queue.fifo else float(draft.delay)
        identity, seq = self._insert(queue, draft, now, now + delay)
        if delay:
            self._waiting[queue.name].expect(now + delay)
        else:
            self._waiting[queue.name].wake()
        return Sent(
            id=identity,
            body_md5=sqs_messages.md5(draft.body.encode()),
            attributes_md5=sqs_messages.attributes_md5(draft.attributes),
            trace_md5=sqs_messages.attributes_md5(_trace(draft)),
            sequence=sqs_rows.sequence(seq) if queue.fifo else None,
        )

    async def receive(
        self,
        name_or_url: str,
        maximum: int = 1,
        wait: float | None = None,
        visibility: float | None = None,
    ) -> list[Message]:
        """Receive up to `maximum` messages of a queue, which is created on first use.

        Args:
            name_or_url: which queue.
            maximum: 1 to 10.
            wait: how many seconds to wait while there is none, up to 20; None: as the queue says.
            visibility: for how many seconds nobody else receives them; None: as the queue says.
        """
        queue = self.directory.queue(name_or_url)
        wait = queue.seconds("ReceiveMessageWaitTimeSeconds") if wait is None else wait
        _check_receive(maximum, wait, visibility)
        deadline = self._clock.now() + wait
        while True:
            taken = self._take(self.directory.existing(queue.name), maximum, visibility)
            if taken or self._closed or self._clock.now() >= deadline:
                return taken
            await self._waiting[queue.name].wait(deadline)

    def waiting(self, name_or_url: str) -> int:
        """How many receivers wait for messages of this queue."""
        return len(self._waiting[queue_name(name_or_url)])

    def delete(self, name_or_url: str, receipt: str) -> None:
        """Delete a received message; one that is gone already is no error.

        With the handle of an earlier receipt nothing happens, or at a FIFO queue an error, as at SQS.
        """
        queue = self.directory.existing(name_or_url)
        identity, token = _opened(queue, receipt)
        now = self._clock.now()
        with _kept():
            held = sqs_rows.receipt_of(self._connection, queue.name, identity)
            if held is None:
                return
            if queue.fifo and (held[0] != token or held[1] <= now):
                raise invalid("ReceiptHandle", receipt, "The receipt handle has expired.")
            if held[0] == token:
                sqs_rows.delete(self._connection, queue.name, identity)
        self._waiting[queue.name].wake()  # its group may go on

    def change_visibility(self, name_or_url: str, receipt: str, seconds: float) -> None:
        """Let a message in flight come back into sight so many seconds from now; 0: at once.

        Raises:
            SqsError: MessageNotInflight, ReceiptHandleIsInvalid, or more than 12 hours.
        """
        _check_visibility(seconds)
        queue = self.directory.existing(name_or_url)
        identity, token = _opened(queue, receipt)
        now = self._clock.now()
        with _kept():
            held = sqs_rows.receipt_of(self._connection, queue.name, identity)
            if held is None or held[0] != token or held[1] <= now:
                raise not_in_flight(receipt)
            sqs_rows.hide(self._connection, queue.name, identity, now + seconds)
        if seconds:
            self._waiting[queue.name].expect(now + seconds)
        else:
            self._waiting[queue.name].wake()

    def _insert(self, queue: Queue, draft: Draft, now: float, visible: float) -> tuple[str, int]:
        """The id and the place of the message, or of the one that was the same to a FIFO queue."""
        identity = str(uuid4())
        with transaction(self._connection) as db:
            if not queue.fifo or draft.deduplication is None:
                seq = sqs_rows.insert(db, queue.name, identity, draft, sent=now, visible=visible)
                return identity, seq
            by_group = queue.settings["DeduplicationScope"] == "messageGroup"
            scope = draft.group if by_group and draft.group else ""
            if found := sqs_rows.earlier(db, queue.name, scope, draft.deduplication, now):
                return found
            seq = sqs_rows.insert(db, queue.name, identity, draft, sent=now, visible=visible)
            sqs_rows.remember(db, queue.name, scope, draft.deduplication, message=(identity, seq), now=now)
            return identity, seq

    def _take(self, queue: Queue, maximum: int, visibility: float | None) -> list[Message]:
        now = self._clock.now()
        hidden = queue.seconds("VisibilityTimeout") if visibility is None else visibility
        with transaction(self._connection) as db:
            self._expire(queue, now)
            self._retire(queue, now)
            if sqs_rows.in_flight(db, queue.name, now) >= MOST_IN_FLIGHT:
                message = f"{queue.name} has {MOST_IN_FLIGHT} messages in flight: delete those that are done."
                raise SqsError("OverLimit", message)
            found = sqs_rows.receivable(db, queue.name, now, maximum + 1)
            taken = [sqs_rows.take(db, seq, uuid4().hex, now, now + hidden) for seq in found[:maximum]]
            later = sqs_rows.next_visible(db, queue.name, now)
        waiting = self._waiting[queue.name]
        waiting.expect(later)
        if len(found) > maximum or (taken and not hidden):
            waiting.wake()
        return taken

    def _expire(self, queue: Queue, now: float) -> None:
        sqs_rows.expire(self._connection, queue.name, now - queue.seconds("MessageRetentionPeriod"))

    def _retire(self, queue: Queue, now: float) -> None:
        policy = sqs_attributes.redrive(queue.settings)
        # As at SQS, messages stay where they are while their dead-letter queue is gone.
        if policy is None or sqs_rows.find(self._connection, policy.queue) is None:
            return
        if sqs_rows.retire(
            self._connection, queue.name, policy.most, target=policy.queue, source=queue.arn, now=now
        ):
            self._waiting[policy.queue].wake()


def _kept() -> AbstractContextManager[None]:
    return explained("state.db")


def _trace(draft: Draft) -> dict[str, AttributeValue]:
    """The draft's system attributes, as they enter their digest."""
    return {"AWSTraceHeader": AttributeValue("String", draft.trace)} if draft.trace else {}


def _identified(queue: Queue, draft: Draft) -> Draft:
    """The draft with the deduplication id that a FIFO queue gives it by its content."""
    if not queue.fifo or draft.deduplication is not None:
        return draft
    if queue.settings["ContentBasedDeduplication"] != "true":
        message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
        raise SqsError("InvalidParameterValueException", message)
    return replace(draft, deduplication=sha256(draft.body.encode()).hexdigest())


def _check_receive(maximum: int, wait: float, visibility: float | None) -> None:
    if not 1 <= maximum <= _MOST_RECEIVED:
        reason = f"Must be between 1 and {_MOST_RECEIVED}, if provided."
        raise invalid("MaxNumberOfMessages", maximum, reason)
    if not 0 <= wait <= _LONGEST_WAIT:
        reason = f"Must be >= 0 and <= {_LONGEST_WAIT:.0f}, if provided."
        raise invalid("WaitTimeSeconds", wait, reason)
    if visibility is not None:
        _check_visibility(visibility)


def _check_visibility(seconds: float) -> None:
    if not 0 <= seconds <= _LONGEST_HIDDEN:
        reason = f"VisibilityTimeout must be an integer between 0 and {_LONGEST_HIDDEN:.0f}."
        raise invalid("VisibilityTimeout", seconds, reason)


def _opened(queue: Queue, receipt: str) -> tuple[str, str]:
    """The message and the receipt that a handle of this queue is for."""
    parts = sqs_messages.opened(receipt)
    if parts is None or parts[0] != queue.name:
        raise not_receipt(receipt)
    return parts[1], parts[2]
