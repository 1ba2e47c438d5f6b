"""What the configuration feeds from queues, with what people are told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagelocal.callbacks import Callbacks
from sagelocal.cloud.event_sources import EventSource
from sagelocal.cloud.sqs_attributes import check_name
from sagelocal.cloud.sqs_directory import queue_name
from sagelocal.cloud.sqs_messages import Message
from sagelocal.errors import UsageError
from sagelocal.logs import StepLog, StepLogs
from sagelocal.settings import Runtime, Settings

LONGEST_GRACE = 5.0
"""Seconds for which the end of an engine waits for functions: one that has given its answer is about to return."""
_EMBEDDED = "embedded"


def feeds(settings: Settings) -> bool:
    """Whether queues feed functions in this run; not where all is stubs, or where the queues are another endpoint's.

    Raises:
        UsageError: they are another endpoint's, and the configuration wants functions to be fed from them.
    """
    runtimes = {settings.runtime, *(step.runtime for step in settings.steps.values())}
    if runtimes <= {Runtime.STUB, None}:
        return False
    embedded = settings.aws.endpoint == _EMBEDDED
    if not embedded and (fed := [source.function for source in sources(settings)]):
        message = (
            f"functions.{fed[0]}.queues: the queues are those of aws.endpoint, {settings.aws.endpoint}: "
            "let it feed the function (CreateEventSourceMapping), or leave aws.endpoint embedded"
        )
        raise UsageError(message)
    return embedded


def sources(settings: Settings) -> Iterator[EventSource]:
    """The queues that feed functions, by the configuration.

    Raises:
        UsageError: no queue can have that name.
    """
    for name, rule in settings.functions.items():
        for queue in rule.queues:
            try:
                check_name(queue_name(queue))
            except UsageError as error:
                message = f"functions.{name}.queues: {queue!r} names no queue: {error}"
                raise UsageError(message) from None
            yield EventSource(queue, name, rule.batch)


@dataclass(frozen=True, slots=True)
class Notes:
    """Where it is said how fed functions fare.

    Attributes:
        folder: for one log per function.
        logs: of the steps.
        callbacks: the steps that wait for an answer.
    """

    folder: Path
    logs: StepLogs
    callbacks: Callbacks

    def log(self, function: str) -> StepLog:
        return StepLog(self.folder / f"{function}.log", lambda _: None)

    def tell(self, messages: Sequence[Message], text: str) -> None:
        """Say so in the log of every Callback step that waits for an answer to one of these messages."""
        for awaited in self.callbacks.awaited():
            if any(awaited.token in message.body for message in messages):
                with self.logs.open(awaited.execution, awaited.step) as log:
                    log.note(f"{text} (what it printed: {self.folder})")
