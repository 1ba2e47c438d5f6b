"""Queues in this process: who gets a message, when, how often, and that it is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagelocal.cloud import sqs
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_faults import SqsError
from sagelocal.cloud.sqs_messages import AttributeValue, Message, attributes_md5
from sagelocal.database import open_database
from sagelocal.names import Partition

PARTITION = Partition("us-east-1", "000000000000")
URL = "https://sqs.us-east-2.amazonaws.com/111122223333/jobs"
FIFO = {"FifoQueue": "true"}


class HandClock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let that time pass, and everybody act who was waiting for it."""
        await settle()
        until = self._now + seconds
        while due := [each for each in self._sleepers if each[0] <= until and not each[1].done()]:
            self._now, woken = min(due, key=lambda each: each[0])
            woken.set_result(None)
            await settle()
        self._now = until


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def queues(clock: HandClock) -> Queues:
    return Queues(open_database(":memory:"), clock, PARTITION)


def bodies(messages: list[Message]) -> list[str]:
    return [message.body for message in messages]


def refused(code: str) -> Any:
    return pytest.raises(SqsError, check=lambda error: error.name == code)


async def test_a_url_of_aws_means_the_local_queue_of_that_name_made_on_first_use(queues: Queues) -> None:
    queues.send(URL, "hello")
    assert bodies(await queues.receive("jobs")) == ["hello"]
    assert queues.queue(URL).arn == "arn:aws:sqs:us-east-1:000000000000:jobs"


async def test_a_message_in_flight_comes_back_when_its_visibility_times_out(
    queues: Queues, clock: HandClock
) -> None:
    queues.send("q", "a")
    (first,) = await queues.receive("q", visibility=10)
    await clock.advance(9.9)
    assert await queues.receive("q") == []
    await clock.advance(0.1)
    (again,) = await queues.receive("q")
    assert (again.id, again.received, again.first_received) == (first.id, 2, first.first_received)
    assert again.receipt != first.receipt


async def test_a_deleted_message_does_not_come_back(queues: Queues, clock: HandClock) -> None:
    queues.send("q", "a")
    (message,) = await queues.receive("q", visibility=10)
    queues.delete("q", message.receipt)
    queues.delete("q", message.receipt)
    await clock.advance(10)
    assert await queues.receive("q") == []


async def test_the_handle_of_an_earlier_receipt_deletes_nothing(queues: Queues) -> None:
    queues.send("q", "a")
    (first,) = await queues.receive("q", visibility=0)
    (second,) = await queues.receive("q", visibility=0)
    queues.delete("q", first.receipt)
    assert len(await queues.receive("q", visibility=30)) == 1
    with refused("MessageNotInflight"):
        queues.change_visibility("q", second.receipt, 5)


async def test_a_receipt_of_another_queue_or_of_nobody_is_refused(queues: Queues) -> None:
    queues.send("a", "x")
    queues.queue("b")
    (message,) = await queues.receive("a")
    for handle in (message.receipt, "nonsense", "", "ü", "YSBi"):
        with refused("ReceiptHandleIsInvalid"):
            queues.delete("b", handle)


async def test_a_consumer_may_ask_for_more_time_or_give_a_message_back(
    queues: Queues, clock: HandClock
) -> None:
    queues.send("q", "a")
    (message,) = await queues.receive("q", visibility=10)
    queues.change_visibility("q", message.receipt, 100)
    await clock.advance(99)
    assert await queues.receive("q") == []
    queues.change_visibility("q", message.receipt, 0)
    assert bodies(await queues.receive("q")) == ["a"]


async def test_one_message_wakes_one_receiver_the_one_who_waited_longest(queues: Queues) -> None:
    tasks = [asyncio.create_task(queues.receive("q", wait=20)) for _ in range(3)]
    await settle()
    queues.send("q", "a")
    await settle()
    assert [task.done() for task in tasks] == [True, False, False]
    queues.send("q", "b")
    queues.send("q", "c")
    assert [bodies(await task) for task in tasks] == [["a"], ["b"], ["c"]]


async def test_no_timer_outlives_the_waiting(queues: Queues) -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(queues.receive("q", wait=20))
    await settle()
    queues.send("q", "a")
    await task
    await settle()
    assert asyncio.all_tasks() == before


async def test_two_hundred_receivers_wait_in_one_thread_with_one_timer(
    queues: Queues, clock: HandClock
) -> None:
    before = len(asyncio.all_tasks())
    tasks = [asyncio.create_task(queues.receive("q", wait=20)) for _ in range(200)]
    await settle()
    assert queues.waiting("q") == 200
    assert len(asyncio.all_tasks()) - before == 201
    for number in range(100):
        queues.send("q", str(number))
    await clock.advance(20)
    received = [bodies(await task) for task in tasks]
    assert received == [[str(number)] for number in range(100)] + [[]] * 100
    await settle()
    assert len(asyncio.all_tasks()) == before


async def test_waiting_ends_empty_after_the_time_asked_for(queues: Queues, clock: HandClock) -> None:
    task = asyncio.create_task(queues.receive("q", wait=5))
    await clock.advance(4.9)
    assert not task.done()
    await clock.advance(0.1)
    assert await task == []


async def test_a_queue_may_say_how_long_its_receivers_wait(queues: Queues, clock: HandClock) -> None:
    queues.directory.create("q", {"ReceiveMessageWaitTimeSeconds": "7"})
    task = asyncio.create_task(queues.receive("q"))
    await clock.advance(6)
    assert not task.done()
    await clock.advance(1)
    assert await task == []


async def test_a_waiting_receiver_gets_what_comes_back_into_sight(queues: Queues, clock: HandClock) -> None:
    queues.send("q", "hidden")
    queues.send("q", "delayed", delay=9)
    await queues.receive("q", visibility=5)
    tasks = [asyncio.create_task(queues.receive("q", wait=20)) for _ in range(2)]
    await clock.advance(5)
    assert [task.done() for task in tasks] == [True, False]
    await clock.advance(4)
    assert [bodies(await task) for task in tasks] == [["hidden"], ["delayed"]]


async def test_what_is_taken_without_a_timeout_is_there_for_the_next(queues: Queues) -> None:
    tasks = [asyncio.create_task(queues.receive("q", wait=20, visibility=0)) for _ in range(2)]
    await settle()
    queues.send("q", "a")
    assert [bodies(await task) for task in tasks] == [["a"], ["a"]]


async def test_all_that_comes_into_sight_at_once_is_delivered_at_once(
    queues: Queues, clock: HandClock
) -> None:
    for body in "abc":
        queues.send("q", body, delay=5)
    tasks = [asyncio.create_task(queues.receive("q", wait=20)) for _ in range(4)]
    await clock.advance(5)
    assert [task.done() for task in tasks] == [True, True, True, False]
    tasks[3].cancel()


async def test_a_receiver_that_is_cancelled_as_it_is_woken_passes_its_turn_on(queues: Queues) -> None:
    first = asyncio.create_task(queues.receive("q", wait=20))
    await settle()
    second = asyncio.create_task(queues.receive("q", wait=20))
    await settle()
    queues.send("q", "a")
    first.cancel()
    assert bodies(await second) == ["a"]
    assert first.cancelled()


async def test_deleting_a_queue_ends_the_waiting(queues: Queues) -> None:
    task = asyncio.create_task(queues.receive("q", wait=20))
    await settle()
    queues.delete_queue("q")
    with refused("QueueDoesNotExist"):
        await task


async def test_closing_ends_the_waiting_for_good(queues: Queues) -> None:
    task = asyncio.create_task(queues.receive("q", wait=20))
    await settle()
    queues.close()
    assert await task == []
    assert await queues.receive("q", wait=20) == []


async def test_a_delayed_message_is_not_seen_before_its_time(queues: Queues, clock: HandClock) -> None:
    queues.directory.create("q", {"DelaySeconds": "5"})
    queues.send("q", "as the queue says")
    queues.send("q", "at once", delay=0)
    assert bodies(await queues.receive("q", 10)) == ["at once"]
    await clock.advance(5)
    assert bodies(await queues.receive("q", 10)) == ["as the queue says"]


async def test_what_is_too_old_is_gone(queues: Queues, clock: HandClock) -> None:
    queues.directory.create("q", {"MessageRetentionPeriod": "60"})
    queues.send("q", "a")
    await clock.advance(61)
    assert queues.attributes("q")["ApproximateNumberOfMessages"] == "0"


async def test_messages_survive_a_restart(tmp_path: Path, clock: HandClock) -> None:
    connection = open_database(tmp_path / "state.db")
    before = Queues(connection, clock, PARTITION)
    before.directory.create("q", {"VisibilityTimeout": "10"}, {"team": "a"})
    before.send("q", "one", {"b": AttributeValue("Binary", b"\0\xff"), "n": AttributeValue("Number", "1")})
    before.send("q", "two")
    (held,) = await before.receive("q")
    connection.close()

    after = Queues(open_database(tmp_path / "state.db"), clock, PARTITION)
    assert after.queue("q").tags == {"team": "a"}
    assert bodies(await after.receive("q", 10)) == ["two"]
    await clock.advance(10)
    again = {message.body: message for message in await after.receive("q", 10)}["one"]
    assert (again.id, again.attributes, again.received) == (held.id, held.attributes, 2)
    after.delete("q", again.receipt)


async def test_a_message_received_too_often_goes_to_the_dead_letters(queues: Queues) -> None:
    dead = queues.directory.create("dead")
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": "2"}
    source = queues.directory.create("q", {"RedrivePolicy": json.dumps(policy)})
    waiting = asyncio.create_task(queues.receive("dead", wait=20))
    await settle()
    queues.send("q", "poison")
    for _ in range(2):
        assert len(await queues.receive("q", visibility=0)) == 1
    assert not waiting.done()
    assert await queues.receive("q", visibility=0) == []
    (message,) = await waiting
    assert (message.body, message.source, message.received) == ("poison", source.arn, 1)


@pytest.mark.parametrize(
    "policy", ["{", '"x"', "{}", '{"deadLetterTargetArn": "arn:aws:sqs:r:a:none", "maxReceiveCount": 1}']
)
def test_a_redrive_policy_that_leads_nowhere_is_refused(queues: Queues, policy: str) -> None:
    with pytest.raises(SqsError):
        queues.directory.create("q", {"RedrivePolicy": policy})


async def test_a_fifo_queue_holds_a_group_while_one_of_it_is_in_flight(
    queues: Queues, clock: HandClock
) -> None:
    for body in ["a1", "a2", "b1", "a3"]:
        queues.send("q.fifo", body, group=body[0])
    (first,) = await queues.receive("q.fifo", visibility=10)
    assert bodies(await queues.receive("q.fifo", 10)) == ["b1"]
    waiting = asyncio.create_task(queues.receive("q.fifo", 10, wait=20))
    await settle()
    queues.delete("q.fifo", first.receipt)
    assert (first.body, bodies(await waiting)) == ("a1", ["a2", "a3"])


async def test_a_fifo_queue_keeps_its_order_over_what_comes_back(queues: Queues, clock: HandClock) -> None:
    for body in "123":
        queues.send("q.fifo", body, group="g")
    (first,) = await queues.receive("q.fifo", visibility=5)
    await clock.advance(5)
    messages = await queues.receive("q.fifo", 10)
    assert bodies(messages) == ["1", "2", "3"]
    assert [message.sequence for message in messages] == sorted(str(m.sequence) for m in messages)
    with pytest.raises(SqsError, match="expired"):
        queues.delete("q.fifo", first.receipt)


async def test_a_fifo_queue_delivers_nothing_of_a_group_before_what_is_delayed(
    queues: Queues, clock: HandClock
) -> None:
    queues.directory.create("q.fifo", {**FIFO, "ContentBasedDeduplication": "true", "DelaySeconds": "5"})
    queues.send("q.fifo", "1", group="g")
    queues.directory.set_attributes("q.fifo", {"DelaySeconds": "0"})
    queues.send("q.fifo", "2", group="g")
    assert await queues.receive("q.fifo", 10) == []
    await clock.advance(5)
    assert bodies(await queues.receive("q.fifo", 10)) == ["1", "2"]


async def test_a_fifo_queue_does_not_repeat_a_message_while_a_later_one_is_in_flight(queues: Queues) -> None:
    for body in "12":
        queues.send("q.fifo", body, group="g")
    first, second = await queues.receive("q.fifo", 10)
    queues.change_visibility("q.fifo", first.receipt, 0)
    assert await queues.receive("q.fifo", 10) == []
    queues.delete("q.fifo", second.receipt)
    assert bodies(await queues.receive("q.fifo", 10)) == ["1"]


async def test_a_fifo_queue_takes_the_same_once_within_five_minutes(queues: Queues, clock: HandClock) -> None:
    queues.directory.create("q.fifo", FIFO)
    with pytest.raises(SqsError, match="ContentBasedDeduplication"):
        queues.send("q.fifo", "x", group="g")
    with refused("MissingRequiredParameterException"):
        queues.send("q.fifo", "x", deduplication="d")
    first = queues.send("q.fifo", "x", group="g", deduplication="d")
    assert queues.send("q.fifo", "y", group="h", deduplication="d").id == first.id
    (message,) = await queues.receive("q.fifo", 10)
    queues.delete("q.fifo", message.receipt)
    await clock.advance(299)
    queues.send("q.fifo", "z", group="g", deduplication="d")
    assert await queues.receive("q.fifo", 10) == []
    await clock.advance(1)
    queues.send("q.fifo", "z", group="g", deduplication="d")
    assert bodies(await queues.receive("q.fifo", 10)) == ["z"]


async def test_a_fifo_queue_may_tell_the_same_apart_by_group(queues: Queues) -> None:
    queues.directory.create("q.fifo", {**FIFO, "DeduplicationScope": "messageGroup"})
    for group in "ghg":
        queues.send("q.fifo", group, group=group, deduplication="d")
    assert bodies(await queues.receive("q.fifo", 10)) == ["g", "h"]


def test_attributes_are_those_of_the_service(queues: Queues) -> None:
    queues.send("q", "a")
    queues.send("q", "b", delay=5)
    assert queues.attributes("q") == {
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesDelayed": "1",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "CreatedTimestamp": "1700000000",
        "DelaySeconds": "0",
        "LastModifiedTimestamp": "1700000000",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }


def test_a_queue_is_created_once_with_the_same_attributes_only(queues: Queues) -> None:
    queues.directory.create("q", {"VisibilityTimeout": "5"})
    queues.directory.create("q")
    with refused("QueueNameExists"):
        queues.directory.create("q", {"VisibilityTimeout": "6"})


def test_who_creates_a_queue_that_was_made_on_first_use_sets_it_up(queues: Queues) -> None:
    queues.send("q", "a")
    queues.directory.create("q", {"VisibilityTimeout": "6"})
    found = queues.attributes("q")
    assert (found["VisibilityTimeout"], found["ApproximateNumberOfMessages"]) == ("6", "1")


def test_a_setting_goes_back_to_its_default(queues: Queues) -> None:
    queues.directory.create("q", {"VisibilityTimeout": "5"})
    queues.directory.set_attributes("q", {"VisibilityTimeout": "", "DelaySeconds": "1"})
    found = queues.queue("q").settings
    assert (found["VisibilityTimeout"], found["DelaySeconds"]) == ("30", "1")


async def test_a_queue_is_purged_at_most_once_a_minute(queues: Queues, clock: HandClock) -> None:
    queues.send("q", "a")
    queues.purge("q")
    assert await queues.receive("q") == []
    with refused("PurgeQueueInProgress"):
        queues.purge("q")
    await clock.advance(60)
    queues.purge("q")


async def test_too_many_in_flight_are_over_the_limit(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs, "MOST_IN_FLIGHT", 2)
    for _ in range(3):
        queues.send("q", "a")
    await queues.receive("q", 2)
    with refused("OverLimit"):
        await queues.receive("q")


REFUSED: list[tuple[str, Callable[[Queues], object]]] = [
    ("InvalidAttributeName", lambda q: q.directory.create("q", {"VisibilityTimeOut": "1"})),
    ("InvalidAttributeName", lambda q: q.directory.create("q", {"ContentBasedDeduplication": "true"})),
    ("InvalidAttributeValue", lambda q: q.directory.create("q", {"VisibilityTimeout": "43201"})),
    ("InvalidAttributeValue", lambda q: q.directory.create("q", {"Policy": "{"})),
    ("InvalidParameterValueException", lambda q: q.directory.create("q.fifo")),
    ("InvalidParameterValueException", lambda q: q.directory.create("q", FIFO)),
    ("InvalidParameterValueException", lambda q: q.directory.create("a b")),
    ("InvalidParameterValueException", lambda q: q.queue("x" * 81)),
    ("QueueDoesNotExist", lambda q: q.delete_queue("none")),
    ("QueueDoesNotExist", lambda q: q.purge("none")),
    ("MissingRequiredParameterException", lambda q: q.send("q", "")),
    ("InvalidMessageContents", lambda q: q.send("q", "a\0b")),
    ("InvalidParameterValueException", lambda q: q.send("q", "ü" * (1 << 19) + "x")),
    ("InvalidParameterValueException", lambda q: q.send("q", "a", delay=901)),
    ("InvalidParameterValueException", lambda q: q.send("q.fifo", "a", group="g", delay=1)),
    ("InvalidParameterValueException", lambda q: q.send("q", "a", deduplication="d")),
    ("InvalidParameterValueException", lambda q: q.send("q", "a", {"AWS.x": AttributeValue("String", "x")})),
    ("InvalidParameterValueException", lambda q: q.send("q", "a", {"x": AttributeValue("Text", "x")})),
    ("InvalidParameterValueException", lambda q: q.send("q", "a", {"x": AttributeValue("Number", "x")})),
    ("InvalidParameterValueException", lambda q: q.send("q", "a", {"x": AttributeValue("Binary", "x")})),
    (
        "InvalidParameterValueException",
        lambda q: q.send("q", "a", {f"x{n}": AttributeValue("String", "x") for n in range(11)}),
    ),
]


@pytest.mark.parametrize(("code", "call"), REFUSED)
def test_what_the_service_refuses_is_refused(
    queues: Queues, code: str, call: Callable[[Queues], object]
) -> None:
    with refused(code):
        call(queues)


@pytest.mark.parametrize(
    "limits", [{"maximum": 0}, {"maximum": 11}, {"wait": 21}, {"wait": -1}, {"visibility": 43_201}]
)
async def test_what_a_receiver_may_not_ask_for_is_refused(queues: Queues, limits: dict[str, int]) -> None:
    with refused("InvalidParameterValueException"):
        await queues.receive("q", **limits)


def test_the_digest_of_attributes_is_the_published_one() -> None:
    # The digest that moto computes as well.
    attributes = {"timestamp": AttributeValue("Number", "1493147359900")}
    assert attributes_md5(attributes) == "235c5c510d26fb653d073faed50ae77c"


ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("receive"), st.integers(1, 3), st.integers(0, 4)),
    st.tuples(st.just("delete"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("change"), st.integers(0, 9), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.integers(1, 3), st.just(0)),
)


class Model:
    """What a queue should do, in the simplest words: message -> when it is visible, and its last receipt."""

    def __init__(self) -> None:
        self.visible: dict[str, float] = {}
        self.receipts: dict[str, str] = {}

    def receivable(self, now: float) -> list[str]:
        seen = [body for body, moment in self.visible.items() if moment <= now]
        return sorted(seen, key=lambda body: (self.visible[body], int(body)))

    def counts(self, now: float) -> tuple[str, str, str]:
        hidden = [body for body, moment in self.visible.items() if moment > now]
        flying = sum(body in self.receipts for body in hidden)
        return str(len(self.visible) - len(hidden)), str(flying), str(len(hidden) - flying)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=25))
def test_visibility_is_as_in_the_simplest_model(actions: list[tuple[str, int, int]]) -> None:
    asyncio.run(play(actions))


async def play(actions: list[tuple[str, int, int]]) -> None:
    clock, model, handles = HandClock(), Model(), list[tuple[str, str]]()
    queues = Queues(open_database(":memory:"), clock, PARTITION)
    queues.queue("q")
    for number, (action, first, second) in enumerate(actions):
        now = clock.now()
        body, receipt = handles[first % len(handles)] if handles else ("", "")
        match action:
            case "send":
                queues.send("q", str(number), delay=first)
                model.visible[str(number)] = now + first
            case "receive":
                expected = model.receivable(now)[:first]
                messages = await queues.receive("q", first, visibility=second)
                assert bodies(messages) == expected
                for message in messages:
                    model.visible[message.body] = now + second
                    model.receipts[message.body] = message.receipt
                    handles.append((message.body, message.receipt))
            case "delete" if receipt:
                queues.delete("q", receipt)
                if model.receipts.get(body) == receipt:
                    del model.visible[body], model.receipts[body]
            case "change" if receipt:
                if model.receipts.get(body) == receipt and model.visible[body] > now:
                    queues.change_visibility("q", receipt, second)
                    model.visible[body] = now + second
                else:
                    with refused("MessageNotInflight"):
                        queues.change_visibility("q", receipt, second)
            case "wait":
                await clock.advance(first)
        found = queues.attributes("q")
        assert tuple(found[name] for name in COUNTS) == model.counts(clock.now())


COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
