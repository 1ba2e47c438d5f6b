"""Containers played by a sandboxed process, for machines without Docker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

from sagelocal.errors import MachineError
from sagelocal.settings import Settings
from sagelocal_executors.containers import ContainerSpec, Exit
from sagelocal_executors.containers.bubblewrap import Bubblewrap, find_bubblewrap
from sagelocal_executors.containers.environment import image_environment, job_environment
from sagelocal_executors.containers.folders import discard, private_folder
from sagelocal_executors.containers.interpreter import Interpreter, chosen, look_at
from sagelocal_executors.containers.lines import LineSplitter
from sagelocal_executors.containers.sandbox import Sandbox, command
from sagelocal_executors.containers.sockets import VARIABLE, inherited, url_of
from sagelocal_executors.containers.waiting import Threads, either, supervise, unbroken
from sagelocal_executors.images import GENERIC, Family, family_of

_CHUNK = 64 * 1024
_TOOLKIT = Path(__file__).parent.parent / "toolkit" / "main.py"
_OWN_FAULT = "bwrap: "
_NOT_FOUND = "bwrap: execvp "
_KILLED = 128 + signal.SIGKILL
_POLLS, _POLL_SECONDS = 100, 0.05


class ProcessContainers:
    """Runs each container as a process in a bubblewrap sandbox, with the toolkit playing the image's own program.

    Args:
        settings: for interpreters, image families, the region and the account.
        scratch: folder for the sandboxes' private folders; made on demand.
        reach: how jobs get at our endpoint; None leaves AWS_ENDPOINT_URL unset.
    """

    def __init__(
        self, settings: Settings, scratch: Path, reach: Callable[[str], Awaitable[str]] | None = None
    ) -> None:
        self._settings = settings
        self._scratch = scratch.absolute()
        self._reach = reach
        self._threads = Threads("process")
        self._finding = asyncio.Lock()
        self._bubblewrap: Bubblewrap | None = None
        self._interpreters: dict[Path, Interpreter] = {}

    async def bubblewrap(self) -> Bubblewrap:
        """The sandbox program, looked for once.

        Raises:
            MachineError: none works here.
        """
        async with self._finding:
            if self._bubblewrap is None:
                self._bubblewrap = await find_bubblewrap(self._scratch)
            return self._bubblewrap

    async def interpreter(self, image: str) -> Interpreter:
        """The Python that plays this image, looked at once.

        Raises:
            MachineError: it cannot be run.
        """
        executable = chosen(self._settings, image)
        if executable not in self._interpreters:
            self._interpreters[executable] = await look_at(executable)
        return self._interpreters[executable]

    def family(self, image: str) -> Family:
        """The family whose toolkit plays this image: ``generic`` when nothing better is known."""
        return family_of(image, self._settings) or Family(GENERIC)

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit:
        """As `Containers.run`."""
        interpreter, family = await self.interpreter(spec.image), self.family(spec.image)
        folder = private_folder(self._scratch, spec)
        sandbox = Sandbox(await self.bubblewrap(), interpreter, folder, (_TOOLKIT.parent,))
        try:
            arguments = await self._threads.call(sandbox.prepare, spec)
            environment = await self._environment(spec, family)
            with inherited(spec.listener) as server:
                passed = {VARIABLE: str(server.fileno())} if server else {}
                process = await asyncio.create_subprocess_exec(
                    *(*arguments, "--", *command(spec, _TOOLKIT, family.name, interpreter)),
                    env=sandbox.environment(environment | passed),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    limit=_CHUNK,
                    pass_fds=[server.fileno()] if server else [],
                )
                url = url_of(server) if server else ""
            return await _follow(process, spec, on_line, url)
        finally:
            await self._threads.call(discard, folder)

    async def close(self) -> None:
        self._threads.close()

    async def _environment(self, spec: ContainerSpec, family: Family) -> dict[str, str]:
        url = await self._reach("127.0.0.1") if self._reach and spec.network else None
        # Docker sets HOSTNAME, so scripts read it.
        own = image_environment(spec.image, family) | {"HOSTNAME": spec.hostname} | dict(spec.env)
        return job_environment(self._settings, own, url)


async def _follow(
    process: asyncio.subprocess.Process, spec: ContainerSpec, on_line: Callable[[str], None], url: str
) -> Exit:
    output = _Output(process, on_line)
    kills = _oom_kills()
    reading = asyncio.ensure_future(output.read())
    waiting = asyncio.ensure_future(process.wait())
    ended = asyncio.ensure_future(either(waiting, output.failed))
    stopping = _Stopping(process, waiting)
    try:
        if spec.listener:
            spec.listener.on_url(url)
        timed_out = await supervise(ended, spec.limits, stopping.terminate, stopping.kill)
        output.check()
        await reading
        code = output.code(waiting.result())
        memory_ran_out = code == _KILLED and not stopping.killed and _oom_kills() != kills
        return Exit(code, oom=memory_ran_out, timed_out=timed_out)
    finally:
        await unbroken(stopping.kill())
        await unbroken(asyncio.wait({waiting, reading}))


class _Output:
    """The lines of a process, read as fast as `on_line` takes them; `failed` gets what `on_line` raised."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        assert process.stdout
        self._stream = process.stdout
        self._on_line = on_line
        self._lines = 0
        self._first = ""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def read(self) -> None:
        splitter = LineSplitter()
        while data := await self._stream.read(_CHUNK):
            self._take(splitter.feed(data))
            # A read from a full buffer does not give way to others.
            await asyncio.sleep(0)
        self._take(splitter.close())

    def _take(self, lines: list[str]) -> None:
        for line in lines:
            self._lines += 1
            self._first = self._first or line
            if not self.failed.done():
                try:
                    self._on_line(line)
                except Exception as error:
                    self.failed.set_exception(error)

    def check(self) -> None:
        """Raise what `on_line` raised, if it did."""
        if self.failed.done():
            self.failed.result()

    def code(self, returncode: int) -> int:
        """The exit code as Docker counts: 127 for no such program, 128 and the signal for a killed one.

        Raises:
            MachineError: the sandbox could not be made.
            Exception: what `on_line` raised.
        """
        self.check()
        # Bubblewrap's own complaint is the only line that there is then.
        if returncode == 1 and self._lines == 1 and self._first.startswith(_OWN_FAULT):
            if self._first.startswith(_NOT_FOUND):
                return 127
            message = f"The sandbox could not be made: {self._first}"
            raise MachineError(message)
        return 128 - returncode if returncode < 0 else returncode


class _Stopping:
    """Signals to everything in a sandbox."""

    def __init__(self, process: asyncio.subprocess.Process, waiting: asyncio.Future[int]) -> None:
        self._process = process
        self._waiting = waiting
        self.killed = False

    async def terminate(self) -> None:
        """SIGTERM to every process inside, as soon as there is one."""
        for _ in range(_POLLS):
            inside = list(_inside(self._process.pid))
            _send(signal.SIGTERM, inside)
            if inside or self._waiting.done():
                return
            await asyncio.wait({self._waiting}, timeout=_POLL_SECONDS)

    async def kill(self) -> None:
        """End the process namespace: nothing in it survives its first process, however it was started."""
        if self._waiting.done():
            return
        self.killed = True
        _send(signal.SIGKILL, [*_children(self._process.pid), self._process.pid])


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # it has ended, and the number may be somebody else's
            os.kill(pid, number)


def _inside(bubblewrap: int) -> Iterator[int]:
    """The processes of the sandbox without its first, which only collects the dead."""
    for reaper in _children(bubblewrap):
        yield from _descendants(reaper)


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []


def _oom_kills() -> str:
    """How often the kernel ended a process because memory ran out."""
    with suppress(OSError):
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
        return next((line for line in lines if line.startswith("oom_kill ")), "")
    return ""
