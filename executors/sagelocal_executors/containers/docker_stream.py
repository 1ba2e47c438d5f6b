"""The output of a Docker container, from the attached connection to lines on the event loop."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from sagelocal_executors.containers.lines import LineSplitter

_CHUNK = 64 * 1024
_AHEAD = 8
"""Chunks that may wait for the event loop: what a program prints faster than we take stays in its pipe."""
_HEADER = struct.Struct(">BxxxL")


class Frames:
    """Takes Docker's multiplexed stream apart (API: ContainerAttach)."""

    def __init__(self) -> None:
        self._pending = b""
        self._stream = 0
        self._left = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """What the chunk holds, in order: 1 (stdout) or 2 (stderr), and bytes; a frame may come in pieces."""
        data = self._pending + chunk if self._pending else chunk
        at = 0
        while True:
            piece = data[at : at + self._left]
            at, self._left = at + len(piece), self._left - len(piece)
            if piece:
                yield self._stream, piece
            if self._left or len(data) - at < _HEADER.size:
                break
            self._stream, self._left = _HEADER.unpack_from(data, at)
            at += _HEADER.size
        self._pending = data[at:]


class Pump:
    """Carries lines from a blocking connection to `on_line`, which is called on the event loop.

    `run` is for a thread and ends with the connection. `failed` gets what `on_line` raised, if it does.
    """

    def __init__(self, connection: Any, on_line: Callable[[str], None]) -> None:
        self._connection = connection
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._slots = threading.Semaphore(_AHEAD)
        self._hurried = False
        self.failed: asyncio.Future[None] = self._loop.create_future()

    def run(self) -> None:
        frames, splitters = Frames(), {1: LineSplitter(), 2: LineSplitter()}
        for chunk in self._chunks():
            # A frame is one write of the program, often one line: those of a chunk travel together.
            self._send([line for stream, data in frames.feed(chunk) for line in splitters[stream].feed(data)])
        self._send([line for splitter in splitters.values() for line in splitter.close()])

    def _chunks(self) -> Iterator[bytes]:
        plain = getattr(self._connection, "_sock", self._connection)
        # The client's timeout is for answers, not for quiet programs.
        getattr(plain, "settimeout", _ignore)(None)
        read = getattr(self._connection, "read", None) or self._connection.recv
        with suppress(OSError, ValueError):  # the connection has ended or was closed
            while chunk := read(_CHUNK):
                yield chunk

    def _send(self, lines: list[str]) -> None:
        if lines:
            if not self._hurried:
                self._slots.acquire()
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._take, lines)

    def _take(self, lines: list[str]) -> None:
        try:
            if not self.failed.done():
                for line in lines:
                    self._on_line(line)
        except Exception as error:
            self.failed.set_exception(error)
        finally:
            self._slots.release()

    def check(self) -> None:
        """Raise what `on_line` raised, if it did."""
        if self.failed.done():
            self.failed.result()

    def hurry(self) -> None:
        """The container has ended: take the little that is left at once, the daemon waits two seconds for us."""
        self._hurried = True
        self._slots.release()

    def cut(self) -> None:
        """End `run` although the daemon keeps the connection open."""
        plain = getattr(self._connection, "_sock", self._connection)
        with suppress(OSError, AttributeError):
            plain.shutdown(socket.SHUT_RDWR)
        self.hurry()


def _ignore(_: None) -> None:
    pass
