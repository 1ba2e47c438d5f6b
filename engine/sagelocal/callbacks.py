"""The answers that Callback steps wait for, by their tokens (semantics 07 §7.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sagelocal.clock import Clock
from sagelocal.errors import ConflictError, NotFoundError

REMEMBERED = 8 * 3600.0
"""Seconds for which an ended token is known: the window of ClientRequestToken (semantics 10 §10.5, 13 U19)."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A Callback step that waits for its answer.

    Attributes:
        token: what the answer has to name.
        execution: ARN of the pipeline execution.
        step: name of the step.
        queue: URL of the queue that the message went to.
        since: seconds since the epoch.
        hint: how to answer, for a person.
    """

    token: str
    execution: str
    step: str
    queue: str
    since: float
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Success:
    """SendPipelineExecutionStepSuccess: output values by name, all texts."""

    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """SendPipelineExecutionStepFailure; the reason may be empty."""

    reason: str = ""


Answer = Success | Failure


@dataclass(frozen=True, slots=True)
class _Ended:
    """A token that nobody waits for any more; `answer` is None when none came in time."""

    awaited: Awaited
    answer: Answer | None
    request: str
    at: float


class Callbacks:
    """All tokens of this engine: those awaited and, for a while, those that were.

    Of several answers to one token the first counts. A further one, or one that comes too late, is a ConflictError;
    unless it repeats the first one with its request token, as a client does that has not heard of its success.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, tuple[Awaited, asyncio.Future[Answer]]] = {}
        self._ended: dict[str, _Ended] = {}  # in the order of their ends
        self._listeners: list[Callable[[Awaited], None]] = []
        self._closed = False

    @contextmanager
    def expect(self, awaited: Awaited) -> Iterator[asyncio.Future[Answer]]:
        """Take an answer to this token while the block runs; the future is cancelled when none can come any more."""
        reply: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._ended.pop(awaited.token, None)
        self._open[awaited.token] = awaited, reply
        if self._closed:
            reply.cancel()
        for listener in self._listeners:
            listener(awaited)
        try:
            yield reply
        finally:
            if self._open.pop(awaited.token, None):
                self._end(awaited, None, "")

    def answer(self, token: str, answer: Answer, request: str = "") -> str:
        """Answer a step; the ARN of its execution.

        Args:
            token: the step's.
            answer: what became of its work.
            request: the ClientRequestToken; empty for none.

        Raises:
            NotFoundError: no such token is or was awaited here.
            ConflictError: it was answered otherwise, or came too late.
        """
        if token not in self._open:
            return self._repeated(token, answer, request)
        awaited, reply = self._open[token]
        if reply.cancelled():
            message = f"Step {awaited.step} does not wait for the callback token {token} any more: its engine is closing."
            raise ConflictError(message)
        del self._open[token]
        reply.set_result(answer)
        self._end(awaited, answer, request)
        return awaited.execution

    def awaited(self) -> list[Awaited]:
        """The steps that wait, longest first."""
        return [awaited for awaited, _ in self._open.values()]

    def subscribe(self, listener: Callable[[Awaited], None]) -> None:
        """Call `listener` on the event loop with every step that begins to wait."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Let everybody stop waiting: from here on no answer can arrive."""
        self._closed = True
        for _, reply in self._open.values():
            reply.cancel()

    def _repeated(self, token: str, answer: Answer, request: str) -> str:
        self._forget()
        ended = self._ended.get(token)
        if ended is None:
            message = f"Callback token {token} does not exist."
            raise NotFoundError(message)
        if request and request == ended.request and answer == ended.answer:
            return ended.awaited.execution
        why = "was not answered in time or was stopped" if ended.answer is None else "has its answer already"
        message = f"Callback token {token} is used up: step {ended.awaited.step} {why}."
        raise ConflictError(message)

    def _end(self, awaited: Awaited, answer: Answer | None, request: str) -> None:
        self._forget()
        self._ended[awaited.token] = _Ended(awaited, answer, request, self._clock.now())

    def _forget(self) -> None:
        before = self._clock.now() - REMEMBERED
        while self._ended and (oldest := next(iter(self._ended.values()))).at < before:
            del self._ended[oldest.awaited.token]
