"""Every executor, built from its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from sagelocal.cloud.endpoint import Endpoint

from sagelocal.clock import Clock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.objects import LocalObjects, Objects
from sagelocal.cloud.remote import LOCALSTACK, RemoteObjects
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor
from sagelocal.logs import StepLogs
from sagelocal.names import Partition
from sagelocal.settings import Runtime, Settings
from sagelocal_executors.containers.choice import AutoContainers
from sagelocal_executors.containers.docker import DockerContainers
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.containers.stub import StubContainers, Stubs
from sagelocal_executors.models import ModelExecutor, RegisterModelExecutor
from sagelocal_executors.overrides import Overridden
from sagelocal_executors.processing import ProcessingExecutor
from sagelocal_executors.training import TrainingExecutor

EMBEDDED = "embedded"
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}

Reach = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the engine hands in."""

    settings: Settings
    logs: StepLogs
    partition: Partition
    clock: Clock
    catalog: Catalog
    stubs: Stubs | None = None


@dataclass(frozen=True, slots=True)
class Assembly:
    """What the engine gets.

    Attributes:
        executors: per kind of step, what runs it; kinds that cannot run yet are not in it.
        objects: the buckets that jobs read and write.
        missing: why a job of the step with this image could not run, with the ways out; None when it can.
    """

    executors: Mapping[StepType, Executor]
    objects: Objects
    missing: Callable[[str, str], Awaitable[str | None]]


@asynccontextmanager
async def assemble(parts: Parts) -> AsyncIterator[Assembly]:
    """Build the executors; what they opened is closed at the end."""
    settings = parts.settings

    def stubbed(step: str) -> bool:
        return settings.runtime_of(step) is Runtime.STUB

    async with AsyncExitStack() as stack:
        objects, reach = await _objects(settings, stack)
        containers = _containers(parts, reach)
        stack.push_async_callback(containers.close)
        tools = (
            containers,
            objects,
            parts.logs,
            parts.partition,
            settings.home / "jobs",
            parts.clock,
            settings.stop_grace,
            stubbed,
        )
        stubs = parts.stubs or Stubs()
        jobs: dict[StepType, Executor] = {
            StepType.PROCESSING: ProcessingExecutor(*tools),
            StepType.TRAINING: TrainingExecutor(*tools),
            StepType.MODEL: ModelExecutor(parts.catalog, objects, parts.partition, parts.clock, stubbed),
            StepType.REGISTER_MODEL: RegisterModelExecutor(
                parts.catalog, parts.partition, parts.clock, settings.create_model_package_groups
            ),
        }
        executors = {
            kind: Overridden(executor, lambda step: stubs.of(step).properties)
            for kind, executor in jobs.items()
        }
        yield Assembly(executors, objects, containers.missing)


def _containers(parts: Parts, reach: Reach) -> AutoContainers:
    scratch = parts.settings.home / "jobs"
    return AutoContainers(
        parts.settings,
        docker=lambda: DockerContainers(parts.settings, scratch, reach),
        process=lambda: ProcessContainers(parts.settings, scratch, reach),
        stub=StubContainers(parts.stubs or Stubs(), parts.clock),
        on_place=lambda spec, where: parts.logs.place(spec.labels["sagelocal.execution"], spec.step, where),
    )


async def _objects(settings: Settings, stack: AsyncExitStack) -> tuple[Objects, Reach]:
    """The buckets, with how a job reaches them over HTTP: given an address of ours that it can connect to, the URL."""
    target = settings.aws.endpoint
    if target != EMBEDDED:
        remote = await stack.enter_async_context(RemoteObjects(target, region=settings.region))
        return remote, _remote_reach(target)
    store = ObjectStore(settings.home / "s3")
    return LocalObjects(store), _embedded_reach(store, stack)


def _embedded_reach(store: ObjectStore, stack: AsyncExitStack) -> Reach:
    """Our own endpoint, started when the first job asks for it: a run of stubs never pays for a server."""
    opened: list[Endpoint] = []

    async def reach(address: str) -> str:
        if not opened:
            opened.append(await stack.enter_async_context(Endpoint(store)))
        return await opened[0].listen_on(address)

    return reach


def _remote_reach(target: str) -> Reach:
    url = urlsplit("http://localhost:4566" if target == LOCALSTACK else target)

    async def reach(address: str) -> str:
        if url.hostname not in _LOCAL_HOSTS:
            return urlunsplit(url)
        # Inside a container this machine has another address than its loopback.
        return urlunsplit(url._replace(netloc=f"{address}:{url.port}" if url.port else address))

    return reach
