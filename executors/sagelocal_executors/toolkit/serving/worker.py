"""The one thread in which a model lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from serving.exchange import Refused

T = TypeVar("T")
_GLANCE = 0.2  # seconds


class Worker:
    """Does what other threads ask of it in the thread that runs it, one after the other.

    A worker process of the real servers does the same: authors' code may count on the thread that loaded the model, and
    on being alone. What a model computes uses all cores nevertheless.
    """

    def __init__(self) -> None:
        # a SimpleQueue, because a signal handler may put into it while its own thread is in get()
        self._work: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = (
            SimpleQueue()
        )
        self._lock = threading.Lock()
        self._closed = False

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What the function returns or raises.

        Raises:
            Refused: 503, the worker has stopped.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise _stopped()
            self._work.put((future, function, arguments))
        return future.result()

    def stop(self, *_signal: object) -> None:
        """End `run` once it has done what it was asked before; fit to be a signal handler."""
        self._work.put(None)

    def run(self) -> None:
        for future, function, arguments in iter(self._next, None):
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # belongs to the thread that asked
                future.set_exception(error)
        self._close()

    def _next(self) -> tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None:
        """Python runs a signal's handler between two steps of Python only: a signal just before get() would wait with it."""
        while True:
            try:
                return self._work.get(timeout=_GLANCE)
            except Empty:
                continue

    def _close(self) -> None:
        with self._lock:
            self._closed = True
        while True:
            try:
                late = self._work.get_nowait()
            except Empty:
                return
            if late:
                late[0].set_exception(_stopped())


def _stopped() -> Refused:
    return Refused(503, "the server is shutting down")
