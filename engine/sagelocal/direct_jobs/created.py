"""Jobs that no step has created: each is a task of the engine, run by the executor of its kind of step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from sagelocal.clock import Clock
from sagelocal.cloud import disk
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.experiments import Experiments
from sagelocal.cloud.job_records import JOB_KINDS, TRAINING, UNDER_WAY, JobKind, created
from sagelocal.definition.steps import StepType
from sagelocal.direct_jobs.running import RunningJobs
from sagelocal.direct_jobs.trials import TrialComponents
from sagelocal.errors import MachineError, SagelocalError, UsageError
from sagelocal.jobs import Executor, Failed, Job, Outcome, Stopped
from sagelocal.store.claims import Claims
from sagelocal.values import Json, JsonObject

MOST: Final = 100
"""Direct jobs that run at once; one more is refused, as an account's quota refuses it."""
_INTERRUPTED: Final = Failed(
    "InternalServerError: sagelocal was ended while the job ran: create it again, under another name",
    "Step.SERVICE_FAULT",
)
_BUG: Final = "InternalServerError: a bug of sagelocal: its own output says more"
_REFUSED: Final = "Error Details: "
_LOG = logging.getLogger(__name__)

_Key = tuple[Kind, str]


class DirectJobs:
    """Runs the jobs that are created by CreateTrainingJob and its like, and knows those of steps that run.

    Args:
        executors: what runs each kind of step.
        catalog: where the Describe answers of jobs are, and a note of every direct job that runs.
        clock: where moments come from.
        claims: so that no other engine takes a job for left behind.
        experiments: where every job is a trial component.
        experiment_of: the PipelineExperimentConfig of an execution that runs, by its ARN.
        before: what must have happened before a job runs.
        sweep: removes what a job of that name has left whose engine was killed.

    Attributes:
        executors: those for whoever runs steps: jobs that they run can be stopped here.
    """

    def __init__(
        self,
        executors: Mapping[StepType, Executor],
        catalog: Catalog,
        clock: Clock,
        claims: Claims,
        *,
        experiments: Experiments,
        experiment_of: Callable[[str], Mapping[str, Json]],
        before: Callable[[], Awaitable[object]],
        sweep: Callable[[str, Iterable[str]], Awaitable[None]],
    ) -> None:
        self._running = RunningJobs()
        self.executors = self._running.watched(executors)
        self._catalog = catalog
        self._clock = clock
        self._claims = claims
        self._before = before
        self._sweep = sweep
        self._tasks: dict[_Key, asyncio.Task[Outcome]] = {}
        self._awaited: dict[_Key, asyncio.Future[None]] = {}
        catalog.subscribe(self._recorded)
        catalog.subscribe(TrialComponents(experiments, self._running, experiment_of).recorded)

    @property
    def full(self) -> bool:
        """Whether as many jobs run as may."""
        return len(self._tasks) >= MOST

    def known(self, kind: JobKind, name: str) -> bool:
        """Whether there is, or was, a job of that name."""
        return (kind.kind, name) in self._tasks or self._catalog.get(kind.kind, name) is not None

    async def create(self, kind: JobKind, name: str, request: JsonObject) -> None:
        """Begin a job that is not known; returns as soon as it can be described.

        Args:
            kind: what it is.
            name: its name.
            request: the rest of the Create request.

        Raises:
            UsageError: its executor refuses it, or another engine has begun one of that name.
        """
        key = kind.kind, name
        job = Job(_execution(key), name, kind.type, 1, name, request)
        if not self._claims.take(job.execution):
            message = f"Another sagelocal runs a {kind.noun} of the name {name}: use another name."
            raise UsageError(message)
        try:
            self._catalog.put(Entity(Kind.DIRECT_JOB, job.execution, self._clock.now(), {"Name": name}))
        except MachineError:
            self._claims.give_back(job.execution)
            raise
        begun = self._awaited[key] = asyncio.get_running_loop().create_future()
        task = self._tasks[key] = asyncio.create_task(self._run(kind, job), name=job.execution)
        # First of all callbacks: whoever waits for the end finds everything in order.
        task.add_done_callback(lambda _: self._forget(key))
        await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            # It has ended without having been recorded.
            raise UsageError(refusal(Stopped() if task.cancelled() else task.result()))

    def stop(self, kind: JobKind, name: str) -> bool:
        """Stop a job, whoever has created it; False when it does not run here. A step that has created it fails."""
        return self._running.stop(kind.type, name)

    def stopping(self, kind: JobKind, name: str) -> bool:
        """Whether a job, whoever has created it, runs here and has been asked to stop."""
        return self._running.stopping(kind.type, name)

    def stop_all(self) -> None:
        """Stop all direct jobs; a second time, without grace."""
        for task in self._tasks.values():
            task.cancel()

    async def wait_all(self) -> None:
        """Wait for the end of every direct job that runs now."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def recover(self) -> None:
        """Record the failure of jobs whose engine was killed, and remove what they have left."""
        for note in self._catalog.list(Kind.DIRECT_JOB):
            execution, name = note.name, str(note.describe["Name"])
            if not self._claims.take(execution):
                continue
            await self._sweep(execution, [name])
            for kind in JOB_KINDS.values():
                if _execution((kind.kind, name)) == execution:
                    self._end(kind, name, _INTERRUPTED)
                    self._abandon_children(name, _INTERRUPTED)
            self._catalog.delete(Kind.DIRECT_JOB, execution)
            self._claims.give_back(execution)

    def abandon(self, names: Iterable[str]) -> None:
        """Record as stopped the jobs of these names that a step has created, and whose engine was killed."""
        for name in names:
            for kind in JOB_KINDS.values():
                if self._catalog.get(kind.kind, name) is not None:
                    self._end(kind, name, Stopped())
            self._abandon_children(name, Stopped())

    def _abandon_children(self, name: str, outcome: Outcome) -> None:
        """The training jobs that a tuning or AutoML job has started: their names begin with its own."""
        for child in self._catalog.list(Kind.TRAINING_JOB):
            if child.name.startswith(f"{name}-"):
                self._end(TRAINING, child.name, outcome)

    async def _run(self, kind: JobKind, job: Job) -> Outcome:
        try:
            with disk.faults():
                await self._before()
                outcome = await self.executors[kind.type].run(job)
        except asyncio.CancelledError:
            outcome = Stopped()
        except SagelocalError as error:
            outcome = Failed(f"InternalServerError: {error}", "Step.SERVICE_FAULT")
        except Exception:  # there is nobody above who could be told
            _LOG.exception("%s %s failed", kind.noun, job.name)
            outcome = Failed(_BUG, "Step.SERVICE_FAULT")
        task = asyncio.current_task()
        if task and task.cancelling() and isinstance(outcome, Failed):
            # To the step of a job that was stopped by StopTrainingJob that is a failure; here there is none.
            outcome = Stopped(outcome.properties)
        self._end(kind, job.name, outcome)
        return outcome

    def _end(self, kind: JobKind, name: str, outcome: Outcome) -> None:
        """Record how a job ended, as far as its executor has not."""
        entity = self._catalog.get(kind.kind, name)
        if entity is None and not outcome.properties:
            return
        record: JsonObject = {**(entity.describe if entity else {}), **outcome.properties}
        if record.get(kind.status, "InProgress") in UNDER_WAY:
            failed = isinstance(outcome, Failed)
            reason = outcome.reason if isinstance(outcome, Failed) else ""
            record = kind.ended(record, "Failed" if failed else "Stopped", reason, self._clock.now())
        if entity is None or record != entity.describe:
            moment = created(record) if "CreationTime" in record else self._clock.now()
            self._catalog.put(Entity(kind.kind, name, moment, record))

    def _recorded(self, entity: Entity) -> None:
        awaited = self._awaited.get((entity.kind, entity.name))
        if awaited and not awaited.done():
            awaited.set_result(None)

    def _forget(self, key: _Key) -> None:
        del self._awaited[key]
        task, execution = self._tasks.pop(key), _execution(key)
        try:
            if not task.cancelled():
                task.result()
            self._catalog.delete(Kind.DIRECT_JOB, execution)
        except MachineError as error:
            # The state cannot be kept: the next engine finds the note.
            _LOG.error("%s: %s", execution, error)
        self._claims.give_back(execution)


def _execution(key: _Key) -> str:
    """What stands for the execution that the job does not belong to: ``training-job-<name>``; no execution's id has hyphens."""
    kind, name = key
    return f"{kind}-{name}"


def refusal(outcome: Outcome) -> str:
    """What is wrong with the request, without the words for the step that a job has otherwise."""
    reason = outcome.reason if isinstance(outcome, Failed) else "The job was stopped before it was created."
    text = reason.rpartition(_REFUSED)[2]
    return text.removeprefix("ClientError: ").removeprefix("InternalServerError: ")
