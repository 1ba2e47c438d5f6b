"""The Docker daemon: reached, its errors translated, its leftovers found."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import docker
from docker import APIClient
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from sagelocal.errors import MachineError
from sagelocal_executors.containers import ImageMissingError
from sagelocal_executors.containers.labels import missing_text

_PROBE_SECONDS = 1
_ANSWER_SECONDS = 120
CLIENT_ERRORS = (DockerException, RequestException, HTTPError)
"""All that docker-py raises when the daemon refuses or is gone."""


def connect() -> APIClient:
    try:
        _knock()
        client = docker.from_env(version="auto", timeout=_PROBE_SECONDS, max_pool_size=64).api
    except (*CLIENT_ERRORS, OSError) as error:
        message = (
            f"The Docker daemon does not answer ({error}). Start it, let your user at its socket (group docker), "
            "set DOCKER_HOST, or run with --runtime process"
        )
        raise MachineError(message) from None
    client.timeout = _ANSWER_SECONDS
    return client


def _knock() -> None:
    """Fail as a connection does, but without the unclosed socket that docker-py leaves then."""
    host = os.environ.get("DOCKER_HOST") or ContextAPI.get_current_context().Host
    if host and host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(_PROBE_SECONDS)
            plain.connect(host.removeprefix("unix://"))


@contextmanager
def faults(image: str) -> Iterator[None]:
    """Docker's errors as ours."""
    try:
        yield
    except ImageNotFound:
        raise ImageMissingError(missing_text(image)) from None
    except CLIENT_ERRORS as error:
        reason = error.explanation if isinstance(error, APIError) and error.explanation else error
        message = f"The Docker daemon could not run {image or 'this'}: {reason}. Does `docker info` work?"
        raise MachineError(message) from error


def leftovers(client: APIClient, label: str, *, remove: bool) -> list[str]:
    """Containers, volumes and networks with the label, as ``container NAME``; removed when asked."""
    chosen = {"label": label}
    containers = [found["Names"][0].lstrip("/") for found in client.containers(all=True, filters=chosen)]
    volumes = [found["Name"] for found in client.volumes(filters=chosen)["Volumes"] or ()]
    networks = [found["Name"] for found in client.networks(filters=chosen)]
    found = {"container": containers, "volume": volumes, "network": networks}
    for kind, names in found.items() if remove else ():
        for name in names:
            with suppress(NotFound):
                _REMOVE[kind](client, name)
    return [f"{kind} {name}" for kind, names in found.items() for name in names]


_REMOVE: dict[str, Callable[[APIClient, str], None]] = {
    "container": lambda client, name: client.remove_container(name, force=True, v=True),
    "volume": lambda client, name: client.remove_volume(name, force=True),
    "network": lambda client, name: client.remove_network(name),
}
