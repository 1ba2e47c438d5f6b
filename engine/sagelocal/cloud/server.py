"""Uvicorn as a guest in a running loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from sagelocal.errors import MachineError, UsageError

_BACKLOG = 512
_GRACE = 2  # seconds that requests under way get at the end


class Listener(uvicorn.Server):
    """Serves one app on one address from `open` to `close`; leaves signals to whoever owns the process."""

    def __init__(self, app: ASGIApp, address: str, port: int) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
            timeout_keep_alive=60,  # SDKs keep connections for a minute; ours must not be the shorter one
        )
        config.backlog = _BACKLOG
        super().__init__(config)
        self._socket = bound(address, port)
        self._up = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    async def open(self) -> None:
        self._task = asyncio.create_task(self.serve(sockets=[self._socket]), name="sagelocal endpoint")
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
        if not up.done():
            up.cancel()
            await self._task  # raises what went wrong

    async def close(self) -> None:
        """Let requests under way finish for a moment, drop idle connections, free the port."""
        self.should_exit = True
        self._over.set()
        if self._task:
            await self._task
        self._socket.close()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._up.set()

    async def main_loop(self) -> None:
        # Uvicorn looks ten times a second whether it should end; being told is quicker, and idle.
        while not self.should_exit:
            await self.on_tick(0)  # renews the Date header
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), 1.0)


def bound(address: str, port: int) -> socket.socket:
    """A socket bound to an address of this machine; port 0 picks a free one.

    Raises:
        UsageError: the port is taken.
        MachineError: the address is not this machine's.
    """
    # The protocol is named, as asyncio turns Nagle's delay (40 ms for each small answer) off only where it reads TCP.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((address, port))
    except OSError as error:
        server.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            message = f"port {port} of {address} cannot be used: {error.strerror}: choose another with --port, or 0 for any"
            raise UsageError(message) from None
        message = f"cannot listen on {address}: {error.strerror}: it is no address of this machine"
        raise MachineError(message) from None
    return server
