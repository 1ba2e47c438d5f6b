"""Which Docker network a job's containers are on, and how long it exists."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from docker import APIClient
from docker.errors import APIError

from sagelocal_executors.containers import ContainerSpec
from sagelocal_executors.containers.labels import JOB_LABEL
from sagelocal_executors.containers.waiting import Threads


@dataclass(frozen=True, slots=True)
class Network:
    """A network; `gateway` is the host's address on it, None when jobs must not reach the host."""

    name: str
    gateway: str | None
    shared: bool = False


_NONE = Network("none", None)


class JobNetworks:
    """One user-defined network per job of several hosts, from its first container to its last; else Docker's bridge."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._users: Counter[str] = Counter()
        self._lock = asyncio.Lock()
        self._bridge: Network | None = None

    @asynccontextmanager
    async def of(self, spec: ContainerSpec, client: APIClient) -> AsyncIterator[Network]:
        if len(spec.hosts) == 1:
            yield await self._single(spec, client)
            return
        name = _network_name(spec)
        network = await self._join(name, spec, client)
        try:
            yield network
        finally:
            await self._leave(name, client)

    async def _single(self, spec: ContainerSpec, client: APIClient) -> Network:
        return await self.bridge(client) if spec.network else _NONE

    async def bridge(self, client: APIClient) -> Network:
        """The network of all containers that have none of their own."""
        if self._bridge is None:
            found = await self._threads.call(client.inspect_network, "bridge")
            self._bridge = Network("bridge", _gateway(found))
        return self._bridge

    async def _join(self, name: str, spec: ContainerSpec, client: APIClient) -> Network:
        async with self._lock:
            found = await self._threads.call(_found_or_made, client, name, spec)
            self._users[name] += 1
        return Network(name, _gateway(found) if spec.network else None, shared=True)

    async def _leave(self, name: str, client: APIClient) -> None:
        # No lock: the count changes in one turn of the loop, and a job does not start hosts after its last has ended.
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name]
            await self._threads.call(_remove, client, name)


def _network_name(spec: ContainerSpec) -> str:
    return "sagelocal-" + re.sub(r"[^\w.-]", "-", spec.labels.get(JOB_LABEL, spec.name))


def _found_or_made(client: APIClient, name: str, spec: ContainerSpec) -> Any:
    if not client.networks(names=[f"^{name}$"]):
        labels = {JOB_LABEL: spec.name, **spec.labels}
        # Isolated hosts reach one another and nothing else (API: EnableNetworkIsolation).
        client.create_network(name, driver="bridge", internal=not spec.network, labels=labels)
    return client.inspect_network(name)


def _remove(client: APIClient, name: str) -> None:
    with suppress(APIError, OSError):  # the daemon has gone, or somebody else's container is on it
        client.remove_network(name)


def _gateway(network: Any) -> str | None:
    """The host's address on the network: as configured, else the first of its IPv4 subnet."""
    for item in network["IPAM"].get("Config") or ():
        if item.get("Gateway"):
            return str(item["Gateway"])
        subnet = ip_network(item["Subnet"], strict=False)
        if subnet.version == 4:
            return str(subnet[1])
    return None
