"""SQS's operations over the queues."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from sagelocal.cloud import sqs_attributes, sqs_messages
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_directory import Queue
from sagelocal.cloud.sqs_faults import SqsError, invalid, missing
from sagelocal.cloud.sqs_messages import AttributeValue, Draft, Message
from sagelocal.cloud.sqs_shapes import Arguments
from sagelocal.nearest import did_you_mean

_MOST_ENTRIES = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_\-]{1,80}")
_PAGE = 1000
_AWS = re.compile(r"(.+\.)?(amazonaws\.com(\.cn)?|api\.aws)")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the service, its arguments, and the URL under which the client reaches us."""

    queues: Queues
    arguments: Arguments
    base: str

    def url(self, queue: Queue) -> str:
        return f"{self.base}/{self.queues.directory.partition.account}/{queue.name}"

    def queue(self) -> Queue:
        """The queue that the request is about, whatever the account in its URL.

        AWS's URL of a queue stands in definitions and consumers written for AWS, where the queue exists: it is made on
        first use. One of ours was given out when the queue was made.
        """
        url = str(self.arguments["QueueUrl"])
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
        if not host or urlsplit(url).path.count("/") < 2:
            raise SqsError("InvalidAddress", f"The address {url} is not valid for this endpoint.")
        if _AWS.fullmatch(host):
            return self.queues.queue(url)
        return self.queues.directory.existing(url)


async def create_queue(call: Call) -> Arguments:
    given = call.arguments
    queue = call.queues.directory.create(
        given["QueueName"], given.get("Attributes", {}), given.get("tags", {})
    )
    return {"QueueUrl": call.url(queue)}


async def get_queue_url(call: Call) -> Arguments:
    name = call.arguments["QueueName"]
    sqs_attributes.check_name(name)
    return {"QueueUrl": call.url(call.queues.directory.existing(name))}


async def list_queues(call: Call) -> Arguments:
    return _page(call, call.queues.directory.all(call.arguments.get("QueueNamePrefix", "")), "QueueUrls")


async def list_dead_letter_source_queues(call: Call) -> Arguments:
    target = call.queue().name
    policies = [(queue, sqs_attributes.redrive(queue.settings)) for queue in call.queues.directory.all()]
    return _page(
        call, [queue for queue, policy in policies if policy and policy.queue == target], "queueUrls"
    )


def _page(call: Call, queues: Sequence[Queue], member: str) -> Arguments:
    most, token = call.arguments.get("MaxResults", _PAGE), call.arguments.get("NextToken", "")
    if not 1 <= most <= _PAGE:
        raise invalid("MaxResults", most, f"Must be between 1 and {_PAGE}.")
    rest = [queue for queue in queues if queue.name > token]
    page: dict[str, Any] = {member: [call.url(queue) for queue in rest[:most]]}
    if len(rest) > most:
        page["NextToken"] = rest[most - 1].name
    return page


async def delete_queue(call: Call) -> Arguments:
    call.queues.delete_queue(call.arguments["QueueUrl"])
    return {}


async def get_queue_attributes(call: Call) -> Arguments:
    names = call.arguments.get("AttributeNames", [])
    _check_known(names, sqs_attributes.READABLE)
    found = call.queues.attributes(call.queue().name)
    chosen = found if "All" in names else {name: found[name] for name in names if name in found}
    return {"Attributes": chosen} if chosen else {}


async def set_queue_attributes(call: Call) -> Arguments:
    call.queues.directory.set_attributes(call.queue().name, call.arguments["Attributes"])
    return {}


async def list_queue_tags(call: Call) -> Arguments:
    return {"Tags": call.queue().tags}


async def tag_queue(call: Call) -> Arguments:
    queue = call.queue()
    call.queues.directory.set_tags(queue.name, {**queue.tags, **call.arguments["Tags"]})
    return {}


async def untag_queue(call: Call) -> Arguments:
    queue, gone = call.queue(), set(call.arguments["TagKeys"])
    call.queues.directory.set_tags(
        queue.name, {key: value for key, value in queue.tags.items() if key not in gone}
    )
    return {}


async def purge_queue(call: Call) -> Arguments:
    call.queues.purge(call.queue().name)
    return {}


async def send_message(call: Call) -> Arguments:
    return _send(call, call.queue(), call.arguments)


async def send_message_batch(call: Call) -> Arguments:
    queue = call.queue()
    return _batch(call.arguments["Entries"], lambda entry: _send(call, queue, entry), _check_whole)


def _send(call: Call, queue: Queue, entry: Arguments) -> Arguments:
    sent = call.queues.post(queue, _draft(entry))
    return _without_nothing(
        {
            "MessageId": sent.id,
            "MD5OfMessageBody": sent.body_md5,
            "MD5OfMessageAttributes": sent.attributes_md5,
            "MD5OfMessageSystemAttributes": sent.trace_md5,
            "SequenceNumber": sent.sequence,
        }
    )


def _draft(entry: Arguments) -> Draft:
    trace = entry.get("MessageSystemAttributes", {}).get("AWSTraceHeader", {})
    return Draft(
        body=entry["MessageBody"],
        attributes={name: _value(each) for name, each in entry.get("MessageAttributes", {}).items()},
        delay=entry.get("DelaySeconds"),
        group=entry.get("MessageGroupId"),
        deduplication=entry.get("MessageDeduplicationId"),
        trace=trace.get("StringValue"),
    )


def _value(given: Arguments) -> AttributeValue:
    if "StringListValues" in given or "BinaryListValues" in given:
        raise SqsError("UnsupportedOperation", "Message attribute list values are not supported.")
    return AttributeValue(given["DataType"], given.get("BinaryValue", given.get("StringValue", "")))


def _check_whole(entries: Sequence[Arguments]) -> None:
    total = sum(sqs_messages.size(_draft(entry)) for entry in entries)
    if total > sqs_messages.LARGEST:
        message = (
            f"Batch requests cannot be longer than {sqs_messages.LARGEST} bytes. You have sent {total} bytes."
        )
        raise SqsError("BatchRequestTooLong", message)


async def receive_message(call: Call) -> Arguments:
    given = call.arguments
    system = [*given.get("AttributeNames", []), *given.get("MessageSystemAttributeNames", [])]
    _check_known(system, frozenset({"All", *sqs_messages.SYSTEM_ATTRIBUTES}))
    messages = await call.queues.receive(
        call.queue().name,
        given.get("MaxNumberOfMessages", 1),
        given.get("WaitTimeSeconds"),
        given.get("VisibilityTimeout"),
    )
    sender = call.queues.directory.partition.account
    found = [_message(each, sender, system, given.get("MessageAttributeNames", [])) for each in messages]
    return {"Messages": found} if found else {}


def _message(message: Message, sender: str, system: Sequence[str], names: Sequence[str]) -> Arguments:
    attributes = sqs_messages.chosen(message.attributes, names)
    known = sqs_messages.system_attributes(message, sender)
    return _without_nothing(
        {
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "MD5OfBody": message.body_md5,
            "Body": message.body,
            "Attributes": {name: text for name, text in known.items() if "All" in system or name in system},
            "MD5OfMessageAttributes": sqs_messages.attributes_md5(attributes),
            "MessageAttributes": {name: _given(each) for name, each in attributes.items()},
        }
    )


def _given(attribute: AttributeValue) -> Arguments:
    member = "BinaryValue" if isinstance(attribute.value, bytes) else "StringValue"
    return {member: attribute.value, "DataType": attribute.data_type}


async def delete_message(call: Call) -> Arguments:
    call.queues.delete(call.queue().name, call.arguments["ReceiptHandle"])
    return {}


async def delete_message_batch(call: Call) -> Arguments:
    queue = call.queue().name

    def delete(entry: Arguments) -> Arguments:
        call.queues.delete(queue, entry["ReceiptHandle"])
        return {}

    return _batch(call.arguments["Entries"], delete)


async def change_message_visibility(call: Call) -> Arguments:
    given = call.arguments
    call.queues.change_visibility(call.queue().name, given["ReceiptHandle"], given["VisibilityTimeout"])
    return {}


async def change_message_visibility_batch(call: Call) -> Arguments:
    queue = call.queue().name

    def change(entry: Arguments) -> Arguments:
        if "VisibilityTimeout" not in entry:
            raise missing("VisibilityTimeout")
        call.queues.change_visibility(queue, entry["ReceiptHandle"], entry["VisibilityTimeout"])
        return {}

    return _batch(call.arguments["Entries"], change)


def _batch(
    entries: Sequence[Arguments],
    act: Callable[[Arguments], Arguments],
    check: Callable[[Sequence[Arguments]], None] = lambda _: None,
) -> Arguments:
    """Act on each entry; one that is refused does not hold up the others."""
    _check_entries(entries)
    check(entries)
    successful: list[Arguments] = []
    failed: list[Arguments] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **act(entry)})
        except SqsError as fault:
            failed.append(
                {
                    "Id": entry["Id"],
                    "SenderFault": fault.by_sender,
                    "Code": fault.code,
                    "Message": str(fault),
                }
            )
    return {"Successful": successful, "Failed": failed}


def _check_entries(entries: Sequence[Arguments]) -> None:
    if not entries:
        raise SqsError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > _MOST_ENTRIES:
        message = f"Maximum number of entries per request are {_MOST_ENTRIES}. You have sent {len(entries)}."
        raise SqsError("TooManyEntriesInBatchRequest", message)
    seen: set[str] = set()
    for identity in (entry["Id"] for entry in entries):
        if not _ENTRY_ID.fullmatch(identity):
            message = f"A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long: {identity!r}"
            raise SqsError("InvalidBatchEntryId", message)
        if identity in seen:
            raise SqsError("BatchEntryIdsNotDistinct", f"Id {identity} repeated.")
        seen.add(identity)


def _check_known(names: Sequence[str], known: Mapping[str, object] | frozenset[str]) -> None:
    for name in names:
        if name not in known:
            raise SqsError("InvalidAttributeName", f"Unknown Attribute {name}.{did_you_mean(name, known)}")


def _without_nothing(members: Arguments) -> Arguments:
    return {name: value for name, value in members.items() if value}


Operation: TypeAlias = Callable[[Call], Coroutine[Any, Any, Arguments]]

OPERATIONS: Final[Mapping[str, Operation]] = {
    "ChangeMessageVisibility": change_message_visibility,
    "ChangeMessageVisibilityBatch": change_message_visibility_batch,
    "CreateQueue": create_queue,
    "DeleteMessage": delete_message,
    "DeleteMessageBatch": delete_message_batch,
    "DeleteQueue": delete_queue,
    "GetQueueAttributes": get_queue_attributes,
    "GetQueueUrl": get_queue_url,
    "ListDeadLetterSourceQueues": list_dead_letter_source_queues,
    "ListQueueTags": list_queue_tags,
    "ListQueues": list_queues,
    "PurgeQueue": purge_queue,
    "ReceiveMessage": receive_message,
    "SendMessage": send_message,
    "SendMessageBatch": send_message_batch,
    "SetQueueAttributes": set_queue_attributes,
    "TagQueue": tag_queue,
    "UntagQueue": untag_queue,
}
