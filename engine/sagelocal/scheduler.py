"""Drives one execution: performs its commands, feeds it what happened.

Only four things enter the inbox: a finished task, a person's wish, a file that was read, a timer. One loop takes
them out, records them, applies them: there is nothing to lock. A ready job starts when the parallelism semaphore has a
place; `Started` is recorded before its task exists, so that a journal never lacks a job that ran.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from sagelocal.clock import Clock
from sagelocal.cloud import disk
from sagelocal.definition.steps import StepType
from sagelocal.errors import MachineError
from sagelocal.events import (
    Begun,
    Cancel,
    Command,
    Conclude,
    Event,
    Fetch,
    Fetched,
    Finished,
    Launch,
    ParallelismChanged,
    Resumed,
    RetryDue,
    RetryRequested,
    Started,
    StopRequested,
    WakeAt,
)
from sagelocal.execution import Execution
from sagelocal.jobs import Executor, Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.lifecycle import ExecutionStatus
from sagelocal.resumption import Outstanding
from sagelocal.values import ObjectText

Record = Callable[[Sequence[Event]], None]
Fetcher = Callable[[str], Awaitable[ObjectText]]
Inbox = asyncio.Queue[Event]

_INSIST_SECONDS = 0.5


class Places:
    """The semaphore of ParallelismConfiguration: how many jobs of one execution run at once (semantics 05 §5.2).

    Not asyncio's: the driver asks in the middle of a turn, which must not await.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._taken = 0

    def take(self) -> bool:
        """Take a place, if there is one."""
        if self.limit is not None and self._taken >= self.limit:
            return False
        self._taken += 1
        return True

    def insist(self) -> None:
        """Take a place whether or not there is one: a job had it before its engine went away."""
        self._taken += 1

    def release(self) -> None:
        self._taken -= 1


class Driver:
    """Brings one execution to its end.

    Args:
        execution: the machine; changed by this driver alone.
        executors: what runs each kind of step.
        record: called with events before they are applied; whatever it raises ends the run.
        fetch: reads an S3 object for Std:JsonGet.
        clock: where moments come from.
        limit: MaxParallelExecutionSteps; None runs everything that is ready.
        together: what is recorded inside it counts as a whole, when it is left.
        observe: called after each turn with the names of the steps that have moved.
        outstanding: of an execution whose engine is gone, what it waits for; None: it has not begun.
        opening: what happens first, when nothing is outstanding.
    """

    def __init__(
        self,
        execution: Execution,
        executors: Mapping[StepType, Executor],
        *,
        record: Record,
        fetch: Fetcher,
        clock: Clock,
        limit: int | None = None,
        together: Callable[[], AbstractContextManager[object]] = nullcontext,
        observe: Callable[[Iterable[str]], None] = lambda _names: None,
        outstanding: Outstanding | None = None,
        opening: type[Begun | RetryRequested] = Begun,
    ) -> None:
        self._execution = execution
        self._executors = executors
        self._record = record
        self._fetch = fetch
        self._clock = clock
        self._places = Places(limit)
        self._together = together
        self._observe = observe
        self._outstanding = outstanding
        self._opening = opening
        self._inbox: Inbox = asyncio.Queue()
        self._ready: deque[Job] = deque()
        self._concluding: deque[str] = deque()
        self._forgotten: set[str] = set()
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._left = 0

    def stop(self) -> None:
        """Ask the execution to stop; a second time: without grace."""
        self._inbox.put_nowait(StopRequested(self._clock.now()))

    def limit(self, max_parallel: int) -> None:
        """Change how many jobs may run at once; fewer than run now means that no other starts for a while."""
        self._inbox.put_nowait(ParallelismChanged(max_parallel, self._clock.now()))

    def leave(self) -> None:
        """Leave the execution as it is to another driver, once its jobs have been stopped; a second time: without grace."""
        self._left += 1
        self._inbox.put_nowait(
            Resumed(self._clock.now())
        )  # wakes us; nothing of the kind is recorded any more

    async def run(self) -> None:
        """Drive until nothing more can happen.

        When an executor raises, which is our bug, every other job is stopped, the end of all is recorded, and the
        exception leaves in an ExceptionGroup.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._begin(group)
                while not self._execution.done and (self._tasks or not self._left):
                    events = await self._next_events()
                    if self._left:
                        self._let_end(events, group)
                    else:
                        self._turn(events, group)
        except BaseExceptionGroup:
            self._close_after_bug()
            raise

    def _begin(self, group: asyncio.TaskGroup) -> None:
        """Begin, or go on: what was running runs again, what was asked for is asked for again."""
        if self._outstanding is None:
            self._turn([self._opening(self._clock.now())], group)
            return
        for job in self._outstanding.running.values():
            self._places.insist()
            self._spawn(job, group)
        for command in (*self._outstanding.unanswered(), *map(Cancel, self._outstanding.stopping)):
            self._perform(command, group)
        self._turn([Resumed(self._clock.now())], group)

    async def _next_events(self) -> list[Event]:
        """Wait for one event, then take all that are there."""
        events = [await self._inbox.get()]
        while not self._inbox.empty():
            events.append(self._inbox.get_nowait())
        return events

    def _turn(self, events: Sequence[Event], group: asyncio.TaskGroup) -> None:
        """What happened, with all that starts because of it, recorded as a whole before any task exists.

        Never awaits: nothing else can come between.
        """
        with self._together():
            self._take(events, group)
            starting = self._start_ready(group)
        for job in starting:
            self._spawn(job, group)
        self._observe(self._execution.moved())

    def _let_end(self, events: Sequence[Event], group: asyncio.TaskGroup) -> None:
        """Begin nothing more, stop what runs, and record only what needs no repeating."""
        stopping = self._execution.status is ExecutionStatus.STOPPING
        ended = [
            event
            for event in events
            if isinstance(event, Finished) and (stopping or isinstance(event.outcome, Succeeded))
        ]
        if ended:
            self._record(ended)
        for event in ended:
            # What it asks for is for whoever goes on, who finds that nobody has done it.
            self._execution.apply(event)
        self._observe(self._execution.moved())
        if any(isinstance(event, Resumed) for event in events):
            for timer in self._timers.values():
                timer.cancel()
            for task in self._tasks.values():
                self._cancel(task, group)

    def _take(self, events: Sequence[Event], group: asyncio.TaskGroup) -> None:
        self._record(events)
        for event in events:
            if isinstance(event, Finished):
                self._places.release()
            if isinstance(event, ParallelismChanged):
                self._places.limit = event.max_parallel
            for command in self._execution.apply(event):
                self._perform(command, group)

    def _perform(self, command: Command, group: asyncio.TaskGroup) -> None:
        match command:
            case Launch(job):
                self._ready.append(job)
            case Conclude(step):
                self._concluding.append(step)
            case Fetch(step, uri):
                group.create_task(self._read(step, uri))
            case WakeAt(step, moment):
                self._timers[step] = group.create_task(self._wake(step, moment))
            case Cancel(step):
                if step in self._timers:
                    self._timers.pop(step).cancel()
                if step in self._tasks:
                    self._cancel(self._tasks[step], group)
                else:
                    self._forgotten.add(step)

    def _cancel(self, task: asyncio.Task[Outcome], group: asyncio.TaskGroup) -> None:
        """Stop a job; the second time insist, as a cancellation that follows another at once is lost in it."""
        if task.cancel() and task.cancelling() > 1:
            group.create_task(_insist(task))

    def _start_ready(self, group: asyncio.TaskGroup) -> list[Job]:
        """Start jobs while there are places, in the plan's order; Fail steps take effect after that."""
        jobs: list[Job] = []
        while True:
            starting = self._placed()
            if starting:
                self._take([Started(job.step, self._clock.now()) for job in starting], group)
                jobs += starting
            while self._concluding and self._concluding[0] in self._forgotten:
                self._concluding.popleft()
            if self._concluding:
                # One at a time: the first Fail step rules out the others.
                self._take([Started(self._concluding.popleft(), self._clock.now())], group)
            elif not starting:
                return jobs

    def _placed(self) -> list[Job]:
        """The next ready jobs, as many as there are places for."""
        starting = []
        while self._ready:
            if self._ready[0].step in self._forgotten:
                self._ready.popleft()
            elif self._places.take():
                starting.append(self._ready.popleft())
            else:
                break
        return starting

    def _spawn(self, job: Job, group: asyncio.TaskGroup) -> None:
        # Not inside the task: a task cancelled before its first step never enters its body, a callback always runs.
        task = group.create_task(self._run(job), name=job.step)
        self._tasks[job.step] = task
        task.add_done_callback(lambda done: self._report(job, done))

    async def _run(self, job: Job) -> Outcome:
        try:
            # What an executor does not explain itself: it cannot write its files, as a rule.
            with disk.faults():
                return await self._executors[job.kind].run(job)
        except MachineError as error:
            message = f"step {job.step}: {error}"
            raise MachineError(message) from error

    def _report(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        self._tasks.pop(job.step, None)
        if task.cancelled():
            self._inbox.put_nowait(Finished(job.step, Stopped(), self._clock.now()))
        elif task.exception() is None:
            self._inbox.put_nowait(Finished(job.step, task.result(), self._clock.now()))
        else:
            # The task group has just cancelled the others: once more, as a job that waits for a person must not go on.
            for other in self._tasks.values():
                if other.cancelling() < 2:
                    other.cancel()
            self._inbox.put_nowait(Finished(job.step, _our_fault(task.exception()), self._clock.now()))

    async def _wake(self, step: str, moment: float) -> None:
        await self._clock.sleep(max(0.0, moment - self._clock.now()))
        del self._timers[step]
        self._inbox.put_nowait(RetryDue(step, self._clock.now()))

    async def _read(self, step: str, uri: str) -> None:
        file = await self._fetch(uri)
        self._inbox.put_nowait(Fetched(step, file, self._clock.now()))

    def _close_after_bug(self) -> None:
        """Record how it all ended, so that nothing seems to run for ever, as far as recording still works."""
        events: list[Event] = [StopRequested(self._clock.now())]
        while not self._inbox.empty():
            events.append(self._inbox.get_nowait())
        with suppress(MachineError), self._together():
            self._record(events)
            for event in events:
                self._execution.apply(event)


async def _insist(task: asyncio.Task[Outcome]) -> None:
    while not task.done():
        await asyncio.wait({task}, timeout=_INSIST_SECONDS)
        task.cancel()


def _our_fault(error: BaseException | None) -> Failed:
    text = str(error) or type(error).__name__
    return Failed(f"InternalServerError: {text}", "Step.SERVICE_FAULT")
