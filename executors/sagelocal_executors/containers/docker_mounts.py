"""What a Docker container sees of the host, and whose the files are afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import APIError, NotFound
from docker.types import DriverConfig
from docker.types import Mount as DockerMount

from sagelocal_executors.containers import Access, ContainerSpec, Mount
from sagelocal_executors.containers.folders import private_copy

_SAFE = re.compile(r"[\w./@+=~ -]+")
"""Paths that mean themselves in overlayfs' option text: no comma, colon or backslash."""
_LONGEST_OPTIONS = 3500
"""Characters; mount(2) takes one page of 4096 bytes."""

_CHOWN_BY_PYTHON = """
import os, sys
owner = [int(part) for part in sys.argv[1].split(":")]
for top in sys.argv[2:]:
    os.lchown(top, *owner)
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            os.lchown(os.path.join(folder, name), *owner)
"""
_WAYS_TO_CHOWN = (
    (["chown"], ["-R", "-h"]),
    (["python3"], ["-c", _CHOWN_BY_PYTHON]),
    (["python"], ["-c", _CHOWN_BY_PYTHON]),
)


@dataclass(slots=True)
class Staging:
    """The mounts of one container as Docker wants them, with what must be cleared away afterwards.

    Attributes:
        folder: private to this container; upper layers and copies lie here.
        overlay: whether overlay volumes may be used.
    """

    folder: Path
    overlay: bool
    labels: dict[str, str]
    volumes: list[str] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)

    def mounts(self, spec: ContainerSpec) -> list[DockerMount]:
        return [self._mount(spec.name, number, mount) for number, mount in enumerate(spec.mounts)]

    def _mount(self, name: str, number: int, mount: Mount) -> DockerMount:
        match mount.access:
            case Access.READ | Access.WRITE:
                return _bind(mount.source, mount.target, read_only=mount.access is Access.READ)
            case Access.OVERLAY:
                options = self._overlay_options(number, mount.source)
                if options is None:
                    copy = private_copy(mount.source, self.folder / str(number) / "copy")
                    return _bind(copy, mount.target)
                volume = f"{name}-{self.folder.name}-{number}"
                self.volumes.append(volume)
                driver = DriverConfig("local", {"type": "overlay", "device": "overlay", "o": options})
                return DockerMount(
                    mount.target, volume, no_copy=True, driver_config=driver, labels=self.labels
                )

    def _overlay_options(self, number: int, source: Path) -> str | None:
        """None when only a copy will do: single files, and paths that the options cannot carry."""
        base = self.folder / str(number)
        if not self.overlay or not source.is_dir() or not _SAFE.fullmatch(str(base)):
            return None
        upper, work, lower = base / "upper", base / "work", source.absolute()
        upper.mkdir(parents=True)
        work.mkdir()
        upper.chmod(source.stat().st_mode & 0o7777)
        if not _SAFE.fullmatch(str(lower)):
            alias = base / "lower"
            alias.symlink_to(lower)
            lower = alias
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        return options if len(options) <= _LONGEST_OPTIONS else None

    def clear(self, client: APIClient) -> None:
        """Close the connections, remove the volumes; the folder stays for the caller."""
        for connection in self.connections:
            # The connection is a view of a socket, which docker-py never closes.
            plain = getattr(connection, "_sock", connection)
            connection.close()
            plain.close()
        self.connections.clear()
        for volume in self.volumes:
            with suppress(NotFound):
                client.remove_volume(volume, force=True)
        self.volumes.clear()


def _bind(source: Path, target: str, *, read_only: bool = False) -> DockerMount:
    return DockerMount(target, str(source.absolute()), type="bind", read_only=read_only)


def chown(client: APIClient, image: str, folders: list[Path], owner: str, labels: dict[str, str]) -> bool:
    """Give everything below the folders to `owner` (``uid:gid``) through a container of the same image.

    False when the image has neither chown nor Python.
    """
    targets = [f"/sagelocal/{number}" for number in range(len(folders))]
    host = client.create_host_config(
        network_mode="none",
        mounts=[_bind(source, target) for source, target in zip(folders, targets, strict=True)],
    )
    return any(
        _ended_well(
            client,
            image=image,
            entrypoint=entrypoint,
            command=[*arguments, owner, *targets],
            host_config=host,
            labels=labels,
        )
        for entrypoint, arguments in _WAYS_TO_CHOWN
    )


def _ended_well(client: APIClient, **container_options: Any) -> bool:
    container = client.create_container(user="0:0", **container_options)["Id"]
    try:
        client.start(container)
        return int(client.wait(container, timeout=None)["StatusCode"]) == 0
    except APIError:  # no such program in the image
        return False
    finally:
        client.remove_container(container, force=True)


def written(spec: ContainerSpec) -> Iterator[Path]:
    """The host's folders and files that the container could write."""
    return (mount.source for mount in spec.mounts if mount.access is Access.WRITE)
