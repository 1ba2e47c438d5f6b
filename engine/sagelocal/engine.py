"""Builds every part once and joins them; the only module that knows the executors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sagelocal.callbacks import Callbacks
from sagelocal.check.whole import check_text
from sagelocal.clock import Clock, SystemClock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.experiments import Experiments
from sagelocal.cloud.objects import Objects
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.seed import seed
from sagelocal.cloud.services import Services
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.surroundings import Around, Surroundings
from sagelocal.database import open_database
from sagelocal.definition.steps import StepType
from sagelocal.direct_jobs import DirectJobs
from sagelocal.errors import ConflictError, UsageError
from sagelocal.jobs import Executor
from sagelocal.lifecycle import LISTED, StepStatus
from sagelocal.logs import StepLogs
from sagelocal.looking import open_logs, open_views
from sagelocal.names import Partition, pipeline_of
from sagelocal.plan import Plan
from sagelocal.preparation import Wish, prepare, refuse_missing_images, refuse_unknown_kinds
from sagelocal.runs import Runs
from sagelocal.settings import Settings
from sagelocal.state import Selection
from sagelocal.store.announcements import Announcements
from sagelocal.store.claims import Claims
from sagelocal.store.journal import Journal, Start
from sagelocal.store.machines import Machine
from sagelocal.store.pipelines import Pipelines
from sagelocal.store.tags import Tags
from sagelocal.store.tokens import Tokens
from sagelocal.store.views import ExecutionView, StepView, Views, step_view, view
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


class Engine:
    """Runs pipelines; an async context manager that stops what still runs when it is left.

    Args:
        settings: all knobs.
        stubs: what the stub runtime does per step (`sagelocal_executors.containers.stub.load_stubs`).
        executors: your own executors, per kind of step, in place of or besides ours.
        clock: where moments come from.
        services: what its endpoint serves besides S3, SQS and Lambda, by signing name (`sagelocal.api.SERVICES`).
        port: of 127.0.0.1, where the endpoint is open from the beginning; None: any, opened when a step needs it.
        origin: of executions that are started without one of their own.

    Attributes:
        views, pipelines, tags, tokens, catalog: what the state folder keeps.
        objects, executors: what steps run with.
        jobs: those that no step has created.
        clock, partition, logs, callbacks: what all parts share.
    """

    views: Views
    pipelines: Pipelines
    tags: Tags
    tokens: Tokens
    catalog: Catalog
    objects: Objects
    executors: Mapping[StepType, Executor]
    jobs: DirectJobs

    def __init__(
        self,
        settings: Settings,
        *,
        stubs: Stubs | None = None,
        executors: Mapping[StepType, Executor] | None = None,
        clock: Clock | None = None,
        services: Mapping[str, Service] | None = None,
        port: int | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.logs = StepLogs(settings.home / "logs", self.clock)
        self._stubs = stubs
        self._own = dict(executors or {})
        self._origin = dict(origin or {})
        self.partition = Partition(settings.region, settings.account)
        self._services = dict(services or {})
        self._endpoint = Services(ObjectStore(settings.home / "s3"), settings.home, port)
        self.callbacks = Callbacks(self.clock)
        self._claims = Claims(settings.home / "claims")
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
        self.views = Views(self._journal, self.partition, self.logs.where, self._claims.taken)
        self.pipelines, self.tags = Pipelines(connection), Tags(connection)
        self.tokens, self.catalog = Tokens(connection, self.clock), Catalog(connection)
        queues = Queues(connection, self.clock, self.partition)
        parts = Parts(
            self.settings,
            self.logs,
            self.partition,
            self.clock,
            self.catalog,
            self._endpoint,
            queues,
            self.callbacks,
            self._stubs,
        )
        self._assembly = await stack.enter_async_context(assemble(parts))
        self.objects = self._assembly.objects
        self._experiments = Experiments(self.catalog, self.partition, self.clock)
        self.jobs = self._made_jobs()
        self.executors = self.jobs.executors
        await self.jobs.recover()
        self._surroundings = await stack.enter_async_context(self._surrounded(queues))
        self._surroundings.serve(self._endpoint)
        self._announcements = Announcements(self._surroundings.bus, self.clock)
        self._runs = self._made_runs()
        for name, service in self._services.items():
            self._endpoint.serve(name, partial(service, self))
        # After the rest, as it shall be closed before whatever it serves.
        await stack.enter_async_context(self._endpoint)
        # It waits for its requests: those that wait for a message are told now that there is none.
        stack.callback(queues.close)

    def _surrounded(self, queues: Queues) -> Surroundings:
        place = (self.catalog, self.partition, self.clock, self.settings.home / "logs")
        ours = queues if self.settings.aws.embedded else None
        return Surroundings(Around(*place, self.start, self._assembly.invoke, ours, self._assembly.images))

    def _made_jobs(self) -> DirectJobs:
        return DirectJobs(
            {**self._assembly.executors, **self._own},
            self.catalog,
            self.clock,
            self._claims,
            experiments=self._experiments,
            experiment_of=lambda arn: self.views.machines.live[arn].start.experiment,
            before=lambda: seed(self.objects, self.settings.s3),
            sweep=self._assembly.sweep,
        )

    def _made_runs(self) -> Runs:
        return Runs(
            self._journal,
            self._claims,
            self.executors,
            fetch=self.objects.read,
            clock=self.clock,
            partition=self.partition,
            machines=self.views.machines,
            observe=self._tell,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # First, so that nothing new is started while the rest ends.
        await self._surroundings.close()
        self._runs.stop_all()
        self.jobs.stop_all()
        self.callbacks.close()
        await self._runs.wait_all()
        await self.jobs.wait_all()
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
        arn = self.partition.pipeline(name)
        self.pipelines.put(name, arn, definition, self.clock.now())
        return arn

    async def start(
        self,
        pipeline: str,
        parameters: Mapping[str, Scalar] | None = None,
        *,
        max_parallel: int | None = None,
        display_name: str | None = None,
        description: str | None = None,
        version: int | None = None,
        alias: str | None = None,
        mlflow_experiment: str | None = None,
        selection: Selection | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> str:
        """Start an execution of a pipeline, by name or ARN; the execution's ARN is returned before anything runs.

        `origin` is kept for whoever goes on with the execution after this engine was killed (`ExecutionView.origin`).

        Raises:
            NotFoundError: no such pipeline, or it has no such version.
            UsageError: a parameter is wrong, or a step is of a type that cannot run yet.
            MachineError: this machine lacks something that a step needs.
        """
        name = pipeline_of(pipeline)
        wish = Wish(
            parameters or {},
            max_parallel,
            display_name,
            description,
            version,
            alias,
            mlflow_experiment,
            selection,
            origin or self._origin,
        )
        start, graph = prepare(self.pipelines, self.settings, name, wish, self.clock.now())
        await self._refuse_what_cannot_run(graph, start)
        self.pipelines.get(name)  # may have been deleted meanwhile
        self._runs.begin(start)
        self._experiments.begin(start.arn, start.experiment)
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
        with self._runs.take_over(arn) as left:
            await self._refuse_what_cannot_run(left.execution.plan, left.start)
            await self._assembly.sweep(arn, left.jobs)
            self._runs.resume(left)
        return arn

    async def wait(self, execution: str) -> ExecutionView:
        """Wait for the end of an execution that this engine runs, or has run.

        Raises:
            NotFoundError: this engine runs no such execution.
            MachineError: the state could not be kept.
            BaseExceptionGroup: an executor raised: our bug.
        """
        ended = await self._runs.wait(execution)
        return view(ended.start, ended.execution, self.logs.where)

    def stop(self, execution: str) -> None:
        """Stop an execution; a second time, without grace for its jobs.

        Raises:
            NotFoundError: this engine runs no such execution.
        """
        self._runs.stop(execution)

    async def stop_interrupted(self, execution: str) -> None:
        """Stop an execution whose engine was killed: what was running is Stopped, what it left is removed.

        Raises:
            ConflictError: it has ended, or another engine drives it.
        """
        with self._runs.take_over(execution) as left:
            await self._assembly.sweep(execution, left.jobs)
            self._runs.end(left)
            self.jobs.abandon(left.jobs)

    def leave(self) -> None:
        """Leave what still runs as it is, to an engine that goes on with it (`resume`): leaving this one stops only the jobs.

        A second time: without grace for them. Nothing new is begun from here on.
        """
        self._runs.leave_all()
        self.callbacks.close()

    def limit(self, execution: str, max_parallel: int) -> None:
        """Change how many jobs of an execution may run at once; those that run go on.

        Raises:
            ConflictError: it has ended, or another engine drives it.
        """
        self._runs.limit(execution, max_parallel)

    def rename(self, execution: str, display_name: str | None, description: str | None) -> None:
        """Give an execution that exists another display name or description; what is None stays as it is."""
        self._runs.rename(execution, display_name, description)

    def drives(self, execution: str) -> bool:
        """Whether this engine drives the execution at the moment."""
        return execution in self.views.machines.live

    async def retry(self, execution: str, *, max_parallel: int | None = None) -> None:
        """Run once more what failed or was stopped in an execution that has ended, by ARN (semantics 06 §6.3).

        Raises:
            NotFoundError: there is no such execution.
            ConflictError: it runs, has nothing to retry, or was ended by a Fail step.
            MachineError: this machine lacks something that a step needs.
        """
        self.views.machines.outline(execution)
        with self._runs.take_up(execution) as ended:
            failing = [
                name
                for name, state in ended.execution.steps.items()
                if state.status is StepStatus.FAILED
                and ended.execution.plan.steps[name].type is StepType.FAIL
            ]
            if failing:
                message = f"Pipeline execution {execution} cannot be retried: the Fail step {failing[0]} has ended it."
                raise ConflictError(message)
            await self._refuse_what_cannot_run(ended.execution.plan, ended.start)
            self._runs.retry(ended, max_parallel)

    async def url(self) -> str:
        """Where this engine is reached over HTTP: the AWS_ENDPOINT_URL of whoever works with it."""
        return await self._endpoint.url()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` on the event loop with every step and execution that changes."""
        self._listeners.append(listener)

    async def _refuse_what_cannot_run(self, graph: Plan, start: Start) -> None:
        refuse_unknown_kinds(graph, self.executors)
        await refuse_missing_images(graph, start.parameters, self._own, self._assembly.missing)
        await seed(self.objects, self.settings.s3)

    def _tell(self, machine: Machine, steps: Iterable[str]) -> None:
        self._announcements.observe(machine, steps)
        if not self._listeners:
            return
        execution = machine.execution
        states = execution.steps
        changed: list[StepView | ExecutionView] = [
            step_view(execution, name, self.logs.where) for name in steps if states[name].status in LISTED
        ]
        if execution.done:
            changed.append(view(machine.start, execution, self.logs.where))
        for listener in self._listeners:
            for item in changed:
                listener(item)
