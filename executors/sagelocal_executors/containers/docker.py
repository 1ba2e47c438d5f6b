"""Containers by the Docker daemon."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from docker import APIClient
from docker.errors import NotFound

from sagelocal.errors import MachineError
from sagelocal.settings import Settings
from sagelocal_executors.containers import ContainerSpec, Exit, ImageMissingError
from sagelocal_executors.containers.docker_create import (
    NoOverlayError,
    NoProgramError,
    Order,
    container_name,
    send_signal,
    start,
    url_of,
)
from sagelocal_executors.containers.docker_daemon import CLIENT_ERRORS, connect, faults, leftovers
from sagelocal_executors.containers.docker_mounts import Staging, chown, written
from sagelocal_executors.containers.docker_networks import JobNetworks, Network
from sagelocal_executors.containers.docker_stream import Pump
from sagelocal_executors.containers.environment import image_environment, job_environment
from sagelocal_executors.containers.folders import discard, foreign, private_folder
from sagelocal_executors.containers.labels import JOB_LABEL
from sagelocal_executors.containers.waiting import Threads, either, supervise, unbroken
from sagelocal_executors.images import family_of

Reach = Callable[[str], Awaitable[str]]
"""Makes our endpoint listen on an address of this machine, too; answers with the URL."""

_DESKTOP_HOST = "host.docker.internal"


class DockerContainers:
    """Runs each container on the local daemon; never pulls an image, leaves nothing behind.

    Args:
        settings: for the image map, the region and the account.
        scratch: folder for upper layers and copies; made on demand.
        reach: how containers get at our endpoint; None leaves AWS_ENDPOINT_URL unset.
    """

    def __init__(self, settings: Settings, scratch: Path, reach: Reach | None = None) -> None:
        self._settings = settings
        self._scratch = scratch
        self._reach = reach
        self._threads = Threads("docker")
        self._networks = JobNetworks(self._threads)
        self._connecting: asyncio.Future[APIClient] | None = None
        self._overlay = True

    async def answers(self) -> bool:
        """Whether the daemon answers, within about a second; asked once."""
        try:
            await self._client()
        except MachineError:
            return False
        return True

    async def has(self, image: str) -> bool:
        """Whether the image (as mapped by the settings) is here.

        Raises:
            MachineError: the daemon does not answer.
        """
        client = await self._client()
        try:
            with faults(image):
                await self._threads.call(client.inspect_image, self.mapped(image))
        except ImageMissingError:
            return False
        return True

    async def gateway(self) -> str | None:
        """The address under which containers find this machine; None when there is none.

        Raises:
            MachineError: the daemon does not answer.
        """
        client = await self._client()
        with faults(""):
            return (await self._networks.bridge(client)).gateway

    def mapped(self, image: str) -> str:
        return self._settings.image_rule(image).docker or image

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit:
        """As `Containers.run`."""
        client = await self._client()
        with faults(self.mapped(spec.image)):
            async with self._networks.of(spec, client) as network:
                return await self._run(client, spec, network, on_line)

    async def close(self) -> None:
        if self._connecting and self._connecting.done() and not self._connecting.exception():
            self._connecting.result().close()
        self._threads.close()

    async def leftovers(self, label: str = JOB_LABEL, *, remove: bool = False) -> list[str]:
        """Containers, volumes and networks with the label (``name`` or ``name=value``), as ``container NAME``.

        Raises:
            MachineError: the daemon does not answer.
        """
        client = await self._client()
        with faults(""):
            return await self._threads.call(leftovers, client, label, remove=remove)

    async def _client(self) -> APIClient:
        if self._connecting is None:
            self._connecting = self._threads.start(connect)
        return await asyncio.shield(self._connecting)

    async def _run(
        self, client: APIClient, spec: ContainerSpec, network: Network, on_line: Callable[[str], None]
    ) -> Exit:
        labels = {JOB_LABEL: spec.name, **spec.labels}
        staging = Staging(private_folder(self._scratch, spec), self._overlay, labels)
        order = await self._order(spec, network)
        try:
            connection = await self._start(client, order, staging)
            url = await self._threads.call(url_of, client, order)
            return await self._follow(client, order, connection, on_line, url)
        except NoProgramError as error:
            on_line(str(error))
            return Exit(error.code)
        finally:
            await self._threads.call(self._clear, client, order, staging)

    async def _order(self, spec: ContainerSpec, network: Network) -> Order:
        url, extra_hosts = await self._endpoint(network)
        about = image_environment(spec.image, family_of(spec.image, self._settings))
        environment = job_environment(self._settings, about | dict(spec.env), url)
        image = self.mapped(spec.image)
        return Order(spec, container_name(spec), image, environment, network, extra_hosts)

    async def _start(self, client: APIClient, order: Order, staging: Staging) -> Any:
        try:
            return await self._threads.call(start, client, order, staging)
        except NoOverlayError:
            self._overlay = staging.overlay = False
            return await self._threads.call(start, client, order, staging)

    async def _endpoint(self, network: Network) -> tuple[str | None, dict[str, str]]:
        if self._reach is None or network.gateway is None or network.isolated:
            return None, {}
        try:
            return await self._reach(network.gateway), {}
        except OSError:
            # The gateway is inside a virtual machine (Docker Desktop), which knows the host by a name of its own.
            local = urlsplit(await self._reach("127.0.0.1"))
            url = urlunsplit(local._replace(netloc=f"{_DESKTOP_HOST}:{local.port}"))
            return url, {_DESKTOP_HOST: "host-gateway"}

    async def _follow(
        self,
        client: APIClient,
        order: Order,
        connection: Any,
        on_line: Callable[[str], None],
        url: str,
    ) -> Exit:
        pump = Pump(connection, on_line)
        pumping = self._threads.start(pump.run)
        waiting = self._threads.start(client.wait, order.name, timeout=None)
        waiting.add_done_callback(lambda _: pump.hurry())

        async def signal(name: str) -> None:
            await self._threads.call(send_signal, client, order.name, name)

        ended = asyncio.ensure_future(either(waiting, pump.failed))
        try:
            if order.spec.listener and url:
                order.spec.listener.on_url(url)
            timed_out = await supervise(
                ended, order.spec.limits, partial(signal, "SIGTERM"), partial(signal, "SIGKILL")
            )
            pump.check()
            code = int(waiting.result()["StatusCode"])
            await pumping
            pump.check()
            state = (await self._threads.call(client.inspect_container, order.name))["State"]
            return Exit(code, oom=bool(state["OOMKilled"]), timed_out=timed_out)
        finally:
            await unbroken(_settle(pump, pumping, waiting, partial(signal, "SIGKILL")))

    def _clear(self, client: APIClient, order: Order, staging: Staging) -> None:
        with suppress(*CLIENT_ERRORS):
            with suppress(NotFound):
                client.remove_container(order.name, force=True, v=True)
            self._give_back(client, order, staging)
            staging.clear(client)
        discard(staging.folder)

    def _give_back(self, client: APIClient, order: Order, staging: Staging) -> None:
        """Containers are root mostly: what they wrote must be the user's."""
        uid, gid = os.geteuid(), os.getegid()
        if uid == 0:
            return
        candidates = (*written(order.spec), staging.folder)
        folders = [path for path in candidates if path.exists() and foreign(path, uid)]
        if folders:
            # A rootless daemon's root is the user.
            owner = "0:0" if _is_rootless(client) else f"{uid}:{gid}"
            chown(client, order.image, folders, owner, staging.labels)


def _is_rootless(client: APIClient) -> bool:
    return any("rootless" in option for option in client.info().get("SecurityOptions") or ())


async def _settle(
    pump: Pump,
    pumping: asyncio.Future[None],
    waiting: asyncio.Future[Any],
    kill: Callable[[], Awaitable[None]],
) -> None:
    """End both threads that follow the container, whatever state it is in."""
    if not waiting.done():
        with suppress(*CLIENT_ERRORS):
            await kill()
    pump.hurry()
    if not pumping.done():
        await asyncio.wait({pumping}, timeout=5)
        pump.cut()
    await asyncio.wait({pumping, waiting})
    for future in (pumping, waiting, pump.failed):
        if future.done():
            future.exception()
