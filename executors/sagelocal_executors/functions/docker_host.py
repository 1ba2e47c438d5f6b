"""One process of a function in a container of an image that has a Lambda runtime."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sagelocal.cloud.functions import Function
from sagelocal.errors import UsageError
from sagelocal_executors.containers import Access, ContainerSpec, ImageMissingError, Limits, Mount
from sagelocal_executors.functions.environment import TASK_ROOT

if TYPE_CHECKING:
    from sagelocal_executors.containers.docker import DockerContainers

DESKTOP_HOST = "host.docker.internal"
_QUIET_SECONDS = 0.05
"""Without a line for so long, a container has said what it had to say: its output comes through the daemon."""
_MOST_LOOKS = 40
_SIGNALLED = 128
_MOST_HELD = 1000


class DockerHost:
    """A container whose own program speaks to the Runtime API, as AWS's base images do when they are told where it is.

    Its memory is not looked at: the limit is the container's affair.
    """

    def __init__(self, containers: DockerContainers, function: Function, environment: dict[str, str]) -> None:
        self._on_line: Callable[[str], None] | None = None
        self._held: deque[str] = deque(maxlen=_MOST_HELD)
        self._lines = 0
        spec = ContainerSpec(
            name=f"lambda-{function.name[:40]}-{secrets.token_hex(4)}",
            image=function.docker or "",
            command=(function.handler,),
            env=environment,
            mounts=(Mount(function.folder, TASK_ROOT, Access.READ),),
            limits=Limits(grace=0.0),
        )
        self.ended: asyncio.Future[int] = asyncio.ensure_future(self._run(containers, spec))

    def listen(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        while self._held:
            on_line(self._held.popleft())

    async def drain(self) -> None:
        for _ in range(_MOST_LOOKS):
            before = self._lines
            await asyncio.wait({self.ended}, timeout=_QUIET_SECONDS)
            if self.ended.done() or self._lines == before:
                return

    def mute(self) -> None:
        self._on_line = None

    def used(self) -> int:
        return 0

    async def kill(self) -> None:
        self.ended.cancel()
        await asyncio.wait({self.ended})

    def close(self) -> None:
        if not self.ended.cancelled():
            self.ended.exception()  # seen: whoever invoked it has been told

    async def _run(self, containers: DockerContainers, spec: ContainerSpec) -> int:
        try:
            code = (await containers.run(spec, self._line)).code
        except ImageMissingError as error:
            raise UsageError(str(error)) from None
        return _SIGNALLED - code if code > _SIGNALLED else code

    def _line(self, text: str) -> None:
        self._lines += 1
        if self._on_line is None:
            self._held.append(text)
        else:
            self._on_line(text)
