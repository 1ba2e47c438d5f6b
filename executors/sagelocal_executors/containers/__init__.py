"""What an executor asks of a container runtime: one spec in, one exit out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Access(StrEnum):
    """How a container sees a folder or file of the host."""

    WRITE = "write"
    """The container's writes are the host's."""
    READ = "read"
    """Read-only."""
    OVERLAY = "overlay"
    """The container may write, the host's folder stays as it is (copy-on-write)."""


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` of the host at the absolute path `target` of the container."""

    source: Path
    target: str
    access: Access = Access.WRITE


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use: wall-clock seconds (None: no limit), grace in seconds between SIGTERM and SIGKILL."""

    seconds: float | None = None
    grace: float = 120.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a container's server that this machine wants to reach.

    Attributes:
        port: the TCP port that the image's program listens on.
        on_url: called once, on the event loop, with the URL on this machine (``http://127.0.0.1:41234``) as soon as the
            container runs; its program may not answer yet.
    """

    port: int
    on_url: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container to run to its end.

    Attributes:
        name: unique among all containers: the job's name and the host's.
        image: what the definition says (an ECR URI, say); the runtime maps it.
        entrypoint: as ``docker run --entrypoint``; None keeps the image's.
        command: arguments after the entrypoint; None keeps the image's.
        env: the container's environment (the runtime adds the endpoint and fake credentials itself).
        mounts: what it sees of the host; later mounts may lie inside earlier ones.
        limits: time limit and stop grace.
        hostname: ``algo-1`` …
        hosts: all hostnames of the job, which must reach one another.
        labels: for finding leftovers: ``sagelocal.execution``, ``sagelocal.step``, ``sagelocal.job``.
        step: name of the step (for the choice of a runtime, and stubs).
        attempt: of the step, 1 for the first.
        network: False isolates it from every network (EnableNetworkIsolation).
        listener: given, the container serves: this machine reaches that port.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    hostname: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    labels: Mapping[str, str] = field(default_factory=dict)
    step: str = ""
    attempt: int = 1
    network: bool = True
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended: its exit code, whether memory ran out, whether `Limits.seconds` ended it."""

    code: int
    oom: bool = False
    timed_out: bool = False


class ImageMissingError(Exception):
    """No runtime can run this image; the text lists the ways out. An executor turns it into a ClientError failure."""


class Containers(Protocol):
    """A container runtime.

    Runs the container to its end, giving each line of its output to `on_line` as it comes. When cancelled: SIGTERM,
    `limits.grace`, SIGKILL, remove the container, then let the cancellation pass.

    Raises:
        ImageMissingError: nothing on this machine can run the image.
        MachineError: the runtime itself is missing or broken.
    """

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit: ...
