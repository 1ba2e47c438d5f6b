"""What a function prints, through a pipe that is read only while an invocation runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from sagelocal_executors.containers.lines import LineSplitter

_CHUNK = 64 * 1024
_LAST_CHUNKS = 32
"""Read after the end of an invocation; more comes only from threads that go on, and waits for the next one."""


class Output:
    """The read end of a pipe whose write end, `writer`, the process gets as standard output and error.

    Between invocations nothing is read: what a thread of the function prints then appears in the next one's log, and the
    thread waits when the pipe is full. Lambda, which freezes the whole process, looks the same.
    """

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._splitter = LineSplitter()
        self._on_line: Callable[[str], None] | None = None
        self._fault: Exception | None = None

    def started(self) -> None:
        """The process has its copy of the write end."""
        os.close(self.writer)
        self.writer = -1

    def listen(self, on_line: Callable[[str], None]) -> None:
        self._on_line, self._splitter, self._fault = on_line, LineSplitter(), None
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def drain(self) -> None:
        """Take what has been printed so far.

        Raises:
            Exception: what `on_line` raised.
        """
        for _ in range(_LAST_CHUNKS):
            if not self._read():
                break
        self._give(self._splitter.close())
        self._splitter = LineSplitter()
        if self._fault:
            raise self._fault

    def mute(self) -> None:
        """Read no more until the next `listen`."""
        if self._reader >= 0:
            asyncio.get_running_loop().remove_reader(self._reader)

    def close(self) -> None:
        self.mute()
        for descriptor in (self._reader, self.writer):
            if descriptor >= 0:
                os.close(descriptor)
        self._reader = self.writer = -1

    def _read(self) -> bool:
        if self._reader < 0:
            return False
        try:
            data = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            # Nobody has the write end any more: the loop would call us for ever.
            self.mute()
            return False
        self._give(self._splitter.feed(data))
        return True

    def _give(self, lines: list[str]) -> None:
        if self._on_line is None or self._fault:
            return  # a full disk must not block the function: it is told at the end
        try:
            for line in lines:
                self._on_line(line)
        except Exception as error:
            self._fault = error
