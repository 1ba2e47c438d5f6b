"""One engine's endpoint, opened when somebody first needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sagelocal.cloud import beacon
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Services:
    """What an engine serves over HTTP: S3, and whatever `serve` adds; a run that needs no server never pays for one.

    Args:
        store: what S3 serves.
        home: the state folder, where ``endpoint.json`` says that the endpoint is open.
        port: of 127.0.0.1, opened on entering; None: a free one, opened on first need.

    Raises:
        UsageError: on entering, when the port is taken.
    """

    def __init__(self, store: ObjectStore, home: Path, port: int | None = None) -> None:
        self.store = store
        self._home = home
        self._port = port
        self._apps: dict[str, Callable[[], ASGIApp]] = {}
        self._endpoint: Endpoint | None = None
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._port is not None:
            await self.url()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def serve(self, service: str, app: Callable[[], ASGIApp]) -> None:
        """Serve a service by its signing name, ``sagemaker`` say; the app is made when the endpoint opens."""
        assert self._endpoint is None, "services are named before the endpoint opens"
        self._apps[service] = app

    async def url(self) -> str:
        """Where this machine's own programs find the services."""
        return (await self._open()).url

    async def reach(self, address: str) -> str:
        """The URL for those who know this machine by another address, a Docker network's gateway say."""
        return await (await self._open()).listen_on(address)

    async def _open(self) -> Endpoint:
        async with self._opening:
            if self._endpoint is None:
                apps = {service: app() for service, app in self._apps.items()}
                endpoint = Endpoint(self.store, apps, port=self._port or 0)
                await self._stack.enter_async_context(endpoint)
                beacon.announce(self._home, endpoint.url)
                self._stack.callback(beacon.withdraw, self._home, endpoint.url)
                self._endpoint = endpoint
        return self._endpoint
