"""One Docker container: made, attached to, started, signalled."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import LogConfig

from sagelocal_executors.containers import ContainerSpec
from sagelocal_executors.containers.docker_mounts import Staging
from sagelocal_executors.containers.docker_networks import Network
from sagelocal_executors.containers.folders import discard
from sagelocal_executors.containers.labels import JOB_LABEL

_SHARED_MEMORY = "1g"
"""Of the container: Docker's 64 MB stop PyTorch's data loaders."""
_SIGTERM_BIT = 1 << 14
_LOOPBACK = "127.0.0.1"


class NoOverlayError(Exception):
    """The daemon could not mount an overlay volume here."""


class NoProgramError(Exception):
    """The container's program cannot be started; `code` is what ``docker run`` exits with."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Order:
    """A container to make: the spec, and what the spec leaves to the runtime."""

    spec: ContainerSpec
    name: str
    image: str
    environment: dict[str, str]
    network: Network
    extra_hosts: dict[str, str]


def container_name(spec: ContainerSpec) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]", "-", spec.name)


def start(client: APIClient, order: Order, staging: Staging) -> Any:
    """Create, attach, start; attached before the start, so that no line is lost. The answer is the connection.

    Raises:
        NoOverlayError: nothing was started; try again without overlay volumes.
        NoProgramError: the container is there but cannot run its program.
    """
    try:
        _create(client, order, staging)
        connection = client.attach_socket(order.name, {"stdout": 1, "stderr": 1, "stream": 1})
        staging.connections.append(connection)
        client.start(order.name)
    except ImageNotFound:
        raise
    except APIError as error:
        reason = str(error.explanation or error)
        if staging.volumes and "failed to mount local volume" in reason:
            _undo(client, order.name, staging)
            raise NoOverlayError(reason) from None
        code = next((code for text, code in _NO_PROGRAM.items() if text in reason), None)
        if code is None:
            raise
        raise NoProgramError(reason, code) from None
    return connection


_NO_PROGRAM = {
    "executable file not found": 127,
    "no such file or directory: unknown": 127,
    "permission denied: unknown": 126,
}
"""What the daemon says of a program that cannot be started, and the exit code of ``docker run`` for it."""


def _undo(client: APIClient, name: str, staging: Staging) -> None:
    with suppress(NotFound):
        client.remove_container(name, force=True)
    staging.clear(client)
    discard(staging.folder)


def _create(client: APIClient, order: Order, staging: Staging) -> None:
    options = _options(client, order, staging)
    try:
        client.create_container(**options)
    except APIError as error:
        if error.status_code != 409 or not _is_ours(client, order.name):
            raise
        # Left by an engine that was killed: names are unique per attempt at a step.
        client.remove_container(order.name, force=True, v=True)
        client.create_container(**options)


def _options(client: APIClient, order: Order, staging: Staging) -> dict[str, Any]:
    spec, network = order.spec, order.network
    published = [spec.listener.port] if spec.listener and not network.isolated else []
    aliases: Any = {network.name: client.create_endpoint_config(aliases=[spec.hostname])}
    return {
        "image": order.image,
        "command": list(spec.command) if spec.command is not None else None,
        "entrypoint": list(spec.entrypoint) if spec.entrypoint is not None else None,
        "environment": order.environment,
        "hostname": spec.hostname,
        "labels": staging.labels,
        "name": order.name,
        "ports": published,
        "networking_config": client.create_networking_config(aliases) if network.shared else None,
        "host_config": client.create_host_config(
            mounts=staging.mounts(spec),
            network_mode=network.name,
            port_bindings=dict.fromkeys(published, (_LOOPBACK,)),
            shm_size=_SHARED_MEMORY,
            extra_hosts=order.extra_hosts,
            # We stream the output as it comes; a second copy on the daemon's disk has no reader.
            log_config=LogConfig(type="none"),
        ),
    }


def url_of(client: APIClient, order: Order) -> str:
    """Where this machine reaches the server: at a port that the daemon chose, else at the container's own address.

    Empty when there is none, or the container has ended already.
    """
    listener = order.spec.listener
    if listener is None:
        return ""
    settings = client.inspect_container(order.name)["NetworkSettings"]
    if order.network.isolated:
        address = settings["Networks"][order.network.name]["IPAddress"]
        return f"http://{address}:{listener.port}" if address else ""
    bindings = settings["Ports"].get(f"{listener.port}/tcp") or ()
    return next((f"http://{_LOOPBACK}:{binding['HostPort']}" for binding in bindings), "")


def _is_ours(client: APIClient, name: str) -> bool:
    with suppress(NotFound):
        return JOB_LABEL in (client.inspect_container(name)["Config"]["Labels"] or {})
    return False


def send_signal(client: APIClient, name: str, signal: str) -> None:
    """SIGTERM or SIGKILL, which a program that is deaf for SIGTERM gets at once."""
    with suppress(APIError):  # it has ended meanwhile
        deaf = signal == "SIGTERM" and _is_deaf(client.inspect_container(name))
        client.kill(name, "SIGKILL" if deaf else signal)


def _is_deaf(container: Any) -> bool:
    """Whether the program has no handler for SIGTERM.

    The kernel drops the signal then, as the program is the first of its namespace: the grace would pass for nothing.
    """
    process = Path("/proc") / str(container["State"]["Pid"])
    try:
        # On another machine or in a virtual one this number means somebody else.
        if container["Id"] not in (process / "cgroup").read_text():
            return False
        masks = re.findall(r"^Sig(?:Cgt|Blk):\s*([0-9a-f]+)", (process / "status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return not any(int(mask, 16) & _SIGTERM_BIT for mask in masks)
