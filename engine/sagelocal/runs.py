"""The executions that one engine drives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from sagelocal.clock import Clock
from sagelocal.definition.steps import StepType
from sagelocal.errors import ConflictError, MachineError, NotFoundError, SagelocalError
from sagelocal.events import Begun, Event, Finished, ParallelismChanged, RetryRequested, StopRequested
from sagelocal.execution import Execution
from sagelocal.jobs import Executor, Stopped
from sagelocal.lifecycle import RETRYABLE_EXECUTIONS
from sagelocal.names import Partition, execution_id
from sagelocal.resumption import Outstanding, relive, replay
from sagelocal.scheduler import Driver, Fetcher
from sagelocal.store.claims import Claims
from sagelocal.store.journal import Journal, Start
from sagelocal.store.machines import Machine, Machines, fresh

Observe = Callable[[Machine, Iterable[str]], None]
"""Is told the execution and the names of the steps that have moved."""


@dataclass(slots=True)
class _Run:
    machine: Machine
    driver: Driver
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An execution whose engine is gone, with what it still waits for."""

    start: Start
    execution: Execution
    outstanding: Outstanding

    @property
    def jobs(self) -> list[str]:
        """Names of the jobs that ran."""
        return [job.name for job in self.outstanding.running.values()]


class Runs:
    """Drives executions, each in a task of its own, as long as this engine has claimed them.

    Args:
        journal: where their events are recorded.
        claims: given back when an execution ends.
        executors: what runs each kind of step.
        fetch: reads an S3 object for Std:JsonGet.
        clock: where moments come from.
        partition: where the executions live.
        machines: where they are seen.
        observe: called on the event loop after each turn.
    """

    def __init__(
        self,
        journal: Journal,
        claims: Claims,
        executors: Mapping[StepType, Executor],
        *,
        fetch: Fetcher,
        clock: Clock,
        partition: Partition,
        machines: Machines,
        observe: Observe,
    ) -> None:
        self._journal = journal
        self._claims = claims
        self._executors = executors
        self._fetch = fetch
        self._clock = clock
        self._partition = partition
        self._machines = machines
        self._observe = observe
        self._runs: dict[str, _Run] = {}
        self._left = False

    def begin(self, start: Start) -> None:
        """Record the start of a new execution, and drive it to its end.

        Raises:
            ConflictError: all are being left.
        """
        self._refuse_when_left()
        self._claims.take(start.arn)
        try:
            self._journal.begin(start)
        except BaseException:
            self._claims.give_back(start.arn)
            raise
        self._drive(start, fresh(start, self._partition), None)

    def resume(self, left: Interrupted) -> None:
        """Drive an execution to its end that has just been taken over.

        Raises:
            ConflictError: all are being left.
        """
        self._refuse_when_left()
        # An engine may die before it has recorded that the execution has begun.
        self._drive(left.start, left.execution, left.outstanding if left.execution.started else None)

    @contextmanager
    def take_over(self, execution: str) -> Iterator[Interrupted]:
        """Claim an execution that exists and whose engine is gone; unless it is resumed, the claim is given back.

        Raises:
            ConflictError: it has ended, or some engine drives it.
        """
        if not self._claims.take(execution):
            message = f"Execution {execution_id(execution)} is being run by another sagelocal: wait for it, or end that first"
            raise ConflictError(message)
        try:
            start = self._journal.start(execution)
            machine = fresh(start, self._partition)
            outstanding = relive(machine, self._journal.events(execution))
            if machine.done:
                message = f"Execution {execution_id(execution)} has ended: {machine.status}"
                raise ConflictError(message)
            yield Interrupted(start, machine, outstanding)
        finally:
            if execution not in self._machines.live:
                self._journal.close(execution)
                self._claims.give_back(execution)

    @contextmanager
    def take_up(self, execution: str) -> Iterator[Machine]:
        """Claim an execution that has failed or was stopped; unless it is retried, the claim is given back.

        Raises:
            ConflictError: it has neither, or is being retried already.
        """
        if not self._claims.take(execution):
            raise ConflictError(f"Pipeline execution {execution} cannot be retried: it is Executing.")
        try:
            start = self._journal.start(execution)
            machine = replay(fresh(start, self._partition), self._journal.events(execution))
            if machine.status not in RETRYABLE_EXECUTIONS:
                raise ConflictError(
                    f"Pipeline execution {execution} cannot be retried: it is {machine.status}."
                )
            yield Machine(start, machine)
        finally:
            if execution not in self._machines.live:
                self._journal.close(execution)
                self._claims.give_back(execution)

    def retry(self, ended: Machine, max_parallel: int | None) -> None:
        """Drive an execution to another end that has just been taken up.

        Raises:
            ConflictError: all are being left.
        """
        self._refuse_when_left()
        if max_parallel is not None:
            change = ParallelismChanged(max_parallel, self._clock.now())
            self._journal.append(ended.start.arn, [change])
            ended.execution.apply(change)
        self._drive(ended.start, ended.execution, None, RetryRequested)

    def end(self, left: Interrupted) -> None:
        """Record that an execution which was taken over is stopped, with every job that it left running."""
        now = self._clock.now()
        events: list[Event] = [StopRequested(now)]
        events += [Finished(step, Stopped(), now) for step in left.outstanding.running]
        self._journal.append(left.start.arn, events)
        replay(left.execution, events)
        self._machines.ended(Machine(left.start, left.execution))

    def _drive(
        self,
        start: Start,
        execution: Execution,
        outstanding: Outstanding | None,
        opening: type[Begun | RetryRequested] = Begun,
    ) -> None:
        arn = start.arn
        driver = Driver(
            execution,
            self._executors,
            record=lambda events: self._journal.append(arn, events),
            fetch=self._fetch,
            clock=self._clock,
            limit=execution.max_parallel or start.max_parallel,
            together=self._journal.together,
            observe=lambda steps: self._observe(self._runs[arn].machine, steps),
            outstanding=outstanding,
            opening=opening,
        )
        task = asyncio.create_task(driver.run(), name=arn)
        # The first callback of all: whoever waits for the end finds it noted.
        task.add_done_callback(lambda _: self._ended(arn))
        self._runs[arn] = _Run(Machine(start, execution), driver, task)
        self._machines.live[arn] = self._runs[arn].machine

    async def wait(self, execution: str) -> Machine:
        """Wait for the end of an execution that is driven here, or was.

        Raises:
            NotFoundError: it neither is nor has ended.
            MachineError: the state could not be kept.
            BaseExceptionGroup: an executor raised: our bug.
        """
        run = self._runs.get(execution)
        if run is None:
            return self._past(execution)
        try:
            # Shielded: a caller who is cancelled gives up waiting, not the execution.
            await asyncio.shield(run.task)
        except BaseExceptionGroup as group:
            raise _plain(group) from group
        return run.machine

    def stop(self, execution: str) -> None:
        """Stop an execution that is driven here; a second time, without grace for its jobs; one that has ended stays so.

        Raises:
            NotFoundError: it neither is driven here nor has ended.
        """
        run = self._runs.get(execution)
        if run is None:
            self._past(execution)
        else:
            run.driver.stop()

    def limit(self, execution: str, max_parallel: int) -> None:
        """Change how many jobs of an execution may run at once; those that run go on.

        Raises:
            ConflictError: it has ended, or another engine drives it.
        """
        if execution in self._machines.live:
            self._runs[execution].driver.limit(max_parallel)
            return
        with self.take_over(execution):
            self._journal.append(execution, [ParallelismChanged(max_parallel, self._clock.now())])

    def rename(self, execution: str, display_name: str | None, description: str | None) -> None:
        """Give an execution that exists another display name or description; what is None stays as it is."""
        self._journal.rename(execution, display_name, description, self._clock.now())
        if execution in self._machines.live:
            machine = replace(self._machines.live[execution], start=self._journal.start(execution))
            self._machines.live[execution] = self._runs[execution].machine = machine

    def leave_all(self) -> None:
        """Leave every execution as it is for another engine; a second time, without grace for the jobs."""
        self._left = True
        for run in self._runs.values():
            if not run.task.done():
                run.driver.leave()

    def _refuse_when_left(self) -> None:
        if self._left:
            message = "This engine is ending, and begins nothing any more."
            raise ConflictError(message)

    def stop_all(self) -> None:
        """Stop everything that is not being left."""
        if self._left:
            return
        for run in self._runs.values():
            if not run.task.done():
                run.driver.stop()

    async def wait_all(self) -> None:
        """Wait for the end of everything, however it ends."""
        await asyncio.gather(*(run.task for run in self._runs.values()), return_exceptions=True)

    def _past(self, execution: str) -> Machine:
        # Looked for in memory first: whoever has left the engine has closed the state file, too.
        machine = self._machines.kept(execution)
        if machine and machine.execution.done:
            return machine
        with suppress(NotFoundError):
            machine = self._machines.of(self._machines.outline(execution))
            if machine.execution.done:
                return machine
        message = f"This engine runs no execution {execution!r}"
        raise NotFoundError(message)

    def _ended(self, execution: str) -> None:
        run = self._runs[execution]
        machine = self._machines.live.pop(execution)
        if machine.execution.done:
            # A note and a copy that only save time: the journal has it all.
            with suppress(MachineError, NotFoundError):
                self._machines.ended(machine)
        self._journal.close(execution)
        self._claims.give_back(execution)
        if not run.task.cancelled() and run.task.exception() is None:
            # Otherwise it stays, for whoever waits to hear of it.
            del self._runs[execution]


def _plain(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person should see: the one thing that the machine lacks, else the whole group."""
    for error in group.exceptions:
        if isinstance(error, SagelocalError):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _plain(error)
    return group
