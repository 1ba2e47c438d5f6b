"""Every executor, built from its parts."""

from __future__ import annotations

import asyncio
import glob
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from sagelocal.callbacks import Callbacks
from sagelocal.clock import Clock
from sagelocal.cloud.account.ecr_images import LocalImages
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.event_source_mappings import EventSourceMappings
from sagelocal.cloud.event_sources import Feeder
from sagelocal.cloud.functions import FunctionStore, Invoke
from sagelocal.cloud.invocations import SERVICE as RUNTIME
from sagelocal.cloud.invocations import Invocations
from sagelocal.cloud.objects import LocalObjects, Objects
from sagelocal.cloud.outbox import LocalOutbox, Outbox, RemoteOutbox
from sagelocal.cloud.remote import LOCALSTACK, RemoteObjects
from sagelocal.cloud.services import Services
from sagelocal.cloud.sqs import Queues
from sagelocal.definition.steps import StepType
from sagelocal.errors import UsageError
from sagelocal.jobs import Executor
from sagelocal.logs import StepLogs
from sagelocal.names import Partition
from sagelocal.settings import Runtime, Settings
from sagelocal_executors.callback import CallbackExecutor
from sagelocal_executors.containers.choice import AutoContainers
from sagelocal_executors.containers.docker_images import local_images
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.containers.stub import StubContainers, Stubs
from sagelocal_executors.emr.clusters import Clusters
from sagelocal_executors.emr.lake import RemoteLake, StoreLake
from sagelocal_executors.emr.programs import Programs, interpreter
from sagelocal_executors.emr.serverless import EmrServerlessExecutor
from sagelocal_executors.emr.steps import EmrExecutor
from sagelocal_executors.functions.feeding import LONGEST_GRACE, Notes, feeds, sources
from sagelocal_executors.functions.invoker import LocalInvoker
from sagelocal_executors.functions.printing import logged
from sagelocal_executors.functions.step import LambdaExecutor
from sagelocal_executors.job_executors import Account, job_executors
from sagelocal_executors.overrides import Overridden
from sagelocal_executors.tools import Tools
from sagelocal_executors.trees import remove

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from sagelocal_executors.containers.docker import DockerContainers

EMBEDDED = "embedded"
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}

Reach = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the engine hands in; `services` is not open yet, so that executors can add theirs."""

    settings: Settings
    logs: StepLogs
    partition: Partition
    clock: Clock
    catalog: Catalog
    services: Services
    queues: Queues
    callbacks: Callbacks
    stubs: Stubs | None = None


@dataclass(frozen=True, slots=True)
class Assembly:
    """What the engine gets.

    Attributes:
        executors: per kind of step, what runs it; kinds that cannot run yet are not in it.
        objects: the buckets that jobs read and write.
        missing: why a job of the step with this image could not run, with the ways out; None when it can.
        sweep: removes what jobs, by their names, of an execution have left whose engine was killed.
        invoke: invokes a Lambda function, by name or ARN, on a payload.
        images: the container images of this machine.
    """

    executors: Mapping[StepType, Executor]
    objects: Objects
    missing: Callable[[str, str], Awaitable[str | None]]
    sweep: Callable[[str, Iterable[str]], Awaitable[None]]
    invoke: Callable[[str, bytes], Awaitable[object]]
    images: LocalImages


@asynccontextmanager
async def assemble(parts: Parts) -> AsyncIterator[Assembly]:
    """Build the executors; what they opened is closed at the end."""
    settings = parts.settings

    def stubbed(step: str) -> bool:
        return settings.runtime_of(step) is Runtime.STUB

    def error(step: str) -> str:
        failure = stubs.of(step).failure if stubbed(step) else None
        return failure.error if failure else ""

    stubs = parts.stubs or Stubs()
    async with AsyncExitStack() as stack:
        objects, reach = await _objects(parts, stack)
        containers = _containers(parts, reach)
        stack.push_async_callback(containers.close)
        lambdas, mappings, invoke = _lambda(parts, reach, stack, stubbed)
        executors: dict[StepType, Executor] = {
            **_jobs(parts, containers, objects, stubbed),
            StepType.LAMBDA: lambdas,
            StepType.CALLBACK: _callback(parts, stack, stubbed),
            **_emr(parts, objects, reach, stack),
        }
        overridden = {
            kind: Overridden(executor, lambda step: stubs.of(step).properties, error)
            for kind, executor in executors.items()
        }
        if feeds(settings):
            mappings.begin(sources(settings))  # tasks, which run when the engine has built the rest
        yield Assembly(
            overridden,
            objects,
            containers.missing,
            partial(_sweep, containers, settings.home / "jobs"),
            invoke,
            partial(local_images, settings.images),
        )


async def _sweep(containers: AutoContainers, folder: Path, execution: str, jobs: Iterable[str]) -> None:
    await containers.sweep(execution)
    await asyncio.to_thread(_remove_folders, folder, jobs)


def _remove_folders(folder: Path, jobs: Iterable[str]) -> None:
    """Remove the working folders of jobs, and of those that they have started: their names begin alike."""
    for job in jobs:
        for found in folder.glob(f"{glob.escape(job)}*"):
            remove(found)


def _jobs(
    parts: Parts, containers: AutoContainers, objects: Objects, stubbed: Callable[[str], bool]
) -> Mapping[StepType, Executor]:
    settings, stubs = parts.settings, parts.stubs or Stubs()
    tools = Tools(
        containers,
        objects,
        parts.logs,
        parts.partition,
        settings.home / "jobs",
        parts.clock,
        settings.stop_grace,
        stubbed,
    )
    invocations = Invocations(settings.account)
    parts.services.serve(RUNTIME, invocations.app)
    account = Account(
        parts.catalog,
        invocations,
        settings.create_model_package_groups,
        lambda step: stubs.of(step).metrics if stubbed(step) else {},
    )
    return job_executors(tools, account)


def _emr(parts: Parts, objects: Objects, reach: Reach, stack: AsyncExitStack) -> Mapping[StepType, Executor]:
    settings, scratch = parts.settings, parts.settings.home / "jobs"
    # Sandboxes have the interpreter that has pyspark; rules for images are of no concern to EMR.
    own = settings.model_copy(update={"python": interpreter(settings), "images": {}})
    containers = ProcessContainers(own, scratch, reach)
    stack.push_async_callback(containers.close)
    embedded = settings.aws.endpoint == EMBEDDED
    lake = StoreLake(parts.services.store) if embedded else RemoteLake(objects)
    stubs = parts.stubs or Stubs()
    programs = Programs(containers, objects, lake, settings, scratch, parts.clock, stubs)
    clusters = Clusters(parts.catalog, parts.clock, settings.emr.step_concurrency)
    return {
        StepType.EMR: EmrExecutor(programs, clusters, parts.logs, parts.catalog, parts.clock),
        StepType.EMR_SERVERLESS: EmrServerlessExecutor(
            programs, parts.partition, parts.logs, parts.catalog, parts.clock
        ),
    }


def _containers(parts: Parts, reach: Reach) -> AutoContainers:
    scratch = parts.settings.home / "jobs"
    return AutoContainers(
        parts.settings,
        docker=lambda: _docker(parts.settings, scratch, reach),
        process=lambda: ProcessContainers(parts.settings, scratch, reach),
        stub=StubContainers(parts.stubs or Stubs(), parts.clock),
        on_place=lambda spec, where: parts.logs.place(spec.labels["sagelocal.execution"], spec.step, where),
    )


def _docker(settings: Settings, scratch: Path, reach: Reach) -> DockerContainers:
    from sagelocal_executors.containers.docker import DockerContainers  # noqa: PLC0415 - start-up time: docker-py

    return DockerContainers(settings, scratch, reach)


def _callback(parts: Parts, stack: AsyncExitStack, stubbed: Callable[[str], bool]) -> CallbackExecutor:
    settings, stubs = parts.settings, parts.stubs or Stubs()
    embedded = settings.aws.endpoint == EMBEDDED
    return CallbackExecutor(
        parts.callbacks,
        _outbox(parts, stack),
        parts.services.url,
        parts.logs,
        parts.clock,
        settings.callback_expiry,
        _home_option(settings.home),
        "AWS_ENDPOINT_URL" if embedded else "AWS_ENDPOINT_URL_SAGEMAKER",
        lambda step: stubs.of(step) if stubbed(step) else None,
    )


def _outbox(parts: Parts, stack: AsyncExitStack) -> Outbox:
    """Where messages go: into our own queues, which are served only then, or to another endpoint's."""
    target = parts.settings.aws.endpoint
    if target == EMBEDDED:
        parts.services.serve("sqs", lambda: _sqs_app(parts.queues))
        return LocalOutbox(parts.queues)
    remote = RemoteOutbox(target, parts.settings.region)
    stack.push_async_callback(remote.close)
    return remote


def _sqs_app(queues: Queues) -> ASGIApp:
    from sagelocal.cloud.sqs_http import sqs_app  # noqa: PLC0415 - start-up time: starlette

    return sqs_app(queues)


def _home_option(home: Path) -> str:
    """What a command needs to find this state folder from the folder where we work."""
    return "" if home == Path.cwd() / ".sagelocal" else f" --home {shlex.quote(str(home))}"


async def _objects(parts: Parts, stack: AsyncExitStack) -> tuple[Objects, Reach]:
    """The buckets, with how a job reaches AWS's services: given an address of ours that it can connect to, the URL."""
    target = parts.settings.aws.endpoint
    if target == EMBEDDED:
        return LocalObjects(parts.services.store), parts.services.reach
    remote = RemoteObjects(target, region=parts.settings.region)
    return await stack.enter_async_context(remote), _remote_reach(target)


def _lambda(
    parts: Parts, reach: Reach, stack: AsyncExitStack, stubbed: Callable[[str], bool]
) -> tuple[LambdaExecutor, EventSourceMappings, Callable[[str, bytes], Awaitable[object]]]:
    settings, folder = parts.settings, parts.settings.home / "functions"
    functions = FunctionStore(parts.catalog, folder, parts.partition, settings.functions)
    invoker = LocalInvoker(settings, folder, reach)
    stack.push_async_callback(invoker.close)
    notes = Notes(settings.home / "logs" / "functions", parts.logs, parts.callbacks)
    feeder = Feeder(parts.queues, functions, invoker.invoke, parts.clock, notes.log, notes.tell)
    grace = min(settings.stop_grace, LONGEST_GRACE)
    mappings = EventSourceMappings(parts.catalog, feeder, parts.clock, grace)
    stack.push_async_callback(mappings.close)
    # The feeder keeps the logs of the functions that it feeds itself.
    invoke = logged(invoker.invoke, notes.log)
    if settings.aws.endpoint == EMBEDDED:
        parts.services.serve("lambda", lambda: _lambda_app(parts, functions, invoke, mappings))
    stubs = parts.stubs or Stubs()
    lambdas = LambdaExecutor(functions, invoke, invoker.where, parts.logs, parts.clock, stubs, stubbed)
    return lambdas, mappings, partial(_invoke, functions, invoke)


async def _invoke(functions: FunctionStore, invoke: Invoke, reference: str, payload: bytes) -> None:
    """Invoke a function as an event does: what it returns is nobody's.

    Raises:
        UsageError: there is no such function, or it has failed.
    """
    function = functions.find(reference)
    if function is None:
        raise UsageError(functions.missing(reference))
    invoked = await invoke(function, payload, lambda _: None)
    if invoked.failed:
        message = f"the function has failed: {invoked.payload.decode(errors='replace')[:1000]}"
        raise UsageError(message)


def _lambda_app(
    parts: Parts, functions: FunctionStore, invoke: Invoke, mappings: EventSourceMappings
) -> ASGIApp:
    # Imported here: starlette costs start-up time.
    from sagelocal.cloud.event_sources_http import event_source_routes  # noqa: PLC0415 - start-up time
    from sagelocal.cloud.functions_http import lambda_app  # noqa: PLC0415 - start-up time

    more = event_source_routes(mappings, functions, parts.partition)
    return lambda_app(functions, invoke, parts.services.store, parts.clock, more)


def _remote_reach(target: str) -> Reach:
    url = urlsplit("http://localhost:4566" if target == LOCALSTACK else target)

    async def reach(address: str) -> str:
        if url.hostname not in _LOCAL_HOSTS:
            return urlunsplit(url)
        # Inside a container this machine has another address than its loopback.
        return urlunsplit(url._replace(netloc=f"{address}:{url.port}" if url.port else address))

    return reach
