"""The containers of one model, running side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from sagelocal.cloud.inference import InvocationError
from sagelocal_executors.containers import Containers, ContainerSpec, Exit, ImageMissingError
from sagelocal_executors.faults import JobError, client_error
from sagelocal_executors.hosts import Output, failure_reason

T = TypeVar("T")

_LAST_MOMENT = 10.0
"""Seconds that may pass between a server's last connection and the news that its container has ended."""


class Server:
    """One container that serves: its name for a person, and its URL on this machine as soon as there is one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self._opened = asyncio.Event()

    def open(self, url: str) -> None:
        self.url = url
        self._opened.set()

    async def opened(self) -> str:
        await self._opened.wait()
        return self.url


@dataclass(frozen=True, slots=True)
class Chain:
    """The servers in the order in which a request passes them, and the containers that they run in."""

    servers: tuple[Server, ...]
    _runs: Mapping[asyncio.Task[Exit], Server]
    _last_line: Callable[[str], str]

    async def during(self, work: Awaitable[T], when: str) -> T:
        """What `work` gives, as long as the containers run; `when` says for a person what it is.

        Raises:
            JobError: a container has ended; its last line is the reason.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, *self._runs}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and isinstance(task.exception(), ConnectionError):
                await asyncio.wait(self._runs, timeout=_LAST_MOMENT, return_when=asyncio.FIRST_COMPLETED)
                self._check(when)
            elif not task.done():
                self._check(when)
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _check(self, when: str) -> None:
        for task, server in self._runs.items():
            if task.done():
                raise self._reason(server, task, when)

    def _reason(self, server: Server, task: asyncio.Task[Exit], when: str) -> Exception:
        """Why a container that has ended did so; raises what the runtime raised."""
        if task.cancelled():
            return InvocationError(0, "the model has been stopped", server.name)
        try:
            end = task.result()
        except ImageMissingError as error:
            return client_error(str(error))
        told = f"{server.name} ended {when}: {self._last_line(server.name) or 'it printed nothing'}"
        return JobError(failure_reason(end, told), "AlgorithmError")


@asynccontextmanager
async def running(
    containers: Containers, specs: Mapping[Server, ContainerSpec], output: Output, *, alone: bool
) -> AsyncIterator[Chain]:
    """Run the containers while entered; at the end all are gone. Lines bear the server's name unless it is `alone`."""
    runs = {
        asyncio.create_task(containers.run(spec, output.of(server.name, alone=alone))): server
        for server, spec in specs.items()
    }
    try:
        yield Chain(tuple(specs), runs, output.last_line)
    finally:
        for task in runs:
            task.cancel()
        # A second cancellation reaches the tasks through gather: they give up their grace.
        await asyncio.gather(*runs, return_exceptions=True)
