"""Which Docker network a job's containers are on, and how long it exists."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from docker import APIClient
from docker.errors import APIError

from sagelocal.errors import MachineError
from sagelocal_executors.containers import ContainerSpec
from sagelocal_executors.containers.labels import JOB_LABEL
from sagelocal_executors.containers.waiting import Threads


@dataclass(frozen=True, slots=True)
class Network:
    """A network.

    Attributes:
        gateway: this machine's address on it; None when it has none.
        shared: made for the containers on it, which find one another there by their hostnames.
        isolated: no way leads out; ports of its containers cannot be published.
    """

    name: str
    gateway: str | None
    shared: bool = False
    isolated: bool = False


_NONE = Network("none", None, isolated=True)
_IN_A_MACHINE = (
    "A model with EnableNetworkIsolation cannot be served here by Docker: its daemon runs in a virtual machine, and only "
    "that machine reaches a container without a network. Use --runtime process for this step, or a model without isolation"
)


class JobNetworks:
    """One user-defined network per job of several hosts, from its first container to its last; else Docker's bridge.

    An isolated server has one, too: without any network we could not reach it.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._users: Counter[str] = Counter()
        self._lock = asyncio.Lock()
        self._bridge: Network | None = None

    @asynccontextmanager
    async def of(self, spec: ContainerSpec, client: APIClient) -> AsyncIterator[Network]:
        if len(spec.hosts) == 1 and (spec.network or spec.listener is None):
            yield await self.bridge(client) if spec.network else _NONE
            return
        name = _network_name(spec)
        network = await self._join(name, spec, client)
        try:
            if spec.listener and network.isolated and not _is_ours(network.gateway):
                raise MachineError(_IN_A_MACHINE)
            yield network
        finally:
            await self._leave(name, client)

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
        return Network(name, _gateway(found), shared=True, isolated=not spec.network)

    async def _leave(self, name: str, client: APIClient) -> None:
        # No lock: the count changes in one turn of the loop, and a job does not start hosts after its last has ended.
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name]
            await self._threads.call(_remove, client, name)


def _network_name(spec: ContainerSpec) -> str:
    # A job's only host may have company that is not isolated, so the network of a single one is its own.
    whose = spec.name if len(spec.hosts) == 1 else spec.labels.get(JOB_LABEL, spec.name)
    return "sagelocal-" + re.sub(r"[^\w.-]", "-", whose)


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


def _is_ours(address: str | None) -> bool:
    """Whether it is an address of this machine, not of one that the daemon runs in."""
    try:
        with socket.socket() as plain:
            plain.bind((address or "", 0))
    except OSError:
        return False
    return address is not None
