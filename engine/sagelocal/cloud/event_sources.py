"""Queues whose messages are given to functions as events (Lambda developer guide, "Using Lambda with Amazon SQS")."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sagelocal.clock import Clock
from sagelocal.cloud import sqs_messages
from sagelocal.cloud.functions import Function, FunctionStore, Invoke, Invoked, name_of
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_directory import Queue
from sagelocal.cloud.sqs_faults import SqsError
from sagelocal.cloud.sqs_messages import AttributeValue, Message
from sagelocal.errors import MachineError, SagelocalError, UsageError
from sagelocal.values import Json

_LONG_POLL = 20.0
"""Seconds of one ReceiveMessage, the most that SQS allows."""
_PAUSE = 1.0
"""Seconds before more is taken from a queue after something went wrong, so that a broken function is no busy loop."""
_MARGIN = 60.0
"""Seconds besides the function's timeout for which its messages are hidden: its process has to start."""
_LONGEST_REASON = 500  # characters


@dataclass(frozen=True, slots=True)
class EventSource:
    """A queue that feeds a function.

    Attributes:
        queue: its name, URL or ARN.
        function: the function's name or ARN.
        batch: the most messages of one event, 1 to 10.
        partial: whether a returned ``batchItemFailures`` says which messages have failed (ReportBatchItemFailures).
    """

    queue: str
    function: str
    batch: int = 10
    partial: bool = True


@dataclass(slots=True)
class Course:
    """How one feeding goes.

    Attributes:
        giving: a function is at work on an event.
        over: no further event is to be given.
    """

    giving: bool = False
    over: bool = False


class Log(Protocol):
    """What the invocations of a function print, and our own words about them."""

    def line(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Feeder:
    """Gives messages to functions: no thread, and nobody polls.

    Attributes:
        log: opens the log of a function, by its name.
        told: hears of messages that a function has not dealt with, and why.
    """

    queues: Queues
    functions: FunctionStore
    invoke: Invoke
    clock: Clock
    log: Callable[[str], AbstractContextManager[Log]]
    told: Callable[[Sequence[Message], str], None]

    async def feed(self, source: EventSource, course: Course) -> None:
        """Give the queue's messages to the function, one event at a time, until that is over or the queues are closed.

        Whatever becomes of an event, the next one is given. Cancelled during an invocation, its messages stay in the queue.
        """
        while not (self.queues.closed or course.over):
            if not await self._round(source, course):
                await self.clock.sleep(_PAUSE)

    async def _round(self, source: EventSource, course: Course) -> bool:
        """Wait for messages, give them; False when something went wrong."""
        try:
            queue = self.queues.queue(source.queue)
            # Hidden for a moment at least, so that they are ours to hide for longer.
            hidden = max(1.0, queue.seconds("VisibilityTimeout"))
            messages = await self.queues.receive(queue.name, source.batch, _LONG_POLL, hidden)
            course.giving = True
            return not messages or await self._give(source, queue, messages)
        except SagelocalError as error:
            self._note(source, f"the queue {source.queue} cannot be read: {error}")
            return False
        finally:
            course.giving = False

    async def _give(self, source: EventSource, queue: Queue, messages: Sequence[Message]) -> bool:
        """Whether the function has dealt with all; those are gone then, others come back when the queue says."""
        visible = self.clock.now() + queue.seconds("VisibilityTimeout")
        left = {message.id for message in messages}
        try:
            left = await self._failed(source, queue, messages)
            why = "it said so in batchItemFailures"
        except SagelocalError as error:
            why = str(error)
        finally:
            self._settle(queue, messages, left, visible)
        if left:
            text = f"the function {source.function} failed on {len(left)} of {len(messages)} messages of {queue.name}: {why}"
            self._note(source, text)
            self.told([message for message in messages if message.id in left], text)
        return not left

    async def _failed(self, source: EventSource, queue: Queue, messages: Sequence[Message]) -> set[str]:
        """Give an event to the function; the ids of the messages that it has not dealt with.

        Raises:
            SagelocalError: with none of them; the text says why.
        """
        function = self.functions.find(source.function)
        if function is None:
            raise UsageError(self.functions.missing(source.function))
        self._hide(queue, messages, function)
        sender = self.queues.directory.partition.account
        event = {"Records": [record(message, queue, sender) for message in messages]}
        with self.log(function.name) as log:
            invoked = await self.invoke(function, json.dumps(event).encode(), log.line)
        if invoked.failed:
            raise UsageError(_described(invoked))
        return refused(invoked.payload, {message.id for message in messages}) if source.partial else set()

    def _hide(self, queue: Queue, messages: Sequence[Message], function: Function) -> None:
        """Keep the messages from others while the function runs: Lambda demands a queue that hides them for so long."""
        needed = function.timeout + _MARGIN
        if queue.seconds("VisibilityTimeout") < needed:
            for message in messages:
                self.queues.change_visibility(queue.name, message.receipt, needed)

    def _settle(self, queue: Queue, messages: Sequence[Message], left: set[str], visible: float) -> None:
        for message in messages:
            # What is gone, or somebody else's by now, needs nothing.
            with suppress(SqsError):
                if message.id in left:
                    seconds = max(0.0, visible - self.clock.now())
                    self.queues.change_visibility(queue.name, message.receipt, seconds)
                else:
                    self.queues.delete(queue.name, message.receipt)

    def _note(self, source: EventSource, text: str) -> None:
        # A disk that is full is told of by the steps' own logs.
        with suppress(MachineError), self.log(name_of(source.function)) as log:
            log.note(text)


def record(message: Message, queue: Queue, sender: str) -> dict[str, Json]:
    """A message as a record of an event."""
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": sqs_messages.system_attributes(message, sender),
        "messageAttributes": {name: _attribute(each) for name, each in message.attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.arn.split(":")[3],
    }


def _attribute(attribute: AttributeValue) -> dict[str, Json]:
    lists: dict[str, Json] = {"stringListValues": [], "binaryListValues": []}
    value = attribute.value
    given = (
        {"binaryValue": base64.b64encode(value).decode()}
        if isinstance(value, bytes)
        else {"stringValue": value}
    )
    return {**given, **lists, "dataType": attribute.data_type}


def refused(payload: bytes, given: set[str]) -> set[str]:
    """The ids in a function's ``{"batchItemFailures": [{"itemIdentifier": id}]}``; none when it returned something else.

    Of those given all, when an identifier is wrong: Lambda takes that for a failure of the whole event.
    """
    try:
        returned: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return set(given)
    failures = returned.get("batchItemFailures") if isinstance(returned, dict) else None
    if not failures:
        return set()
    try:
        named = {failure["itemIdentifier"] for failure in failures}
    except (TypeError, KeyError):
        return set(given)
    return named if named <= given else set(given)


def _described(invoked: Invoked) -> str:
    """An error object in one line."""
    text = invoked.payload.decode(errors="replace")
    with suppress(ValueError, RecursionError):
        error = json.loads(text)
        if isinstance(error, dict):
            text = ": ".join(str(error[key]) for key in ("errorType", "errorMessage") if error.get(key))
    return text[:_LONGEST_REASON]
