"""Receivers that wait for messages of one queue."""

from __future__ import annotations

import asyncio
from math import inf

from sagelocal.clock import Clock


class Waiting:
    """The waiting receivers, longest first, with the one timer that they share.

    A receiver costs a future, the queue one task while anybody waits: no thread, and nobody polls. Only as many receivers
    are woken as can find something: one that took its share and left messages wakes the next.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadlines: dict[asyncio.Future[None], float] = {}
        self._visible = inf  # when the next message comes into sight by itself
        self._timer: asyncio.Task[None] | None = None
        self._due = inf

    def __len__(self) -> int:
        return len(self._deadlines)

    async def wait(self, deadline: float) -> None:
        """Return when something may be there to receive, at the latest at `deadline`, a moment of the clock."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadlines[woken] = deadline
        self._set_timer()
        try:
            await woken
        except asyncio.CancelledError:
            if not woken.cancelled():
                self.wake()  # it was this receiver's turn; it is somebody else's now
            raise
        finally:
            self._deadlines.pop(woken, None)
            self._set_timer()

    def expect(self, moment: float) -> None:
        """Be told when the next message comes into sight by itself; infinite when none will."""
        self._visible = min(self._visible, moment)
        self._set_timer()

    def wake(self) -> None:
        """Let the one who has waited longest look."""
        for woken in self._deadlines:
            self._wake(woken)
            return

    def wake_all(self) -> None:
        for woken in list(self._deadlines):
            self._wake(woken)

    def _wake(self, woken: asyncio.Future[None]) -> None:
        del self._deadlines[woken]
        if not woken.done():
            woken.set_result(None)

    def _set_timer(self) -> None:
        due = min(self._visible, *self._deadlines.values()) if self._deadlines else inf
        if due == self._due:
            return
        if self._timer:
            self._timer.cancel()
        self._due = due
        self._timer = None if due == inf else asyncio.create_task(self._ring(due), name="sagelocal queue")

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(max(0.0, due - self._clock.now()))
        # From here on without a pause, so the timer that is set below cannot cancel this task before it is done.
        self._timer, self._due = None, inf
        now = max(due, self._clock.now())
        for woken in [each for each, deadline in self._deadlines.items() if deadline <= now]:
            self._wake(woken)
        if self._visible <= now:
            self._visible = inf
            self.wake()
        self._set_timer()
