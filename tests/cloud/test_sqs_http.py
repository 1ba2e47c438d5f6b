"""SQS over HTTP: as boto3 speaks it today, and as older clients do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import httpx
import pytest
from botocore.exceptions import ClientError

from sagelocal.clock import SystemClock
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_http import sqs_app
from sagelocal.cloud.sqs_operations import OPERATIONS
from sagelocal.database import open_database
from sagelocal.names import Partition

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

AWS = "https://sqs.us-east-2.amazonaws.com/111122223333/"
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/sqs/aws4_request, Signature=x"}
NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def new_queues() -> Queues:
    return Queues(open_database(":memory:"), SystemClock(), Partition("us-east-1", "000000000000"))


@pytest.fixture
def url(store: ObjectStore) -> Iterator[str]:
    queues = new_queues()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    endpoint = Endpoint(store, {"sqs": sqs_app(queues)})
    try:
        asyncio.run_coroutine_threadsafe(endpoint.__aenter__(), loop).result(30)
        yield endpoint.url
        loop.call_soon_threadsafe(queues.close)
        asyncio.run_coroutine_threadsafe(endpoint.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@pytest.fixture
def client(url: str, client_for: Callable[..., Any]) -> SQSClient:
    made: SQSClient = client_for(url, "sqs")
    return made


@pytest.fixture
def queue(client: SQSClient) -> str:
    return client.create_queue(QueueName="q")["QueueUrl"]


def test_a_consumer_for_aws_works_unchanged(client: SQSClient) -> None:
    sent = client.send_message(QueueUrl=AWS + "jobs", MessageBody='{"token": "26vcYbeWsZ"}')
    (message,) = client.receive_message(QueueUrl=AWS + "jobs", WaitTimeSeconds=20)["Messages"]
    client.delete_message(QueueUrl=AWS + "jobs", ReceiptHandle=message["ReceiptHandle"])
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], '{"token": "26vcYbeWsZ"}')
    left = client.get_queue_attributes(QueueUrl=AWS + "jobs", AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.parametrize(
    "other",
    [
        "https://sqs.us-east-2.amazonaws.com/111122223333/q",
        "https://us-east-2.queue.amazonaws.com/111122223333/q",
        "https://queue.amazonaws.com/111122223333/q",
        "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q",
        "http://host.docker.internal:1/000000000000/q",
    ],
)
def test_every_form_of_a_queues_url_means_the_queue_of_that_name(
    client: SQSClient, queue: str, other: str
) -> None:
    client.send_message(QueueUrl=other, MessageBody="a")
    assert client.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "a"


def test_the_url_of_a_queue_is_where_the_client_reached_us(client: SQSClient, url: str, queue: str) -> None:
    assert queue == f"{url}/000000000000/q"
    assert client.get_queue_url(QueueName="q")["QueueUrl"] == queue
    assert client.create_queue(QueueName="a.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"].endswith(
        "/a.fifo"
    )


def test_what_is_asked_for_of_a_message_comes_back(client: SQSClient, queue: str) -> None:
    given: Any = {
        "text": {"DataType": "String.label", "StringValue": "é\r\n<"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
    }
    trace: Any = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    sent = client.send_message(
        QueueUrl=queue, MessageBody="é\r\n<", MessageAttributes=given, MessageSystemAttributes=trace
    )
    (message,) = client.receive_message(
        QueueUrl=queue, MessageSystemAttributeNames=["All"], MessageAttributeNames=["by.*", "te"]
    )["Messages"]
    assert (message["Body"], message["MessageAttributes"]) == ("é\r\n<", {"bytes": given["bytes"]})
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MD5OfMessageAttributes"] != sent["MD5OfMessageAttributes"]
    assert message["Attributes"].keys() == {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "AWSTraceHeader",
    }


def test_an_empty_queue_answers_without_messages(client: SQSClient, queue: str) -> None:
    assert "Messages" not in client.receive_message(QueueUrl=queue)
    assert "Attributes" not in client.get_queue_attributes(QueueUrl=queue)


def test_two_consumers_share_the_messages_without_getting_one_twice(
    client: SQSClient, client_for: Callable[..., Any], url: str, queue: str
) -> None:
    numbers = [str(number) for number in range(40)]
    for start in range(0, 40, 10):
        entries: Any = [{"Id": body, "MessageBody": body} for body in numbers[start : start + 10]]
        client.send_message_batch(QueueUrl=queue, Entries=entries)
    clients = [client_for(url, "sqs") for _ in range(2)]

    def consume(one: SQSClient) -> list[str]:
        bodies = []
        while messages := one.receive_message(QueueUrl=queue, MaxNumberOfMessages=3).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies

    with ThreadPoolExecutor(2) as pool:
        received = [body for bodies in pool.map(consume, clients) for body in bodies]
    assert sorted(received, key=int) == numbers


def test_a_batch_answers_for_each_entry(client: SQSClient, queue: str) -> None:
    entries: Any = [
        {"Id": "good", "MessageBody": "a"},
        {"Id": "late", "MessageBody": "b", "DelaySeconds": 901},
    ]
    sent = client.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [each["Id"] for each in sent["Successful"]] == ["good"]
    assert [(each["Id"], each["Code"], each["SenderFault"]) for each in sent["Failed"]] == [
        ("late", "InvalidParameterValue", True)
    ]
    (message,) = client.receive_message(QueueUrl=queue)["Messages"]
    handles: Any = [
        {"Id": "a", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "b", "ReceiptHandle": "x", "VisibilityTimeout": 0},
        {"Id": "c", "ReceiptHandle": message["ReceiptHandle"]},
    ]
    changed = client.change_message_visibility_batch(QueueUrl=queue, Entries=handles)
    assert [each["Code"] for each in changed["Failed"]] == ["ReceiptHandleIsInvalid", "MissingParameter"]
    gone = client.delete_message_batch(
        QueueUrl=queue, Entries=[{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}]
    )
    assert ([each["Id"] for each in gone["Successful"]], gone["Failed"]) == (["a"], [])


def test_queues_are_listed_by_prefix_and_by_page(client: SQSClient) -> None:
    urls = [client.create_queue(QueueName=name)["QueueUrl"] for name in ("a1", "a2", "a3", "b")]
    pages = client.get_paginator("list_queues").paginate(
        QueueNamePrefix="a", PaginationConfig={"PageSize": 2}
    )
    assert [page["QueueUrls"] for page in pages] == [urls[:2], urls[2:3]]


def test_a_queue_is_set_up_tagged_and_deleted(client: SQSClient, queue: str) -> None:
    client.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "7"})
    client.tag_queue(QueueUrl=queue, Tags={"a": "1", "b": "2"})
    client.untag_queue(QueueUrl=queue, TagKeys=["a"])
    assert client.list_queue_tags(QueueUrl=queue)["Tags"] == {"b": "2"}
    names: Any = ["VisibilityTimeout", "QueueArn"]
    assert client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"] == {
        "VisibilityTimeout": "7",
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
    }
    client.delete_queue(QueueUrl=queue)
    with pytest.raises(client.exceptions.QueueDoesNotExist):
        client.receive_message(QueueUrl=queue)


def test_a_dead_letter_queue_knows_its_sources(client: SQSClient, queue: str) -> None:
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:q", "maxReceiveCount": 1}'
    source = client.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    assert client.list_dead_letter_source_queues(QueueUrl=queue)["queueUrls"] == [source]


TWICE: Any = [{"Id": "a", "MessageBody": "a"}, {"Id": "a", "MessageBody": "b"}]
MANY: Any = [{"Id": str(number), "MessageBody": "a"} for number in range(11)]
LONG: Any = [{"Id": str(number), "MessageBody": "a" * 600_000} for number in range(2)]
REFUSED: list[tuple[str, Callable[[Any, str], object]]] = [
    ("AWS.SimpleQueueService.NonExistentQueue", lambda c, _: c.get_queue_url(QueueName="none")),
    (
        "AWS.SimpleQueueService.NonExistentQueue",
        lambda c, q: c.send_message(QueueUrl=q + "x", MessageBody="a"),
    ),
    ("AWS.SimpleQueueService.NonExistentQueue", lambda c, _: c.delete_queue(QueueUrl=AWS + "none")),
    (
        "QueueAlreadyExists",
        lambda c, _: c.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1"}),
    ),
    ("InvalidAddress", lambda c, _: c.send_message(QueueUrl="q", MessageBody="a")),
    ("InvalidAttributeName", lambda c, q: c.get_queue_attributes(QueueUrl=q, AttributeNames=["Delay"])),
    ("InvalidAttributeName", lambda c, q: c.receive_message(QueueUrl=q, AttributeNames=["SentTime"])),
    ("ReceiptHandleIsInvalid", lambda c, q: c.delete_message(QueueUrl=q, ReceiptHandle="x")),
    ("InvalidMessageContents", lambda c, q: c.send_message(QueueUrl=q, MessageBody="\x01")),
    (
        "AWS.SimpleQueueService.EmptyBatchRequest",
        lambda c, q: c.send_message_batch(QueueUrl=q, Entries=[]),
    ),
    (
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        lambda c, q: c.send_message_batch(QueueUrl=q, Entries=TWICE),
    ),
    (
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        lambda c, q: c.send_message_batch(QueueUrl=q, Entries=MANY),
    ),
    (
        "AWS.SimpleQueueService.BatchRequestTooLong",
        lambda c, q: c.send_message_batch(QueueUrl=q, Entries=LONG),
    ),
    (
        "AWS.SimpleQueueService.InvalidBatchEntryId",
        lambda c, q: c.send_message_batch(QueueUrl=q, Entries=[{"Id": "a b", "MessageBody": "a"}]),
    ),
    (
        "AWS.SimpleQueueService.UnsupportedOperation",
        lambda c, q: c.remove_permission(QueueUrl=q, Label="x"),
    ),
]


@pytest.mark.parametrize(("code", "call"), REFUSED)
def test_refusals_have_the_services_codes(
    client: SQSClient, queue: str, code: str, call: Callable[[Any, str], object]
) -> None:
    with pytest.raises(ClientError) as error:
        call(client, queue)
    assert error.value.response["Error"]["Code"] == code


def test_operations_that_are_not_served_are_named(client: SQSClient, queue: str) -> None:
    assert set(OPERATIONS) <= set(client.meta.service_model.operation_names)
    with pytest.raises(ClientError, match="SQS's ListMessageMoveTasks is not served"):
        client.list_message_move_tasks(SourceArn="arn")


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("AmazonSQS.SendMesage", "{}", "InvalidAction;Sender"),
        ("AmazonSQS.SendMessage", "{", "MalformedInput;Sender"),
        ("AmazonSQS.SendMessage", "[]", "MalformedInput;Sender"),
        ("AmazonSQS.SendMessage", '{"QueueUrl": 1, "MessageBody": "a"}', "MalformedInput;Sender"),
        ("AmazonSQS.ListQueues", '{"MaxResults": true}', "MalformedInput;Sender"),
        ("AmazonSQS.ListQueues", '{"MaxResults": 0}', "InvalidParameterValue;Sender"),
        ("AmazonSQS.SendMessage", "{}", "MissingParameter;Sender"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused(url: str, target: str, body: str, code: str) -> None:
    answer = httpx.post(url, content=body, headers={**SIGNED, "x-amz-target": target})
    assert (answer.status_code, answer.headers["x-amzn-query-error"]) == (400, code)


def query(url: str, **fields: str) -> ElementTree.Element:
    """What the query protocol answers to a form; ``__`` stands for a period."""
    form = {name.replace("__", "."): value for name, value in fields.items()}
    answer = httpx.post(url, data={**form, "Version": "2012-11-05"}, headers=SIGNED)
    assert answer.headers["content-type"].startswith("text/xml")
    return ElementTree.fromstring(answer.text)


def texts(root: ElementTree.Element, path: str) -> list[str]:
    found = root.findall("/".join(NAMESPACE + part for part in path.split("/")))
    return [element.text or "" for element in found]


def test_older_clients_send_forms_and_get_xml(url: str) -> None:
    fields = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "9", "Tag.1.Key": "t.t"}
    made = query(url, Action="CreateQueue", QueueName="q", **fields, **{"Tag.1.Value": "v"})
    (place,) = texts(made, "CreateQueueResult/QueueUrl")
    attributes = {
        "MessageAttribute.1.Name": "b",
        "MessageAttribute.1.Value.DataType": "Binary",
        "MessageAttribute.1.Value.BinaryValue": "AP8=",
    }
    # At the queue's own URL, without naming it in the form.
    sent = query(place, Action="SendMessage", MessageBody="é\r\n<", **attributes)
    got = query(
        url,
        Action="ReceiveMessage",
        QueueUrl=place,
        MaxNumberOfMessages="10",
        AttributeName__1="ApproximateReceiveCount",
        MessageAttributeName="All",
    )
    message = "ReceiveMessageResult/Message"
    assert texts(got, f"{message}/MessageId") == texts(sent, "SendMessageResult/MessageId")
    assert texts(got, f"{message}/Body") == ["é\r\n<"]
    assert texts(got, f"{message}/Attribute/Name") == ["ApproximateReceiveCount"]
    assert texts(got, f"{message}/MessageAttribute/Value/BinaryValue") == ["AP8="]
    assert texts(query(place, Action="ListQueueTags"), "ListQueueTagsResult/Tag/Key") == ["t.t"]
    found = query(place, Action="GetQueueAttributes", AttributeName="VisibilityTimeout")
    assert texts(found, "GetQueueAttributesResult/Attribute/Value") == ["9"]


def test_older_clients_send_batches(url: str, queue: str) -> None:
    entry = "SendMessageBatchRequestEntry"
    fields = {
        f"{entry}.1.Id": "a",
        f"{entry}.1.MessageBody": "a",
        f"{entry}.2.Id": "b",
        f"{entry}.2.MessageBody": "\x01",
    }
    answer = query(queue, Action="SendMessageBatch", **fields)
    assert texts(answer, "SendMessageBatchResult/SendMessageBatchResultEntry/Id") == ["a"]
    assert texts(answer, "SendMessageBatchResult/BatchResultErrorEntry/Id") == ["b"]
    assert texts(answer, "SendMessageBatchResult/BatchResultErrorEntry/SenderFault") == ["true"]
    refused = query(queue, Action="SendMessageBatch", Entries="")
    assert texts(refused, "Error/Code") == ["AWS.SimpleQueueService.EmptyBatchRequest"]


def test_older_clients_get_errors_as_xml(url: str) -> None:
    refused = query(url, Action="GetQueueUrl", QueueName="none")
    assert texts(refused, "Error/Code") == ["AWS.SimpleQueueService.NonExistentQueue"]
    unknown = query(url, Action="GetQueueUrls")
    assert texts(unknown, "Error/Code") == ["InvalidAction"]
    assert texts(unknown, "Error/Message") == [
        "The action GetQueueUrls is not valid for this endpoint. (did you mean GetQueueUrl?)"
    ]


async def test_a_receiver_that_went_away_gets_no_message() -> None:
    queues = new_queues()
    queues.queue("q")
    going = asyncio.Event()
    body = b'{"QueueUrl": "http://localhost/000000000000/q", "WaitTimeSeconds": 20}'
    events: list[dict[str, Any]] = [{"type": "http.request", "body": body}]

    async def receive() -> dict[str, Any]:
        if events:
            return events.pop()
        await going.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = [(b"x-amz-target", b"AmazonSQS.ReceiveMessage"), (b"host", b"localhost")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    request = asyncio.ensure_future(sqs_app(queues)(scope, receive, send))
    while not queues.waiting("q"):
        await asyncio.sleep(0)
    going.set()
    await request
    queues.send("q", "a")
    assert [message.body for message in await queues.receive("q")] == ["a"]
