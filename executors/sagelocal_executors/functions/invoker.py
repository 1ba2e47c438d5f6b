"""Functions invoked in processes of this machine that stay warm for a while."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sagelocal.cloud.functions import Function, Invoked
from sagelocal.errors import MachineError, UsageError
from sagelocal.settings import Settings
from sagelocal_executors.containers.waiting import unbroken
from sagelocal_executors.functions.docker_host import DESKTOP_HOST, DockerHost
from sagelocal_executors.functions.environment import TASK_ROOT, function_environment
from sagelocal_executors.functions.hosts import ProcessHost
from sagelocal_executors.functions.interpreter import FunctionPython, function_python
from sagelocal_executors.functions.runtime_api import RuntimeApi
from sagelocal_executors.functions.worker import Worker

if TYPE_CHECKING:
    from sagelocal.cloud.server import Listener
    from sagelocal_executors.containers.docker import DockerContainers

Reach = Callable[[str], Awaitable[str]]

_LOOPBACK = "127.0.0.1"
_WARM_SECONDS = 300.0
_MOST_WARM = 16
_MOST_AT_ONCE = 64
"""More wait for a place: each process takes some 20 MB at least."""

_Key = tuple[str, str, str]


class LocalInvoker:
    """Invokes functions; one process per invocation at a time, reused by later ones of the same code.

    Args:
        settings: for the interpreter, the region and the account.
        scratch: folder for what is shared by all processes; made on demand.
        reach: how functions get at our endpoint; None leaves AWS_ENDPOINT_URL unset.
        warm: seconds for which an idle process is kept.
    """

    def __init__(
        self, settings: Settings, scratch: Path, reach: Reach | None = None, *, warm: float = _WARM_SECONDS
    ) -> None:
        self._settings = settings
        self._scratch = scratch.absolute()
        self._reach = reach
        self._warm = warm
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)
        self._idle: list[tuple[_Key, Worker, asyncio.TimerHandle]] = []
        self._busy: set[Worker] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._pythons: dict[Path, asyncio.Task[FunctionPython]] = {}
        self._docker: DockerContainers | None = None
        self._closed = False

    async def invoke(self, function: Function, payload: bytes, on_line: Callable[[str], None]) -> Invoked:
        """Run a function on a JSON payload; cancelled, its process is killed.

        Raises:
            UsageError: it needs another runtime than Python and no Docker image is given for it.
            MachineError: the interpreter or the runtime client is missing.
        """
        async with self._places:
            worker = self._taken(function) or await self._started(function)
            self._busy.add(worker)
            fit = False
            try:
                invoked = await worker.invoke(function, payload, on_line)
                fit = worker.usable and not self._closed
                return invoked
            finally:
                self._busy.discard(worker)
                if fit:
                    self._keep(function, worker)
                else:
                    await unbroken(worker.close())

    async def where(self, function: Function) -> str:
        """What runs the function, in words: ``process · python3.11``."""
        if function.docker:
            return f"docker · {function.docker}"
        return f"process · python{(await self._python(function)).version}"

    async def close(self) -> None:
        """Kill every process."""
        self._closed = True
        idle, self._idle = self._idle, []
        for _, _, timer in idle:
            timer.cancel()
        workers = [worker for _, worker, _ in idle] + list(self._busy)
        await asyncio.gather(*(worker.close() for worker in workers), *self._closing)
        if self._docker:
            await self._docker.close()

    def _taken(self, function: Function) -> Worker | None:
        """The idle process of this code that was used last; dead ones are let go."""
        for entry in reversed(self._idle):
            key, worker, timer = entry
            if key == _key(function):
                self._idle.remove(entry)
                timer.cancel()
                if worker.usable:
                    return worker
                self._let_go(worker)
        return None

    def _keep(self, function: Function, worker: Worker) -> None:
        timer = asyncio.get_running_loop().call_later(self._warm, self._expire, worker)
        self._idle.append((_key(function), worker, timer))
        if len(self._idle) > _MOST_WARM:
            self._expire(self._idle[0][1])

    def _expire(self, worker: Worker) -> None:
        for entry in [entry for entry in self._idle if entry[1] is worker]:
            self._idle.remove(entry)
            entry[2].cancel()
            self._let_go(worker)

    def _let_go(self, worker: Worker) -> None:
        task = asyncio.create_task(worker.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _started(self, function: Function) -> Worker:
        if function.docker:
            return await self._in_docker(function)
        if function.runtime and not function.runtime.startswith("python"):
            message = (
                f"the function {function.name} runs on {function.runtime}: give an image with that runtime in "
                f'sagelocal.toml, [functions] "{function.name}" = {{docker = "public.ecr.aws/lambda/…"}}'
            )
            raise UsageError(message)
        return await self._in_process(function)

    async def _in_process(self, function: Function) -> Worker:
        python = await self._python(function)
        endpoint = await self._reach(_LOOPBACK) if self._reach else None
        runtime = f"python{python.version}"
        ground = function_environment(function, self._settings, endpoint, runtime, str(function.folder))
        api, listener = await _serving(_LOOPBACK)
        environment = {**ground, "AWS_LAMBDA_RUNTIME_API": f"{_LOOPBACK}:{listener.port}"}
        try:
            return Worker(await ProcessHost.start(python, function, environment), api, listener)
        except OSError as error:
            await unbroken(listener.close())
            message = f"The Python {python.executable} cannot be run for {function.name}: {error}"
            raise MachineError(message) from None

    async def _in_docker(self, function: Function) -> Worker:
        if self._docker is None:
            from sagelocal_executors.containers.docker import DockerContainers  # noqa: PLC0415 - start-up: docker-py

            self._docker = DockerContainers(self._settings, self._scratch, self._reach)
        address = await self._docker.gateway()
        try:
            api, listener = await _serving(address or _LOOPBACK)
        except MachineError:
            # The gateway is inside a virtual machine (Docker Desktop), which knows this one by a name of its own.
            address, (api, listener) = None, await _serving(_LOOPBACK)
        # The container's own runtime says which it is; the endpoint is the container runtime's to give.
        ground = function_environment(function, self._settings, None, "", TASK_ROOT)
        where = {"AWS_LAMBDA_RUNTIME_API": f"{address or DESKTOP_HOST}:{listener.port}"}
        return Worker(DockerHost(self._docker, function, {**ground, **where}), api, listener)

    async def _python(self, function: Function) -> FunctionPython:
        executable = function.python or self._settings.python or Path(sys.executable)
        if executable not in self._pythons:
            self._pythons[executable] = asyncio.create_task(function_python(executable, self._scratch))
        return await asyncio.shield(self._pythons[executable])


async def _serving(address: str) -> tuple[RuntimeApi, Listener]:
    # Imported here: uvicorn costs start-up time that runs without functions need not pay.
    from sagelocal.cloud.server import Listener  # noqa: PLC0415 - start-up time

    api = RuntimeApi()
    listener = Listener(api, address, 0)
    await listener.open()
    return api, listener


def _key(function: Function) -> _Key:
    return function.arn, function.revision, function.handler
