"""One process of a function, given one invocation at a time."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from sagelocal.cloud.functions import Function, Invoked
from sagelocal_executors.functions.hosts import Host
from sagelocal_executors.functions.memory import MEGABYTE
from sagelocal_executors.functions.reports import Report, end_line, start_line
from sagelocal_executors.functions.runtime_api import Invocation, RuntimeApi, error_object

if TYPE_CHECKING:
    from sagelocal.cloud.server import Listener

_INIT_SECONDS = 10.0
"""How long loading the code may take before it counts against the timeout (Lambda developer guide)."""
_LOOK_SECONDS = 0.05
"""Between two looks at the memory; a function cannot allocate much in that time."""


class _End(Enum):
    """Why an invocation, or the loading of the code, is over."""

    DONE = auto()
    EXITED = auto()
    TIMED_OUT = auto()
    OUT_OF_MEMORY = auto()


@dataclass(slots=True, eq=False)
class Worker:
    """A process with the Runtime API that it talks to.

    Attributes:
        usable: it can take a further invocation.
    """

    host: Host
    api: RuntimeApi
    listener: Listener
    begun: float = field(default_factory=time.monotonic)
    used: int = 0

    @property
    def usable(self) -> bool:
        return not self.host.ended.done()

    async def invoke(self, function: Function, payload: bytes, on_line: Callable[[str], None]) -> Invoked:
        """Run the function on a payload; a process that times out or needs too much memory is killed.

        Raises:
            Exception: what `on_line` raised.
        """
        identity = str(uuid.uuid4())
        self.used = 0
        self.host.listen(on_line)
        try:
            cold = not self.api.ready.done()
            end = await self._until(self.api.ready, function, self.begun + _INIT_SECONDS + function.timeout)
            began = time.monotonic()
            init = began - self.begun if cold else None
            on_line(start_line(identity))
            if end is not _End.DONE:
                invoked = await self._broken(end, function, identity)
            else:
                seconds = function.timeout - max(0.0, (init or 0.0) - _INIT_SECONDS)
                invoked = await self._run(function, identity, payload, seconds)
            await self.host.drain()
            on_line(end_line(identity))
            on_line(Report(time.monotonic() - began, function.memory, self.used, init).line(identity))
            return invoked
        finally:
            self.host.mute()

    async def close(self) -> None:
        """Kill the process and stop serving it."""
        await self.host.kill()
        self.host.close()
        self.api.close()
        await self.listener.close()

    async def _run(self, function: Function, identity: str, payload: bytes, seconds: float) -> Invoked:
        invocation = Invocation(identity, function.arn, payload, time.time() + seconds)
        answer = self.api.invoke(invocation)
        end = await self._until(answer, function, time.monotonic() + seconds)
        if end is not _End.DONE:
            return await self._broken(end, function, identity)
        return answer.result()

    async def _until(self, wanted: asyncio.Future[Any], function: Function, deadline: float) -> _End:
        """Wait for `wanted`, watching the process, the time and the memory."""
        while True:
            left = deadline - time.monotonic()
            both: set[asyncio.Future[Any]] = {wanted, self.host.ended}
            await asyncio.wait(
                both, timeout=max(0, min(left, _LOOK_SECONDS)), return_when=asyncio.FIRST_COMPLETED
            )
            self.used = max(self.used, self.host.used())
            if self.used > function.memory * MEGABYTE:
                return _End.OUT_OF_MEMORY
            if wanted.done():
                return _End.DONE
            if self.host.ended.done():
                return _End.EXITED
            if left <= 0:
                return _End.TIMED_OUT

    async def _broken(self, end: _End, function: Function, identity: str) -> Invoked:
        """The error object for a process that gave no answer, and its end."""
        if end is not _End.EXITED:
            await self.host.drain()
            await self.host.kill()
        match end:
            case _End.TIMED_OUT:
                kind, text = "Sandbox.Timedout", f"Task timed out after {function.timeout:.2f} seconds"
            case _End.OUT_OF_MEMORY:
                used = -(-self.used // MEGABYTE)
                kind = "Runtime.OutOfMemory"
                text = f"Runtime exited with error: signal: killed (Memory Size: {function.memory} MB Max Memory Used: {used} MB)"
            case _ if self.api.init_error:
                return Invoked(_identified(self.api.init_error, identity), failed=True)
            case _:
                kind, text = "Runtime.ExitError", _exit_text(self.host.ended.result())
        return Invoked(error_object(kind, text, identity), failed=True)


def _identified(error: bytes, identity: str) -> bytes:
    """An error of the code's loading, with the id of the invocation that it spoilt."""
    try:
        content = json.loads(error)
    except ValueError:
        return error
    return json.dumps({**content, "requestId": identity}).encode() if isinstance(content, dict) else error


def _exit_text(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    names = {int(number): number for number in signal.Signals}
    described = signal.strsignal(-code) if -code in names else None
    return f"Runtime exited with error: signal: {(described or str(-code)).lower()}"
