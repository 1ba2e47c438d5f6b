"""Functions that are given the messages of queues: what they get, what becomes of the messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from starlette.applications import Starlette

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.event_source_mappings import EventSourceMappings
from sagelocal.cloud.event_sources import EventSource, Feeder, refused
from sagelocal.cloud.event_sources_http import event_source_routes
from sagelocal.cloud.functions import Function, FunctionStore, Invoked
from sagelocal.cloud.functions_http import lambda_app
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_messages import AttributeValue, Message
from sagelocal.database import open_database
from sagelocal.errors import MachineError
from sagelocal.names import Partition
from sagelocal.settings import FunctionRule

PARTITION = Partition("us-east-1", "000000000000")
ARN = "arn:aws:sqs:us-east-1:000000000000:work"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
SOURCE = EventSource("work", "f")


class TurnedClock:
    """Time that passes when the test says so; who sleeps is told of by `slept`."""

    def __init__(self) -> None:
        self.moment = 1_700_000_000.0
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.moment + seconds, woken))
        self.slept.put_nowait(seconds)
        await woken

    def advance(self, seconds: float) -> None:
        self.moment += seconds
        for due, woken in self._sleepers:
            if due <= self.moment and not woken.done():
                woken.set_result(None)


class Notebook:
    """A function's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    note = line


class Fed:
    """A queue `work` that feeds a function `f`, which answers as the test says and hands its events over."""

    def __init__(self, root: Path, state: Path | str = ":memory:") -> None:
        (root / "f.py").write_text("")
        self.clock = TurnedClock()
        self.connection = open_database(state)
        self.queues = Queues(self.connection, self.clock, PARTITION)
        rules = {"f": FunctionRule(code=root / "f.py:h", timeout=3)}
        self.catalog = Catalog(self.connection)
        self.functions = FunctionStore(self.catalog, root / "functions", PARTITION, rules)
        self.answers: list[Invoked | Exception] = []
        self.events: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()
        self.book = Notebook()
        self.failures: asyncio.Queue[tuple[list[str], str]] = asyncio.Queue()
        feeder = Feeder(self.queues, self.functions, self._invoke, self.clock, self._log, self._told)
        self.mappings = EventSourceMappings(self.catalog, feeder, self.clock)

    async def _invoke(self, function: Function, payload: bytes, on_line: Callable[[str], None]) -> Invoked:
        on_line(f"START {function.name}")
        self.events.put_nowait(json.loads(payload)["Records"])
        answer = self.answers.pop(0) if self.answers else Invoked(b"null")
        if isinstance(answer, Exception):
            raise answer
        return answer

    @contextmanager
    def _log(self, _: str) -> Iterator[Notebook]:
        yield self.book

    def _told(self, messages: Sequence[Message], text: str) -> None:
        self.failures.put_nowait(([message.body for message in messages], text))

    def count(self, name: str = "") -> str:
        return self.queues.attributes("work")[f"ApproximateNumberOfMessages{name}"]

    async def idle(self) -> None:
        """Until the feeders have done what they can."""
        for _ in range(50):
            await asyncio.sleep(0)


@pytest.fixture(name="fed")
async def _fed(tmp_path: Path) -> AsyncIterator[Fed]:
    fed = Fed(tmp_path)
    yield fed
    await fed.mappings.close()
    fed.connection.close()


async def test_a_function_gets_a_message_as_lambda_gives_it(fed: Fed) -> None:
    attributes = {"kind": AttributeValue("String", "a"), "raw": AttributeValue("Binary", b"\1")}
    sent = fed.queues.send("work", "hello", attributes)

    fed.mappings.begin([SOURCE])
    [found] = await fed.events.get()

    assert found.pop("receiptHandle")
    assert found == {
        "messageId": sent.id,
        "body": "hello",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1700000000000",
            "SenderId": "000000000000",
            "ApproximateFirstReceiveTimestamp": "1700000000000",
        },
        "messageAttributes": {
            "kind": {
                "stringValue": "a",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "raw": {
                "binaryValue": "AQ==",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfBody": sent.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "us-east-1",
    }


async def test_messages_come_in_batches_and_are_gone_afterwards(fed: Fed) -> None:
    for each in "abc":
        fed.queues.send("work", each)

    fed.mappings.begin([EventSource("work", "f", batch=2)])
    batches = [await fed.events.get() for _ in range(2)]
    await fed.idle()

    assert [[item["body"] for item in batch] for batch in batches] == [["a", "b"], ["c"]]
    assert (fed.count(), fed.count("NotVisible")) == ("0", "0")
    assert fed.book.lines == ["START f", "START f"]


async def test_a_message_that_arrives_later_is_given_at_once(fed: Fed) -> None:
    fed.mappings.begin([SOURCE])
    await fed.idle()

    fed.queues.send("work", "late")

    assert [item["body"] for item in await fed.events.get()] == ["late"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Invoked(b'{"errorType": "ValueError", "errorMessage": "no"}', failed=True), "ValueError: no"),
        (MachineError("there is no Python"), "there is no Python"),
    ],
)
async def test_messages_of_a_failed_invocation_come_back_when_the_queue_says(
    fed: Fed, answer: Invoked | Exception, why: str
) -> None:
    fed.queues.directory.create("work", {"VisibilityTimeout": "40"})
    fed.queues.send("work", "again")
    fed.answers = [answer]

    fed.mappings.begin([SOURCE])
    first = await fed.events.get()
    bodies, text = await fed.failures.get()
    fed.clock.advance(39)
    await fed.idle()
    early = fed.events.qsize()
    fed.clock.advance(1)
    second = await fed.events.get()
    await fed.idle()

    assert bodies == ["again"]
    assert text == f"the function f failed on 1 of 1 messages of work: {why}"
    assert text in fed.book.lines
    assert early == 0
    assert [item["attributes"]["ApproximateReceiveCount"] for item in first + second] == ["1", "2"]
    assert (fed.count(), fed.count("NotVisible")) == ("0", "0")


async def test_messages_stay_hidden_while_a_function_may_run(fed: Fed) -> None:
    fed.queues.directory.create("work", {"VisibilityTimeout": "1"})
    fed.queues.send("work", "long")
    release = asyncio.Event()
    invoke = fed._invoke

    async def slow(function: Function, payload: bytes, on_line: Callable[[str], None]) -> Invoked:
        answer = await invoke(function, payload, on_line)
        await release.wait()
        return answer

    fed.mappings = EventSourceMappings(fed.catalog, replace(fed.mappings._feeder, invoke=slow), fed.clock)
    fed.mappings.begin([SOURCE])
    await fed.events.get()
    fed.clock.advance(3)
    await fed.idle()
    meanwhile = fed.events.qsize(), fed.count("NotVisible")
    release.set()
    await fed.idle()

    assert meanwhile == (0, "1")
    assert fed.count("NotVisible") == "0"


async def test_a_function_may_name_the_messages_that_it_failed_on(fed: Fed) -> None:
    bad = [fed.queues.send("work", each) for each in ("good", "bad")][1]
    fed.answers = [Invoked(json.dumps({"batchItemFailures": [{"itemIdentifier": bad.id}]}).encode())]

    fed.mappings.begin([SOURCE])
    bodies, text = await fed.failures.get()

    assert bodies == ["bad"]
    assert "1 of 2 messages" in text
    assert fed.count("NotVisible") == "1"


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        (b"null", ""),
        (b'"done"', ""),
        (b'{"batchItemFailures": []}', ""),
        (b'{"batchItemFailures": null}', ""),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', "a"),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', "ab"),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', "ab"),
        (b'{"batchItemFailures": [{"identifier": "a"}]}', "ab"),
        (b'{"batchItemFailures": [{"itemIdentifier": []}]}', "ab"),
        (b'{"batchItemFailures": 7}', "ab"),
        (b'{"batchItemFailures"', "ab"),
    ],
)
def test_an_identifier_that_is_wrong_fails_the_whole_batch(payload: bytes, failed: str) -> None:
    assert refused(payload, {"a", "b"}) == set(failed)


async def test_a_function_that_is_not_there_leaves_the_messages(fed: Fed) -> None:
    fed.queues.send("work", "for nobody")

    fed.mappings.begin([EventSource("work", "g")])
    _, text = await fed.failures.get()

    assert "There is no function 'g'" in text
    assert fed.count("NotVisible") == "1"


async def test_a_broken_function_is_not_called_without_pause(fed: Fed) -> None:
    fed.queues.directory.create("work", {"VisibilityTimeout": "0"})
    fed.queues.send("work", "again")
    fed.answers = [Invoked(b"{}", failed=True)] * 100

    fed.mappings.begin([SOURCE])
    await fed.failures.get()
    await fed.idle()

    assert fed.events.qsize() <= 5  # one for each that waits at the queue
    assert 1.0 in [fed.clock.slept.get_nowait() for _ in range(fed.clock.slept.qsize())]


async def test_a_function_that_has_begun_may_finish(fed: Fed) -> None:
    release = asyncio.Event()

    async def slow(_: Function, __: bytes, ___: Callable[[str], None]) -> Invoked:
        begun.set()
        await release.wait()
        return Invoked(b"null")

    begun = asyncio.Event()
    feeder = replace(fed.mappings._feeder, invoke=slow)
    mappings = EventSourceMappings(fed.catalog, feeder, fed.clock, grace=30.0)
    fed.queues.send("work", "nearly done")
    mappings.begin([SOURCE])
    await begun.wait()

    closing = asyncio.create_task(mappings.close())
    await fed.idle()
    release.set()
    await closing

    assert (fed.count(), fed.count("NotVisible")) == ("0", "0")


async def test_the_end_of_the_queues_is_the_end_of_the_feeding(fed: Fed) -> None:
    fed.mappings.begin([SOURCE])
    await fed.idle()

    fed.queues.close()
    await fed.idle()
    fed.queues.send("work", "too late")
    await fed.idle()

    assert fed.count() == "1"


class Service:
    """boto3's client for the mappings, called from a thread as it blocks."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, name: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(partial(getattr(self._client, name), **arguments))

    async def refused(self, name: str, **arguments: Any) -> str:
        with pytest.raises(ClientError) as error:
            await self.call(name, **arguments)
        found = error.value.response["Error"]
        return f"{found['Code']}: {found['Message']}"


def app(fed: Fed) -> Starlette:
    more = event_source_routes(fed.mappings, fed.functions, PARTITION)
    return lambda_app(fed.functions, fed._invoke, None, fed.clock, more)


@pytest.fixture(name="service")
async def _service(fed: Fed, tmp_path: Path, client_for: Callable[..., Any]) -> AsyncIterator[Service]:
    async with Endpoint(ObjectStore(tmp_path / "s3"), {"lambda": app(fed)}) as endpoint:
        yield Service(client_for(endpoint.url, "lambda"))


async def test_a_mapping_made_by_the_api_feeds_its_function(fed: Fed, service: Service) -> None:
    made = await service.call(
        "create_event_source_mapping", EventSourceArn=ARN, FunctionName="f", BatchSize=3
    )
    fed.queues.send("work", "hello")

    assert [item["body"] for item in await fed.events.get()] == ["hello"]
    assert (made["State"], made["BatchSize"], made["FunctionArn"]) == ("Enabled", 3, FUNCTION_ARN)
    assert made["EventSourceArn"] == ARN
    assert made["EventSourceMappingArn"].endswith(f":event-source-mapping:{made['UUID']}")


async def test_mappings_are_listed_got_and_deleted(fed: Fed, service: Service) -> None:
    made = await service.call("create_event_source_mapping", EventSourceArn=ARN, FunctionName="f")
    uuid = made["UUID"]

    listed = await service.call("list_event_source_mappings", FunctionName=FUNCTION_ARN, EventSourceArn=ARN)
    others = await service.call("list_event_source_mappings", FunctionName="other")
    got = await service.call("get_event_source_mapping", UUID=uuid)
    deleted = await service.call("delete_event_source_mapping", UUID=uuid)
    fed.queues.send("work", "for nobody")
    await fed.idle()

    assert [item["UUID"] for item in listed["EventSourceMappings"]] == [uuid] == [got["UUID"]]
    assert others["EventSourceMappings"] == []
    assert deleted["State"] == "Deleting"
    assert fed.count() == "1"
    assert "ResourceNotFoundException" in await service.refused("get_event_source_mapping", UUID=uuid)


async def test_a_mapping_can_be_disabled_and_enabled(fed: Fed, service: Service) -> None:
    made = await service.call(
        "create_event_source_mapping", EventSourceArn=ARN, FunctionName="f", Enabled=False
    )
    fed.queues.send("work", "patient")
    await fed.idle()
    before = made["State"], fed.count()

    enabled = await service.call("update_event_source_mapping", UUID=made["UUID"], Enabled=True)
    given = await fed.events.get()
    disabled = await service.call("update_event_source_mapping", UUID=made["UUID"], Enabled=False)

    assert before == ("Disabled", "1")
    assert (enabled["State"], disabled["State"]) == ("Enabled", "Disabled")
    assert [item["body"] for item in given] == ["patient"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/s"}, "SQS queues only"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "FilterCriteria is not supported"),
        ({"BatchSize": 11}, "window in seconds must be greater than 0"),
        ({"FunctionName": "g"}, "ResourceNotFoundException: Function not found: g"),
    ],
)
async def test_what_cannot_be_mapped_is_refused(service: Service, change: dict[str, Any], says: str) -> None:
    arguments = {"EventSourceArn": ARN, "FunctionName": "f", **change}

    assert says in await service.refused("create_event_source_mapping", **arguments)


@pytest.mark.parametrize(("types", "left"), [([], "0"), (["ReportBatchItemFailures"], "1")])
async def test_a_mapping_asks_for_the_failures_of_single_messages_or_does_not(
    fed: Fed, service: Service, types: list[str], left: str
) -> None:
    bad = fed.queues.send("work", "bad")
    fed.answers = [Invoked(json.dumps({"batchItemFailures": [{"itemIdentifier": bad.id}]}).encode())]

    await service.call(
        "create_event_source_mapping", EventSourceArn=ARN, FunctionName="f", FunctionResponseTypes=types
    )
    await fed.events.get()
    await fed.idle()

    assert fed.count("NotVisible") == left


async def test_a_queue_feeds_a_function_once(fed: Fed, service: Service) -> None:
    fed.mappings.begin([SOURCE])

    told = await service.refused("create_event_source_mapping", EventSourceArn=ARN, FunctionName="f")

    assert told.startswith("ResourceConflictException")
    assert "sagelocal.toml" in told


async def test_mappings_survive_a_restart(tmp_path: Path) -> None:
    before = Fed(tmp_path, tmp_path / "state.db")
    empty: dict[str, Any] = {
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }
    before.mappings.create({"EventSourceArn": ARN, "FunctionArn": FUNCTION_ARN, "State": "Enabled", **empty})
    await before.mappings.close()
    before.connection.close()

    after = Fed(tmp_path, tmp_path / "state.db")
    after.mappings.begin([])
    after.queues.send("work", "hello again")
    given = await after.events.get()
    await after.mappings.close()
    after.connection.close()

    assert [item["body"] for item in given] == ["hello again"]
