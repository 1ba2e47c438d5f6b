"""Uvicorn as a guest in a running loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from sagelocal.cloud.ports import holder
from sagelocal.errors import ConflictError, MachineError, UsageError

try:
    import resource
except ImportError:  # Windows sets no such limit
    resource = None  # type: ignore[assignment]  # a module or nothing

_BACKLOG = 512
_FILES = 4096  # open files: a socket for each client, and what it is sending
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
        _make_room()
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


def _make_room() -> None:
    """Let this process open as many files as hundreds of clients need; a shell may have left it 256."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # forbidden: then some clients wait for others
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bound(address: str, port: int) -> socket.socket:
    """A socket bound to an address of this machine; port 0 picks a free one.

    Raises:
        ConflictError: the port is taken.
        UsageError: this user may not have it.
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
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} of {address} is taken by {holder(port)}: end that, or choose another port with --port N (0: any)"
            raise ConflictError(message) from None
        if error.errno == errno.EACCES:
            message = f"port {port} of {address} cannot be used: {error.strerror}: choose another with --port, or 0 for any"
            raise UsageError(message) from None
        message = f"cannot listen on {address}: {error.strerror}: it is no address of this machine"
        raise MachineError(message) from None
    return server
