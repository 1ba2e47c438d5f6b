"""A message of a queue, held to SQS's limits."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sagelocal.cloud.sqs_faults import SqsError, invalid, missing

LARGEST = 1 << 20  # bytes of a message, and of all messages of one batch, with their attributes
_MOST_ATTRIBUTES = 10
_LONGEST_DELAY = 900  # seconds
_UNSAID = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot say
_ATTRIBUTE_NAME = re.compile(r"(?!\.)(?!(?i:aws\.|amazon\.))(?!.*\.\.)[A-Za-z0-9_.\-]{1,256}(?<!\.)")
_DATA_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_IDENTITY = re.compile(r"[\x21-\x7e]{1,128}")  # of groups and deduplications: printable ASCII without blanks


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """The value of a message attribute: ``String``, ``Number`` or ``Binary``, perhaps with a label (``String.uuid``)."""

    data_type: str
    value: str | bytes

    @property
    def raw(self) -> bytes:
        return self.value if isinstance(self.value, bytes) else self.value.encode()


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be sent.

    Attributes:
        body: its text.
        attributes: message attributes by name; a plain string is one of type String.
        delay: seconds until it can be received; None: as the queue says.
        group: its message group, in whose order a FIFO queue delivers.
        deduplication: what makes it the same as another one sent to a FIFO queue within five minutes.
        trace: the X-Ray trace header.
    """

    body: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    delay: int | None = None
    group: str | None = None
    deduplication: str | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender is told; `sequence` is of FIFO queues only."""

    id: str
    body_md5: str
    attributes_md5: str
    trace_md5: str
    sequence: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a receiver has it.

    Attributes:
        receipt: the handle of this one receipt: by it the message is deleted, or its visibility changed.
        sent: when, in seconds since the epoch.
        received: how often, this time included.
        first_received: when, in seconds since the epoch.
        sequence: its place in a FIFO queue.
        source: the ARN of the queue that gave it up to this dead-letter queue.
    """

    id: str
    body: str
    receipt: str
    attributes: Mapping[str, AttributeValue]
    sent: float
    received: int
    first_received: float
    group: str | None = None
    deduplication: str | None = None
    sequence: str | None = None
    trace: str | None = None
    source: str | None = None

    @property
    def body_md5(self) -> str:
        return md5(self.body.encode())


def _milliseconds(moment: float) -> str:
    return str(int(moment * 1000))


SYSTEM_ATTRIBUTES: Final[Mapping[str, Callable[[Message], str | None]]] = {
    "SenderId": lambda _: None,  # of the account, not of the message
    "SentTimestamp": lambda message: _milliseconds(message.sent),
    "ApproximateReceiveCount": lambda message: str(message.received),
    "ApproximateFirstReceiveTimestamp": lambda message: _milliseconds(message.first_received),
    "SequenceNumber": lambda message: message.sequence,
    "MessageDeduplicationId": lambda message: message.deduplication,
    "MessageGroupId": lambda message: message.group,
    "AWSTraceHeader": lambda message: message.trace,
    "DeadLetterQueueSourceArn": lambda message: message.source,
}
"""What SQS itself says about a message."""


def system_attributes(message: Message, sender: str) -> dict[str, str]:
    """Those of `SYSTEM_ATTRIBUTES` that the message has; `sender` is the account that sent it."""
    known = {name: text(message) for name, text in SYSTEM_ATTRIBUTES.items()} | {"SenderId": sender}
    return {name: text for name, text in known.items() if text}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def attributes_md5(attributes: Mapping[str, AttributeValue]) -> str:
    """The digest over attributes by which clients check them; empty when there are none.

    By name: the name, the data type, one byte (1 for text, 2 for bytes) and the value; each but the byte after its length
    in four bytes (SQS developer guide, "Calculating the MD5 message digest for message attributes").
    """
    if not attributes:
        return ""
    data = bytearray()
    for name, attribute in sorted(attributes.items()):
        data += _measured(name.encode()) + _measured(attribute.data_type.encode())
        data += b"\2" if attribute.data_type.startswith("Binary") else b"\1"
        data += _measured(attribute.raw)
    return md5(bytes(data))


def _measured(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def size(draft: Draft) -> int:
    """The bytes that count against the limits: body, names, types and values of attributes."""
    return len(draft.body.encode()) + sum(
        len(name.encode()) + len(each.data_type.encode()) + len(each.raw)
        for name, each in draft.attributes.items()
    )


def check(draft: Draft, *, largest: int, fifo: bool) -> None:
    """Hold a draft against SQS's limits.

    Raises:
        SqsError: it breaks one.
    """
    if not draft.body:
        raise missing("MessageBody")
    if odd := _UNSAID.search(draft.body):
        message = f"Invalid characters found in the message body: #x{ord(odd.group()):X} at index {odd.start()}; valid are #x9, #xA, #xD, and all from #x20 but surrogates, #xFFFE and #xFFFF."
        raise SqsError("InvalidMessageContents", message)
    if len(draft.attributes) > _MOST_ATTRIBUTES:
        raise invalid(
            "MessageAttributes", f"of {len(draft.attributes)}", f"The most is {_MOST_ATTRIBUTES} attributes."
        )
    for name, attribute in draft.attributes.items():
        _check_attribute(name, attribute)
    if size(draft) > largest:
        message = f"One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes."
        raise SqsError("InvalidParameterValueException", message)
    _check_delay(draft, fifo)
    _check_identities(draft, fifo)


def _check_attribute(name: str, attribute: AttributeValue) -> None:
    if not _ATTRIBUTE_NAME.fullmatch(name):
        message = f"The message attribute name {name!r} is invalid: 1 to 256 of A-Z a-z 0-9 _ - . without a period at an end or two together; not beginning with AWS. or Amazon."
        raise SqsError("InvalidParameterValueException", message)
    if not _DATA_TYPE.fullmatch(attribute.data_type):
        message = f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
        raise SqsError("InvalidParameterValueException", message)
    if isinstance(attribute.value, bytes) != attribute.data_type.startswith("Binary") or not attribute.value:
        message = f"The message attribute '{name}' must contain a non-empty value of its type {attribute.data_type!r}."
        raise SqsError("InvalidParameterValueException", message)
    if attribute.data_type.startswith("Number") and not _is_number(attribute.raw.decode()):
        message = f"Can't cast the value of message (user) attribute '{name}' to a number."
        raise SqsError("InvalidParameterValueException", message)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text.strip()))


def _check_delay(draft: Draft, fifo: bool) -> None:
    if draft.delay is None:
        return
    if fifo and draft.delay:
        reason = "The request include parameter that is not valid for this queue type."
        raise invalid("DelaySeconds", draft.delay, reason)
    if not 0 <= draft.delay <= _LONGEST_DELAY:
        reason = f"DelaySeconds must be >= 0 and <= {_LONGEST_DELAY}."
        raise invalid("DelaySeconds", draft.delay, reason)


def _check_identities(draft: Draft, fifo: bool) -> None:
    if fifo and not draft.group:
        raise missing("MessageGroupId")
    if draft.deduplication is not None and not fifo:
        reason = "The request include parameter that is not valid for this queue type."
        raise invalid("MessageDeduplicationId", draft.deduplication, reason)
    for name, value in (("MessageGroupId", draft.group), ("MessageDeduplicationId", draft.deduplication)):
        if value is not None and not _IDENTITY.fullmatch(value):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            raise invalid(name, value, reason)


def chosen(attributes: Mapping[str, AttributeValue], names: Iterable[str]) -> Mapping[str, AttributeValue]:
    """The attributes that a receiver asks for: by name, by ``prefix.*``, or ``All``."""
    asked = set(names)
    if asked & {"All", ".*"}:
        return attributes
    prefixes = tuple(name.removesuffix(".*") for name in asked if name.endswith(".*"))
    return {name: value for name, value in attributes.items() if name in asked or name.startswith(prefixes)}


def handle(queue: str, message: str, receipt: str) -> str:
    """The receipt handle that a receiver gets; opaque to it."""
    return base64.urlsafe_b64encode(f"{queue} {message} {receipt}".encode()).decode()


def opened(text: str) -> tuple[str, str, str] | None:
    """Queue, message id and receipt in a handle; None when it is none of ours."""
    try:
        parts = base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode().split(" ")
    except ValueError:
        return None
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
