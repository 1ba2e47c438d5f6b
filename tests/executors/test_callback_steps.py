"""Callback steps on a real engine: their messages, answers, expiry, and what a stop does to them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sagelocal.callbacks import Answer, Awaited, Failure, Success
from sagelocal.clock import Clock, SystemClock
from sagelocal.cloud.sqs import Queues
from sagelocal.database import open_database
from sagelocal.definition.steps import StepType
from sagelocal.engine import Engine
from sagelocal.errors import ConflictError, NotFoundError
from sagelocal.jobs import Job, Outcome
from sagelocal.names import Partition, callback_token
from sagelocal.settings import Runtime, Settings
from sagelocal.store.views import ExecutionView, StepView
from sagelocal_executors import Stubs

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/work"
WEEK = 7 * 86_400.0
ALL_TYPES = {"text": "String", "count": "Integer", "share": "Float", "good": "Boolean"}


def callback(name: str, outputs: dict[str, str] | None = None, **keys: Any) -> dict[str, Any]:
    declared = [{"OutputName": name, "OutputType": kind} for name, kind in (outputs or {}).items()]
    step = {
        "Name": name,
        "Type": "Callback",
        "SqsQueueUrl": QUEUE,
        "Arguments": {},
        "OutputParameters": declared,
    }
    return step | keys


def definition(*steps: dict[str, Any]) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": list(steps)})


class TurnedClock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, future))
        await future

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for due, future in self._sleepers:
            if due <= self._now and not future.done():
                future.set_result(None)


class Scene:
    """One execution of Callback steps, with what the steps say while they wait."""

    def __init__(self, engine: Engine, home: Path, clock: Clock) -> None:
        self.engine = engine
        self.arn = ""
        self._connection = open_database(home / "state.db")
        self._queues = Queues(self._connection, clock, Partition("us-east-1", "000000000000"))
        self._waiting: asyncio.Queue[Awaited] = asyncio.Queue()
        self._statuses: dict[str, str] = {}
        self._changed = asyncio.Event()
        engine.callbacks.subscribe(self._waiting.put_nowait)
        engine.subscribe(self._see)

    def _see(self, change: StepView | ExecutionView) -> None:
        if isinstance(change, StepView):
            self._statuses[change.name] = change.status
            self._changed.set()

    def close(self) -> None:
        self._connection.close()

    async def start(self, *steps: dict[str, Any]) -> None:
        self.engine.create_pipeline("asking", definition(*steps))
        self.arn = await self.engine.start("asking")

    async def next(self) -> Awaited:
        """The next step that begins to wait."""
        return await self._waiting.get()

    async def until(self, step: str, status: str) -> None:
        while self._statuses.get(step) != status:
            self._changed.clear()
            await self._changed.wait()

    def answer(self, awaited: Awaited, answer: Answer, request: str = "") -> str:
        return self.engine.callbacks.answer(awaited.token, answer, request)

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """So many messages from the queue, in the order in which they came."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            for message in await self._queues.receive(QUEUE, 10):
                found.append(json.loads(message.body))
                self._queues.delete(QUEUE, message.receipt)
            await asyncio.sleep(0.005)
        return found

    async def end(self) -> ExecutionView:
        return await self.engine.wait(self.arn)

    async def step(self, name: str) -> StepView:
        view = await self.end()
        return next(step for step in view.steps if step.name == name)


@pytest.fixture(name="scene")
def _scene(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    scenes: list[Scene] = []

    @asynccontextmanager
    async def opened(
        clock: Clock | None = None, settings: dict[str, Any] | None = None, **more: Any
    ) -> AsyncIterator[Scene]:
        chosen = Settings(home=tmp_path, **(settings or {}))
        async with Engine(chosen, clock=clock, **more) as engine:
            scenes.append(Scene(engine, tmp_path, clock or SystemClock()))
            yield scenes[-1]

    yield opened
    for scene in scenes:
        scene.close()


async def test_the_message_has_the_documented_body_with_json_types(scene: Any) -> None:
    arguments = {"number": 5, "stringArg": "some-arg", "share": 0.5, "on": True, "deep": {"list": [1, None]}}
    async with scene() as asking:
        await asking.start(callback("A", Arguments=arguments))
        awaited = await asking.next()
        [message] = await asking.messages(1)
        assert message == {
            "token": awaited.token,
            "pipelineExecutionArn": asking.arn,
            "arguments": arguments,
            "status": "Executing",
        }
        assert list(message) == ["token", "pipelineExecutionArn", "arguments", "status"]
        assert len(awaited.token) == 10
        assert awaited.token.isalnum()


async def test_token_and_queue_are_seen_while_the_step_waits_and_its_outputs_after(scene: Any) -> None:
    async with scene() as asking:
        await asking.start(callback("A", ALL_TYPES))
        awaited = await asking.next()
        [step] = asking.engine.views.execution(asking.arn).steps
        known = {"CallbackToken": awaited.token, "SqsQueueUrl": QUEUE}
        assert (step.status, step.metadata) == ("Executing", {"Callback": known})
        asking.answer(awaited, Success({"count": "7"}))
        done = await asking.step("A")
        assert done.metadata == {"Callback": {**known, "OutputParameters": [{"Name": "count", "Value": "7"}]}}


async def test_outputs_get_their_declared_types_and_are_read_by_later_steps(scene: Any) -> None:
    reads = {name: {"Get": f"Steps.A.OutputParameters['{name}']"} for name in ALL_TYPES}
    async with scene() as asking:
        await asking.start(callback("A", ALL_TYPES), callback("B", Arguments=reads))
        first = await asking.next()
        asking.answer(
            first, Success({"text": "7", "count": "7", "share": "0.5", "good": "True", "else": "x"})
        )
        await asking.next()
        messages = await asking.messages(2)
        assert messages[1]["arguments"] == {"text": "7", "count": 7, "share": 0.5, "good": True}
        asking.engine.stop(asking.arn)


@pytest.mark.parametrize(
    ("name", "text"), [("count", "seven"), ("share", "nan"), ("good", "yes"), ("count", "")]
)
async def test_an_output_that_is_not_of_its_type_fails_the_step(scene: Any, name: str, text: str) -> None:
    async with scene() as asking:
        await asking.start(callback("A", ALL_TYPES))
        asking.answer(await asking.next(), Success({name: text}))
        step = await asking.step("A")
        assert step.status == "Failed"
        assert step.failure_reason.startswith(
            f"ClientError: The output '{name}' is declared as {ALL_TYPES[name]}"
        )


async def test_a_declared_output_that_is_missing_fails_only_the_step_that_reads_it(scene: Any) -> None:
    read = {"n": {"Get": "Steps.A.OutputParameters['count']"}}
    async with scene() as asking:
        await asking.start(callback("A", {"count": "Integer"}), callback("B", Arguments=read))
        asking.answer(await asking.next(), Success({}))
        assert (await asking.step("A")).status == "Succeeded"
        reader = await asking.step("B")
        assert reader.status == "Failed"
        assert "Steps.A.OutputParameters['count']" in reader.failure_reason


@pytest.mark.parametrize(("reason", "told"), [("bad data", "ClientError: bad data"), ("", "gives no reason")])
async def test_a_failure_answer_fails_the_step_with_its_reason(scene: Any, reason: str, told: str) -> None:
    async with scene() as asking:
        await asking.start(callback("A"))
        asking.answer(await asking.next(), Failure(reason))
        step = await asking.step("A")
        assert step.status == "Failed"
        assert told in step.failure_reason


async def test_the_first_answer_counts_and_the_second_is_a_conflict(scene: Any) -> None:
    async with scene() as asking:
        await asking.start(callback("A", {"who": "String"}))
        awaited = await asking.next()
        assert asking.answer(awaited, Success({"who": "first"}), "one" * 12) == asking.arn
        with pytest.raises(ConflictError, match="step A has its answer already"):
            asking.answer(awaited, Failure("second"), "two" * 12)
        assert (await asking.step("A")).properties == {"OutputParameters": {"who": "first"}}
        with pytest.raises(ConflictError, match="used up"):
            asking.answer(awaited, Success({"who": "first"}))


async def test_an_answer_repeated_with_its_request_token_is_no_error(scene: Any) -> None:
    async with scene() as asking:
        await asking.start(callback("A"))
        awaited, request = await asking.next(), "r" * 36
        assert asking.answer(awaited, Success({}), request) == asking.arn
        assert asking.answer(awaited, Success({}), request) == asking.arn
        with pytest.raises(ConflictError):
            asking.answer(awaited, Success({"x": "another answer"}), request)


async def test_a_token_that_nobody_waits_for_is_not_found(scene: Any) -> None:
    async with scene() as asking:
        with pytest.raises(NotFoundError, match="nobody1234 does not exist"):
            asking.engine.callbacks.answer("nobody1234", Success({}))


async def test_a_step_that_nobody_answers_fails_after_a_week(scene: Any) -> None:
    clock = TurnedClock()
    async with scene(clock) as asking:
        await asking.start(callback("A"))
        awaited = await asking.next()
        await asking.messages(1)
        clock.advance(WEEK - 1)
        await asyncio.sleep(0)
        assert asking.engine.callbacks.awaited() == [awaited]
        clock.advance(1)
        step = await asking.step("A")
        assert step.status == "Failed"
        assert step.failure_reason.startswith(f"ClientError: Callback token {awaited.token} expired")
        with pytest.raises(ConflictError, match="was not answered in time"):
            asking.answer(awaited, Success({}))


async def test_used_tokens_are_forgotten_after_eight_hours(scene: Any) -> None:
    clock = TurnedClock()
    async with scene(clock) as asking:
        await asking.start(callback("A"))
        awaited = await asking.next()
        asking.answer(awaited, Success({}))
        await asking.end()
        clock.advance(8 * 3600 + 1)
        with pytest.raises(NotFoundError):
            asking.answer(awaited, Success({}))


def test_a_restarted_engine_awaits_the_same_token_and_a_second_attempt_another() -> None:
    execution = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
    attempts = [(execution, step, attempt) for step in ("A", "B") for attempt in range(1, 200)]
    tokens = [callback_token(*each) for each in attempts]
    assert tokens == [callback_token(*each) for each in attempts]
    assert len(set(tokens)) == len(tokens)
    assert all(re.fullmatch("[a-zA-Z0-9]{10}", token) for token in tokens)


async def test_the_expiry_can_be_set(scene: Any) -> None:
    clock = TurnedClock()
    async with scene(clock, {"callback_expiry": 60}) as asking:
        await asking.start(callback("A"))
        await asking.next()
        await asking.messages(1)
        await asyncio.sleep(0)
        clock.advance(60)
        assert (await asking.step("A")).status == "Failed"


@pytest.mark.parametrize(
    ("answer", "step", "execution"),
    [(Success({}), "Succeeded", "Stopped"), (Failure("gave up"), "Failed", "Failed")],
)
async def test_a_stop_is_told_to_the_queue_and_waits_for_the_answer(
    scene: Any, answer: Answer, step: str, execution: str
) -> None:
    async with scene() as asking:
        await asking.start(callback("A", Arguments={"n": 1}), callback("B", DependsOn=["A"]))
        awaited = await asking.next()
        first = await asking.messages(1)
        asking.engine.stop(asking.arn)
        await asking.until("A", "Stopping")
        assert await asking.messages(1) == [{**first[0], "status": "Stopping"}]
        assert asking.engine.views.execution(asking.arn).status == "Stopping"
        asking.answer(awaited, answer)
        view = await asking.end()
        assert view.status == execution
        assert [(each.name, each.status) for each in view.steps] == [("A", step)]


async def test_a_stopping_step_that_nobody_answers_expires(scene: Any) -> None:
    clock = TurnedClock()
    async with scene(clock) as asking:
        await asking.start(callback("A"))
        await asking.next()
        await asking.messages(1)
        clock.advance(WEEK - 10)
        asking.engine.stop(asking.arn)
        await asking.messages(1)
        await asyncio.sleep(0)
        clock.advance(10)
        assert (await asking.end()).status == "Failed"


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_second_stop_gives_up_and_a_later_answer_is_a_conflict(scene: Any, at_once: bool) -> None:
    async with scene() as asking:
        await asking.start(callback("A"))
        awaited = await asking.next()
        await asking.messages(1)
        asking.engine.stop(asking.arn)
        if not at_once:
            await asking.messages(1)
        asking.engine.stop(asking.arn)
        view = await asking.end()
        assert (view.status, view.steps[0].status) == ("Stopped", "Stopped")
        with pytest.raises(ConflictError, match="was stopped"):
            asking.answer(awaited, Success({}))


async def test_leaving_the_engine_does_not_wait_for_answers(scene: Any) -> None:
    async with scene() as asking:
        await asking.start(callback("A"), callback("B"))
        await asking.next()
        await asking.messages(2)
    assert {step.status for step in (await asking.end()).steps} == {"Stopped"}
    assert [message["status"] for message in await asking.messages(2)] == ["Stopping", "Stopping"]


class Broken:
    """An executor of ours with a bug that shows when told."""

    def __init__(self) -> None:
        self.show = asyncio.Event()

    async def run(self, _: Job) -> Outcome:
        await self.show.wait()
        message = "a bug"
        raise RuntimeError(message)


async def test_a_bug_elsewhere_does_not_leave_the_run_waiting_for_an_answer(scene: Any) -> None:
    broken = Broken()
    transform = {"Name": "T", "Type": "Transform", "Arguments": json.loads(_TRANSFORM)}
    async with scene(executors={StepType.TRANSFORM: broken}) as asking:
        await asking.start(callback("A"), transform)
        await asking.next()
        await asking.messages(1)
        broken.show.set()
        with pytest.raises(ExceptionGroup):
            await asking.end()


_TRANSFORM = """{"ModelName": "m", "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix",
"S3Uri": "s3://b/in"}}}, "TransformOutput": {"S3OutputPath": "s3://b/out"},
"TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}}"""


async def test_a_queue_that_is_no_url_fails_the_step(tmp_path: Path) -> None:
    text = json.loads(definition(callback("A", SqsQueueUrl={"Get": "Parameters.Q"})))
    text["Parameters"] = [{"Name": "Q", "Type": "Integer", "DefaultValue": 5}]
    async with Engine(Settings(home=tmp_path)) as engine:
        engine.create_pipeline("asking", json.dumps(text))
        view = await engine.wait(await engine.start("asking"))
        assert "SqsQueueUrl must be the URL of a queue" in (view.steps[0].failure_reason or "")


async def test_a_queue_that_refuses_fails_the_step(scene: Any) -> None:
    async with scene() as asking:
        await asking.start(callback("A", SqsQueueUrl=QUEUE + "!?"))
        step = await asking.step("A")
        assert step.failure_reason.startswith("ClientError: Failed to invoke sqs:SendMessage.")


async def test_a_fifo_queue_gets_both_messages(scene: Any) -> None:
    async with scene() as asking:
        await asking.start(callback("A", SqsQueueUrl=QUEUE + ".fifo"))
        awaited = await asking.next()
        asking.engine.stop(asking.arn)
        await asking.until("A", "Stopping")
        asking.answer(awaited, Success({}))
        await asking.end()
        found: list[str] = []
        while len(found) < 2:
            for message in await asking._queues.receive(QUEUE + ".fifo", 10):
                found.append(json.loads(message.body)["status"])
                asking._queues.delete(QUEUE + ".fifo", message.receipt)
        assert found == ["Executing", "Stopping"]


async def test_a_stub_answers_without_a_message(tmp_path: Path) -> None:
    clock = TurnedClock()
    stubs = Stubs.model_validate({"steps": {"A": {"values": {"count": "7"}, "duration": 90}}})
    async with Engine(Settings(home=tmp_path, runtime=Runtime.STUB), stubs=stubs, clock=clock) as engine:
        engine.create_pipeline("asking", definition(callback("A", {"count": "Integer", "text": "String"})))
        arn = await engine.start("asking")
        while not clock._sleepers:
            await asyncio.sleep(0)
        assert engine.callbacks.awaited() == []
        clock.advance(90)
        view = await engine.wait(arn)
    assert view.steps[0].properties == {"OutputParameters": {"count": 7, "text": ""}}
    assert view.steps[0].where == "stub"
    assert not (tmp_path / "endpoint.json").exists()


async def test_a_stub_can_fail(tmp_path: Path) -> None:
    stubs = Stubs.model_validate({"steps": {"A": {"failure": {"reason": "no"}}}})
    async with Engine(Settings(home=tmp_path, runtime=Runtime.STUB), stubs=stubs) as engine:
        engine.create_pipeline("asking", definition(callback("A")))
        view = await engine.wait(await engine.start("asking"))
    assert view.steps[0].failure_reason == "ClientError: no"
