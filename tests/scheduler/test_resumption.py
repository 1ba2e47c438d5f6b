"""Going on where an engine was killed: after any turn, the end is the one that it would have been."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from sagelocal.clock import SystemClock
from sagelocal.definition import parse
from sagelocal.definition.steps import StepType
from sagelocal.events import Event, Finished, StopRequested
from sagelocal.execution import Execution
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.lifecycle import ExecutionStatus
from sagelocal.plan import plan
from sagelocal.resumption import Outstanding, relive
from sagelocal.scheduler import Driver
from sagelocal.state import Identity
from sagelocal.values import ObjectText

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p"


def _step(
    name: str, kind: str = "Training", depends: Sequence[str] = (), **more: object
) -> dict[str, object]:
    return {"Name": name, "Type": kind, "Arguments": {}, "DependsOn": list(depends), **more}


RETRIED = _step(
    "Retried",
    RetryPolicies=[
        {
            "ExceptionType": ["SageMaker.CAPACITY_ERROR"],
            "IntervalSeconds": 0,
            "BackoffRate": 1,
            "MaxAttempts": 3,
        }
    ],
)
READER = _step(
    "Reader",
    depends=["A"],
    Arguments={
        "x": {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://b", "k"]}}, "Path": "k"}}
    },
)
CONDITION = {
    "Name": "Which",
    "Type": "Condition",
    "DependsOn": ["Retried"],
    "Arguments": {
        "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
        "IfSteps": [_step("Then", depends=["Reader"])],
        "ElseSteps": [_step("Else")],
    },
}
ENDS_WELL = json.dumps(
    {"Version": "2020-12-01", "Steps": [_step("A"), _step("B"), RETRIED, READER, CONDITION]}
)
ENDS_BADLY = json.dumps(
    {
        "Version": "2020-12-01",
        "Steps": [
            _step("A"),
            _step("Handled", depends=["A"]),
            {"Name": "No", "Type": "Fail", "DependsOn": ["A"], "Arguments": {"ErrorMessage": "because"}},
        ],
    }
)


def _fresh(definition: str) -> Execution:
    return Execution(Identity("p", ARN, f"{ARN}/execution/abcdefghijkl"), plan(parse(definition)), {})


class _Capacity:
    """An executor whose step "Retried" gets a machine only at its third attempt."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()

    async def run(self, job: Job) -> Outcome:
        self.ran[job.name] += 1
        await asyncio.sleep(0)
        if job.step == "Retried" and job.attempt < 3:
            return Failed("CapacityError: none", "SageMaker.CAPACITY_ERROR")
        return Succeeded({"TrainingJobName": job.name})


class _Turns:
    """A record that keeps what was recorded, and how far it was whole."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ends: list[int] = []

    @contextmanager
    def together(self) -> Iterator[None]:
        yield
        self.ends.append(len(self.events))


def _driver(
    execution: Execution, executor: _Capacity, turns: _Turns, outstanding: Outstanding | None = None
) -> Driver:
    async def fetch(uri: str) -> ObjectText:
        await asyncio.sleep(0)
        return ObjectText(uri, '{"k": 1}')

    return Driver(
        execution,
        {StepType.TRAINING: executor},
        record=turns.events.extend,
        fetch=fetch,
        clock=SystemClock(),
        limit=2,
        together=turns.together,
        outstanding=outstanding,
    )


@pytest.mark.parametrize("definition", [ENDS_WELL, ENDS_BADLY], ids=["succeeds", "fails"])
async def test_an_execution_killed_after_any_turn_ends_as_it_would_have(definition: str) -> None:
    whole = _Turns()
    lived = _fresh(definition)
    await _driver(lived, _Capacity(), whole).run()
    assert len(whole.ends) >= 3
    for end in whole.ends[:-1]:
        again = _fresh(definition)
        kept = whole.events[:end]
        outstanding = relive(again, kept)
        executor, turns = _Capacity(), _Turns()
        await asyncio.wait_for(_driver(again, executor, turns, outstanding).run(), 10)
        assert again.status is lived.status
        assert {name: state.status for name, state in again.steps.items()} == {
            name: state.status for name, state in lived.steps.items()
        }
        finished = [event.step for event in [*kept, *turns.events] if isinstance(event, Finished)]
        assert Counter(finished) == Counter(
            event.step for event in whole.events if isinstance(event, Finished)
        ), "each attempt has ended once"
        ended = {event.step for event in kept if isinstance(event, Finished)} - {"Retried"}
        assert not any(name.endswith(step) for name in executor.ran for step in ended), (
            "what had ended is not run again"
        )


async def test_the_names_of_jobs_are_those_from_before() -> None:
    whole, first = _Turns(), _Capacity()
    await _driver(_fresh(ENDS_WELL), first, whole).run()
    again, second = _fresh(ENDS_WELL), _Capacity()
    outstanding = relive(again, whole.events[: whole.ends[0]])
    await _driver(again, second, _Turns(), outstanding).run()
    assert first.ran == second.ran


async def test_what_was_stopping_is_stopped() -> None:
    class Patient(_Capacity):
        async def run(self, job: Job) -> Outcome:
            self.ran[job.name] += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Stopped({"TrainingJobName": job.name})
            raise AssertionError

    turns = _Turns()
    driver = _driver(_fresh(ENDS_WELL), Patient(), turns)
    running = asyncio.create_task(driver.run())
    while not turns.ends:
        await asyncio.sleep(0)
    driver.stop()
    await running
    until_the_stop = [event for event in turns.events if not isinstance(event, Finished)]
    assert any(isinstance(event, StopRequested) for event in until_the_stop)
    again = _fresh(ENDS_WELL)
    outstanding = relive(again, until_the_stop)
    await asyncio.wait_for(_driver(again, Patient(), _Turns(), outstanding).run(), 10)
    assert again.status is ExecutionStatus.STOPPED
