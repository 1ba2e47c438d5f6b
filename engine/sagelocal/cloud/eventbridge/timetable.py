"""What is due when: one task waits for the next moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from sagelocal.clock import Clock

_LOOK = 60.0
"""Seconds after which the clock is looked at again: a machine that was asleep, or was set right, has missed some."""

Perform = Callable[[str, float], None]
"""Does what is due under a key; may put it back for another moment."""


class Timetable:
    """Entries by key, performed when their moment has come while this is entered; those that were missed are performed once."""

    def __init__(self, clock: Clock, perform: Perform) -> None:
        self._clock = clock
        self._perform = perform
        self._due: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        task = asyncio.create_task(self._run(), name="sagelocal timetable")
        self._stack.push_async_callback(_cancelled, task)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def put(self, key: str, moment: float | None) -> None:
        """Enter a moment, in seconds since the epoch, in place of an earlier entry of that key; None: none."""
        if moment is None:
            self._due.pop(key, None)
        else:
            self._due[key] = moment
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = self._clock.now()
            for key, moment in sorted(self._due.items(), key=lambda entry: entry[1]):
                if moment <= now and self._due.get(key) == moment:
                    del self._due[key]
                    self._perform(key, moment)
            await self._wait()

    async def _wait(self) -> None:
        """Until the next moment, or until an entry has changed."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._changed.wait())]
        if self._due:
            left = max(0.0, min(self._due.values()) - self._clock.now())
            waits.append(asyncio.create_task(self._sleep(min(left, _LOOK))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()  # raises what went wrong
