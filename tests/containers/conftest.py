"""The runtimes under test, and jobs for them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sagelocal.settings import Settings
from sagelocal_executors.containers import Containers, ContainerSpec, Exit, Limits
from sagelocal_executors.containers.docker import DockerContainers
from sagelocal_executors.containers.process import ProcessContainers

IMAGE = "sagelocal-base:local"
ENDPOINT = "http://endpoint.invalid:4566"


@pytest.fixture(name="script")
def _script() -> Callable[..., ContainerSpec]:
    """Makes the spec of a job that runs a Python text."""

    def make(text: str, *arguments: str, **options: Any) -> ContainerSpec:
        name = f"test-{uuid.uuid4().hex[:12]}"
        options = {"name": name, "labels": {"sagelocal.job": name}, "limits": Limits(grace=20), **options}
        return ContainerSpec(
            image=IMAGE, entrypoint=("python3", "-c", text), command=arguments, step="Step", **options
        )

    return make


async def reach(address: str) -> str:
    return ENDPOINT


@pytest.fixture(name="docker_containers")
async def _docker_containers(tmp_path: Path) -> AsyncIterator[DockerContainers]:
    containers = DockerContainers(Settings(), tmp_path / "docker", reach)
    yield containers
    await containers.close()


@pytest.fixture(name="process_containers")
async def _process_containers(tmp_path: Path) -> AsyncIterator[ProcessContainers]:
    containers = ProcessContainers(Settings(), tmp_path / "process", reach)
    yield containers
    await containers.close()


@pytest.fixture(name="containers", params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def _containers(request: pytest.FixtureRequest) -> Containers:
    """Each runtime in turn: what holds for one must hold for the other."""
    found: Containers = request.getfixturevalue(f"{request.param}_containers")
    return found


@pytest.fixture(autouse=True)
def _nothing_left_in_scratch(tmp_path: Path) -> Iterator[None]:
    yield
    left = [path for runtime in ("docker", "process") for path in tmp_path.glob(f"{runtime}/*")]
    assert left == []


@dataclass
class Ran:
    """A finished job: its exit and its lines."""

    exit: Exit
    lines: list[str] = field(default_factory=list)


@pytest.fixture(name="ran")
def _ran(containers: Containers) -> Callable[[ContainerSpec], Any]:
    """Runs a spec to its end."""

    async def run(spec: ContainerSpec) -> Ran:
        lines: list[str] = []
        return Ran(await containers.run(spec, lines.append), lines)

    return run
