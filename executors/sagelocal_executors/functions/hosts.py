"""What runs one process of a function: started, watched, killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sagelocal.cloud.functions import Function
from sagelocal_executors.containers.waiting import unbroken
from sagelocal_executors.functions import memory
from sagelocal_executors.functions.interpreter import FunctionPython
from sagelocal_executors.functions.output import Output

_START = Path(__file__).with_name("start.py")


class Host(Protocol):
    """One process of a function.

    Attributes:
        ended: its exit code, once it has ended; negative for the signal that killed it.
    """

    ended: asyncio.Future[int]

    def listen(self, on_line: Callable[[str], None]) -> None:
        """Give what it prints to `on_line` from now on."""

    async def drain(self) -> None:
        """Take all that it has printed; raises what `on_line` raised."""

    def mute(self) -> None:
        """Take no more of what it prints until the next `listen`."""

    def used(self) -> int:
        """Bytes of memory that it holds; 0 when this cannot be known."""

    async def kill(self) -> None:
        """End it, if it has not ended, with all that it started."""

    def close(self) -> None:
        """Clear up after its end."""


class ProcessHost:
    """A process of this machine, in a group and session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, output: Output) -> None:
        self._process = process
        self._output = output
        self.ended: asyncio.Future[int] = asyncio.ensure_future(process.wait())
        # The group outlives its leader: what a function left running ends with it, while the number is still ours.
        self.ended.add_done_callback(lambda _: self._kill_group())
        self.listen, self.mute, self.close = output.listen, output.mute, output.close

    @classmethod
    async def start(
        cls, python: FunctionPython, function: Function, environment: dict[str, str]
    ) -> ProcessHost:
        output = Output()
        borrowed = {"SAGELOCAL_RUNTIME_CLIENT": str(python.borrowed)} if python.borrowed else {}
        local = {
            "PATH": os.pathsep.join((str(python.executable.parent), os.defpath)),
            # The code may be the user's own folder, which Lambda would mount read-only.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            process = await asyncio.create_subprocess_exec(
                *(str(python.executable), str(_START)),
                cwd=function.folder,
                env={**local, **environment, **borrowed},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.writer,
                stderr=output.writer,
                start_new_session=True,
            )
        except BaseException:
            output.close()
            raise
        output.started()
        return cls(process, output)

    async def drain(self) -> None:
        self._output.drain()

    def used(self) -> int:
        pid = self._process.pid
        return 0 if self.ended.done() else max(memory.resident(pid), memory.peak(pid))

    async def kill(self) -> None:
        if not self.ended.done():
            self._kill_group()
            await unbroken(asyncio.wait({self.ended}))

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
