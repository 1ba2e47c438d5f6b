"""The driver: places, stops, bugs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.definition import parse
from sagelocal.definition.steps import StepType
from sagelocal.errors import MachineError
from sagelocal.events import Event, Started
from sagelocal.execution import Execution
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.lifecycle import ExecutionStatus, StepStatus
from sagelocal.plan import plan
from sagelocal.resumption import replay
from sagelocal.scheduler import Driver
from sagelocal.state import Identity
from sagelocal.values import ObjectText

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p"


def steps(*names: str, **depends: list[str]) -> str:
    return json.dumps(
        {
            "Steps": [
                {
                    "Name": name,
                    "Type": "Lambda",
                    "FunctionArn": "f",
                    "Arguments": {},
                    "OutputParameters": [],
                    "DependsOn": depends.get(name, []),
                }
                for name in names
            ]
        }
    )


class Scripted:
    """An executor that does what a function says."""

    def __init__(self, script: Callable[[Job], Awaitable[Outcome]]) -> None:
        self._script = script

    async def run(self, job: Job) -> Outcome:
        return await self._script(job)


class World:
    """A driver with what it needs, and the record that it keeps."""

    def __init__(
        self,
        definition: str,
        script: Callable[[Job], Awaitable[Outcome]],
        *,
        limit: int | None = None,
        record: Callable[[Sequence[Event]], None] | None = None,
    ) -> None:
        self.definition = definition
        self.recorded: list[Event] = []
        self.execution = self.fresh()
        self.driver = Driver(
            self.execution,
            {StepType.LAMBDA: Scripted(script)},
            record=record or self.recorded.extend,
            fetch=self._fetch,
            clock=SystemClock(),
            limit=limit,
        )

    def fresh(self) -> Execution:
        return Execution(
            Identity("p", ARN, f"{ARN}/execution/abcdefghijkl"), plan(parse(self.definition)), {}
        )

    async def _fetch(self, uri: str) -> ObjectText:
        return ObjectText(uri, "{}")

    @property
    def started(self) -> list[str]:
        return [event.step for event in self.recorded if isinstance(event, Started)]


class Gauge:
    """Counts how many jobs run at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    async def __call__(self, _job: Job) -> Outcome:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(3):
            await asyncio.sleep(0)
        self.now -= 1
        return Succeeded({})


@pytest.mark.parametrize(("limit", "most"), [(None, 6), (1, 1), (2, 2), (50, 6)])
async def test_no_more_jobs_run_at_once_than_the_limit_allows(limit: int | None, most: int) -> None:
    gauge = Gauge()
    world = World(steps(*"ABCDEF"), gauge, limit=limit)
    await world.driver.run()
    assert gauge.most == most
    assert world.execution.status is ExecutionStatus.SUCCEEDED


class Gates:
    """Jobs that end when they are let go."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Event] = {}

    async def __call__(self, job: Job) -> Outcome:
        self.running[job.step] = asyncio.Event()
        await self.running[job.step].wait()
        del self.running[job.step]
        return Succeeded({})

    async def has(self, *names: str) -> bool:
        """Whether these run, and no others, when all is quiet."""
        for _ in range(10):
            await asyncio.sleep(0)
        return sorted(self.running) == sorted(names)


async def test_a_limit_that_grows_starts_what_waits_for_a_place() -> None:
    gates = Gates()
    world = World(steps(*"ABCD"), gates, limit=1)
    running = asyncio.create_task(world.driver.run())
    assert await gates.has("A")
    world.driver.limit(3)
    assert await gates.has("A", "B", "C")
    gates.running["B"].set()
    assert await gates.has("A", "C", "D")
    for each in gates.running.values():
        each.set()
    await running
    assert world.execution.max_parallel == 3
    assert replay(world.fresh(), iter(world.recorded)) == world.execution


async def test_a_limit_that_shrinks_lets_run_what_runs() -> None:
    gates = Gates()
    world = World(steps(*"ABCD"), gates)
    world.driver.limit(4)
    running = asyncio.create_task(world.driver.run())
    assert await gates.has(*"ABCD")
    world.driver.limit(1)
    assert await gates.has(*"ABCD")
    for name in "ABCD":
        gates.running[name].set()
    await running
    assert world.execution.status is ExecutionStatus.SUCCEEDED


async def test_fewer_places_than_running_jobs_start_nothing_for_a_while() -> None:
    gates = Gates()
    world = World(steps(*"ABCD"), gates, limit=3)
    running = asyncio.create_task(world.driver.run())
    assert await gates.has("A", "B", "C")
    world.driver.limit(1)
    gates.running["A"].set()
    assert await gates.has("B", "C")
    gates.running["B"].set()
    assert await gates.has("C")
    gates.running["C"].set()
    assert await gates.has("D")
    gates.running["D"].set()
    await running


async def test_a_step_without_a_place_is_not_listed() -> None:
    release = asyncio.Event()

    async def wait(job: Job) -> Outcome:
        await release.wait()
        return Succeeded({})

    world = World(steps("A", "B"), wait, limit=1)
    running = asyncio.create_task(world.driver.run())
    while not world.started:
        await asyncio.sleep(0)
    assert [name for name, _ in world.execution.listed()] == ["A"]
    release.set()
    await running
    assert world.started == ["A", "B"]


async def test_replaying_the_record_gives_the_same_state() -> None:
    async def one_fails(job: Job) -> Outcome:
        return Failed("no", "AlgorithmError") if job.step == "B" else Succeeded({"x": job.step})

    world = World(steps("A", "B", "C", C=["A"]), one_fails)
    await world.driver.run()
    assert replay(world.fresh(), iter(world.recorded)) == world.execution


async def test_a_stop_cancels_the_jobs_and_a_job_may_answer_with_stopped() -> None:
    async def answers(job: Job) -> Outcome:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Stopped({"saved": True})
        raise AssertionError

    world = World(steps("A", "B", B=["A"]), answers)
    running = asyncio.create_task(world.driver.run())
    while not world.started:
        await asyncio.sleep(0)
    world.driver.stop()
    await running
    assert world.execution.status is ExecutionStatus.STOPPED
    assert world.execution.steps["A"].outcome == Stopped({"saved": True})


async def test_a_job_that_lets_the_cancellation_pass_is_stopped_too() -> None:
    async def silent(job: Job) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    world = World(steps("A"), silent)
    running = asyncio.create_task(world.driver.run())
    world.driver.stop()  # before the job's task has made its first step
    await running
    assert world.execution.status is ExecutionStatus.STOPPED


async def test_a_bug_in_an_executor_ends_the_run_loudly_and_on_record() -> None:
    async def buggy(job: Job) -> Outcome:
        if job.step == "A":
            raise ZeroDivisionError("ours")
        await asyncio.Event().wait()
        raise AssertionError

    world = World(steps("A", "B"), buggy)
    with pytest.raises(ExceptionGroup) as raised:
        await world.driver.run()
    assert raised.group_contains(ZeroDivisionError)
    assert world.execution.status is ExecutionStatus.FAILED
    assert world.execution.steps["A"].status is StepStatus.FAILED
    assert world.execution.steps["B"].status is StepStatus.STOPPED
    assert replay(world.fresh(), iter(world.recorded)) == world.execution


async def test_a_record_that_cannot_be_kept_stops_the_jobs() -> None:
    cancelled = []

    async def note_the_end(job: Job) -> Outcome:
        if job.step == "A":
            return Succeeded({})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(job.step)
        raise AssertionError

    def full_after_start(events: Sequence[Event]) -> None:
        if not all(isinstance(event, Started) or type(event).__name__ == "Begun" for event in events):
            raise MachineError("disk full")

    world = World(steps("A", "B"), note_the_end, record=full_after_start)
    with pytest.raises(ExceptionGroup) as raised:
        await world.driver.run()
    assert raised.group_contains(MachineError)
    assert cancelled == ["B"]


async def test_a_definition_without_steps_that_run_ends_at_once() -> None:
    text = json.dumps({"Steps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}]})
    world = World(text, Gauge())
    await world.driver.run()
    assert world.execution.status is ExecutionStatus.FAILED


async def test_a_limit_of_one_starts_a_fail_step_only_after_the_job_before_it_has_begun() -> None:
    definition: dict[str, Any] = json.loads(steps("A", "B"))
    definition["Steps"].append({"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}})
    world = World(json.dumps(definition), Gauge(), limit=1)
    await world.driver.run()
    assert world.started == ["A", "F"]
    assert world.execution.steps["B"].status is StepStatus.SKIPPED
