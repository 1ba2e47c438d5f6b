"""Builds every part once and joins them; the only module that knows the executors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sagelocal.callbacks import Callbacks
from sagelocal.check.whole import check_text
from sagelocal.clock import Clock, SystemClock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.seed import seed
from sagelocal.cloud.services import Services
from sagelocal.cloud.sqs import Queues
from sagelocal.database import open_database
from sagelocal.definition import parse
from sagelocal.definition.pipeline import PipelineDefinition
from sagelocal.definition.steps import StepType
from sagelocal.errors import MachineError, NotFoundError, SagelocalError, UsageError
from sagelocal.execution import Execution
from sagelocal.experiment import experiment
from sagelocal.jobs import Executor
from sagelocal.lifecycle import LISTED
from sagelocal.logs import StepLogs
from sagelocal.names import Partition, execution_id, new_execution_id, pipeline_of
from sagelocal.nearest import did_you_mean
from sagelocal.parameters import bind
from sagelocal.plan import RUNS_IN_CORE, Plan, plan
from sagelocal.preflight import images
from sagelocal.resumption import Outstanding, relive
from sagelocal.scheduler import Driver
from sagelocal.settings import Settings
from sagelocal.state import Rules
from sagelocal.store.claims import Claims
from sagelocal.store.journal import Journal, Start
from sagelocal.store.views import ExecutionView, StepView, Views, fresh, step_view, view
from sagelocal.values import Scalar
from sagelocal_executors import Parts, Stubs, assemble, load_stubs

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Doors may not import the executors themselves.
__all__ = ["Engine", "Listener", "Service", "Stubs", "load_stubs", "open_logs", "open_views"]

Listener = Callable[[StepView | ExecutionView], None]

Service = Callable[["Engine"], "ASGIApp"]
"""Makes the app that serves an AWS service of an engine over HTTP."""

_PIPELINE_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,255}")  # boto: PipelineName


@dataclass(slots=True)
class _Run:
    """An execution that this engine drives."""

    start: Start
    execution: Execution
    driver: Driver
    task: asyncio.Task[None]


class Engine:
    """Runs pipelines; an async context manager that stops what still runs when it is left.

    Args:
        settings: all knobs.
        stubs: what the stub runtime does per step (`sagelocal_executors.containers.stub.load_stubs`).
        executors: your own executors, per kind of step, in place of or besides ours.
        clock: where moments come from.
        services: what its endpoint serves besides S3, SQS and Lambda, by signing name (`sagelocal.api.SERVICES`).
        port: of 127.0.0.1, where the endpoint is open from the beginning; None: any, opened when a step needs it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stubs: Stubs | None = None,
        executors: Mapping[StepType, Executor] | None = None,
        clock: Clock | None = None,
        services: Mapping[str, Service] | None = None,
        port: int | None = None,
    ) -> None:
        self.settings = settings
        self.logs = open_logs(settings)
        self._clock = clock or SystemClock()
        self._stubs = stubs
        self._own = dict(executors or {})
        self._partition = Partition(settings.region, settings.account)
        self._services = dict(services or {})
        self._endpoint = Services(ObjectStore(settings.home / "s3"), settings.home, port)
        self.callbacks = Callbacks(self._clock)
        self._claims = Claims(settings.home / "claims")
        self._runs: dict[str, _Run] = {}
        self._listeners: list[Listener] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            # Only now, so that what was opened is closed when the next thing cannot be.
            self._stack = stack.pop_all()
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        connection = open_database(self.settings.home / "state.db")
        stack.callback(connection.close)
        self._journal = Journal(connection)
        self.views = Views(self._journal, self._partition, self.logs.where, self._claims.taken)
        queues = Queues(connection, self._clock, self._partition)
        parts = Parts(
            self.settings,
            self.logs,
            self._partition,
            self._clock,
            Catalog(connection),
            self._endpoint,
            queues,
            self.callbacks,
            self._stubs,
        )
        self._assembly = await stack.enter_async_context(assemble(parts))
        self._executors: Mapping[StepType, Executor] = {**self._assembly.executors, **self._own}
        for name, service in self._services.items():
            self._endpoint.serve(name, partial(service, self))
        # After the rest, as it shall be closed before whatever it serves.
        await stack.enter_async_context(self._endpoint)
        # It waits for its requests: those that wait for a message are told now that there is none.
        stack.callback(queues.close)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._runs.values():
            if not run.task.done():
                run.driver.stop()
        self.callbacks.close()
        await asyncio.gather(*(run.task for run in self._runs.values()), return_exceptions=True)
        await self._stack.aclose()

    def create_pipeline(self, name: str, definition: str) -> str:
        """Create a pipeline, or give it a new definition; its ARN is returned.

        Raises:
            UsageError: no pipeline may have that name.
            DefinitionError: the definition is wrong; all that is wrong, at once.
        """
        if not _PIPELINE_NAME.fullmatch(name):
            message = f"{name!r} cannot be the name of a pipeline: write letters and digits with single hyphens between, at most 256"
            raise UsageError(message)
        check_text(definition)
        arn = self._partition.pipeline(name)
        self._journal.put_pipeline(name, arn, definition, self._clock.now())
        return arn

    async def start(
        self,
        pipeline: str,
        parameters: Mapping[str, Scalar] | None = None,
        *,
        max_parallel: int | None = None,
        display_name: str | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> str:
        """Start an execution of a pipeline, by name or ARN; the execution's ARN is returned before anything runs.

        `origin` is kept for whoever goes on with the execution after this engine was killed (`ExecutionView.origin`).

        Raises:
            NotFoundError: no such pipeline.
            UsageError: a parameter is wrong, or a step is of a type that cannot run yet.
            MachineError: this machine lacks something that a step needs.
        """
        start, graph = self._prepare(pipeline_of(pipeline), parameters or {}, max_parallel, display_name)
        start = replace(start, origin=origin or {})
        await self._refuse_what_cannot_run(graph, start)
        self._claims.take(start.arn)
        self._journal.begin(start)
        self._drive(start, fresh(start, self._partition), None)
        return start.arn

    async def resume(self, execution: str) -> str:
        """Go on with an execution whose engine was killed, or the machine with it; its ARN is returned.

        What has ended stays as it is, what was running runs again, with the same attempt and name.

        Args:
            execution: ARN, id, unique beginning of an id, or ``latest``.

        Raises:
            NotFoundError: there is no such execution.
            UsageError: it has ended, or another engine drives it.
            MachineError: this machine lacks something that a step needs.
        """
        arn = self.views.execution(execution).arn
        if not self._claims.take(arn):
            message = f"Execution {execution_id(arn)} is being run by another sagelocal: wait for it, or end that first"
            raise UsageError(message)
        try:
            start, relived, outstanding = self._relived(arn)
            await self._refuse_what_cannot_run(relived.plan, start)
            await self._assembly.sweep(arn, [job.name for job in outstanding.running.values()])
        except BaseException:
            self._claims.give_back(arn)
            raise
        # An engine may die before it has recorded that the execution has begun.
        self._drive(start, relived, outstanding if relived.started else None)
        return arn

    def _relived(self, arn: str) -> tuple[Start, Execution, Outstanding]:
        start = self._journal.find(arn)[0]
        execution = fresh(start, self._partition)
        outstanding = relive(execution, self._journal.events(arn))
        if execution.done:
            message = f"Execution {execution_id(arn)} has ended: {execution.status}"
            raise UsageError(message)
        return start, execution, outstanding

    def _drive(self, start: Start, execution: Execution, outstanding: Outstanding | None) -> None:
        driver = Driver(
            execution,
            self._executors,
            record=lambda events: self._journal.append(start.arn, events),
            fetch=self._assembly.objects.read,
            clock=self._clock,
            limit=start.max_parallel,
            together=self._journal.together,
            observe=lambda steps: self._tell(start.arn, steps),
            outstanding=outstanding,
        )
        task = asyncio.create_task(driver.run(), name=start.arn)
        task.add_done_callback(lambda _: self._claims.give_back(start.arn))
        self._runs[start.arn] = _Run(start, execution, driver, task)

    async def wait(self, execution: str) -> ExecutionView:
        """Wait for the end of an execution that this engine runs.

        Raises:
            NotFoundError: this engine runs no such execution.
            MachineError: the state could not be kept.
            BaseExceptionGroup: an executor raised: our bug.
        """
        run = self._run(execution)
        try:
            # Shielded: a caller who is cancelled gives up waiting, not the execution.
            await asyncio.shield(run.task)
        except BaseExceptionGroup as group:
            raise _plain(group) from group
        return view(run.start, run.execution, self.logs.where)

    def stop(self, execution: str) -> None:
        """Stop an execution; a second time, without grace for its jobs.

        Raises:
            NotFoundError: this engine runs no such execution.
        """
        self._run(execution).driver.stop()

    async def url(self) -> str:
        """Where this engine is reached over HTTP: the AWS_ENDPOINT_URL of whoever works with it."""
        return await self._endpoint.url()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` on the event loop with every step and execution that changes."""
        self._listeners.append(listener)

    def _prepare(
        self, pipeline: str, given: Mapping[str, Scalar], max_parallel: int | None, display_name: str | None
    ) -> tuple[Start, Plan]:
        found = self._journal.definition(pipeline)
        if found is None:
            message = f"There is no pipeline {pipeline!r}{did_you_mean(pipeline, self._journal.pipelines())}"
            raise NotFoundError(message)
        if max_parallel is not None and max_parallel < 1:
            message = f"MaxParallelExecutionSteps must be at least 1, got {max_parallel}."
            raise UsageError(message)
        version, text = found
        definition, now = parse(text), self._clock.now()
        values = bind(definition.parameters, {**self._configured(definition), **given})
        arn = self._partition.execution(pipeline, new_execution_id())
        rules = Rules(self.settings.start_after_failure, self.settings.lower_case_pipeline_name)
        start = Start(
            arn=arn,
            pipeline=pipeline,
            version=version,
            definition=text,
            created=now,
            display_name=display_name or f"execution-{int(now * 1000)}",
            parameters=values,
            max_parallel=max_parallel,
            experiment=experiment(definition, arn, values, rules, now),
            rules=rules,
        )
        return start, plan(definition)

    def _configured(self, definition: PipelineDefinition) -> dict[str, Scalar]:
        """The configuration's defaults, of which a pipeline may declare only some."""
        declared = {parameter.name for parameter in definition.parameters}
        return {name: value for name, value in self.settings.parameters.items() if name in declared}

    async def _refuse_what_cannot_run(self, graph: Plan, start: Start) -> None:
        self._refuse_unknown_kinds(graph)
        await self._refuse_missing_images(graph, start)
        await seed(self._assembly.objects, self.settings.s3)

    def _refuse_unknown_kinds(self, graph: Plan) -> None:
        missing: dict[StepType, list[str]] = {}
        for name, step in graph.steps.items():
            if step.type not in RUNS_IN_CORE and step.type not in self._executors:
                missing.setdefault(step.type, []).append(name)
        if missing:
            told = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in missing.items())
            message = f"Nothing was started: these step types cannot run locally yet: {told}"
            raise UsageError(message)

    async def _refuse_missing_images(self, graph: Plan, start: Start) -> None:
        """Say before anything runs what would only be found out in the middle."""
        own = set(self._own)
        wanted = [
            (name, image)
            for name, image in images(graph, start.parameters)
            if graph.steps[name].type not in own
        ]
        faults = [(name, await self._assembly.missing(image, name)) for name, image in wanted]
        told = [f"step {name}: {fault}" for name, fault in faults if fault]
        if told:
            raise MachineError("Nothing was started.\n" + "\n".join(told))

    def _run(self, execution: str) -> _Run:
        if execution not in self._runs:
            message = f"This engine runs no execution {execution!r}"
            raise NotFoundError(message)
        return self._runs[execution]

    def _tell(self, arn: str, steps: Iterable[str]) -> None:
        if not self._listeners or arn not in self._runs:
            return
        run = self._runs[arn]
        states = run.execution.steps
        changed: list[StepView | ExecutionView] = [
            step_view(run.execution, name, self.logs.where) for name in steps if states[name].status in LISTED
        ]
        if run.execution.done:
            changed.append(view(run.start, run.execution, self.logs.where))
        for listener in self._listeners:
            for item in changed:
                listener(item)


def open_logs(settings: Settings) -> StepLogs:
    """The step logs of a state folder."""
    return StepLogs(settings.home / "logs")


def open_views(settings: Settings) -> Views:
    """The executions of a state folder, for reading without an engine; looking leaves no state behind."""
    path = settings.home / "state.db"
    if settings.home.exists() and not settings.home.is_dir():
        message = f"{settings.home} is no folder: name the state folder with --home or SAGELOCAL_HOME"
        raise UsageError(message)
    journal = Journal(open_database(path if path.exists() else ":memory:"))
    driven = Claims(settings.home / "claims").taken
    return Views(journal, Partition(settings.region, settings.account), open_logs(settings).where, driven)


def _plain(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person should see: the one thing that the machine lacks, else the whole group."""
    for error in group.exceptions:
        if isinstance(error, SagelocalError):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _plain(error)
    return group
