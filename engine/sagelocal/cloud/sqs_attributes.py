"""The attributes of a queue: which there are, and what they may say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from sagelocal.cloud.sqs_faults import SqsError, invalid
from sagelocal.cloud.sqs_messages import LARGEST
from sagelocal.nearest import did_you_mean

FIFO: Final = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_\-]{1,80}")

COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
COMPUTED: Final = (*COUNTS, "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn")

DEFAULTS: Final[Mapping[str, str]] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": str(LARGEST),
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
}
FIFO_DEFAULTS: Final[Mapping[str, str]] = {
    **DEFAULTS,
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


class Redrive(NamedTuple):
    """Where messages go that were received `most` times without being deleted."""

    arn: str
    most: int

    @property
    def queue(self) -> str:
        return self.arn.rpartition(":")[2]


def redrive(attributes: Mapping[str, str]) -> Redrive | None:
    """The redrive policy of a queue, if it has one.

    Raises:
        SqsError: it cannot be read.
    """
    text = attributes.get("RedrivePolicy", "")
    if not text:
        return None
    try:
        policy = json.loads(text)
        found = Redrive(str(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        reason = "It must be JSON with deadLetterTargetArn and maxReceiveCount."
        raise invalid("RedrivePolicy", text, reason) from None
    if not 1 <= found.most <= 1000:
        raise invalid(
            "RedrivePolicy", text, "Invalid value for maxReceiveCount: it must be between 1 and 1000."
        )
    return found


def check_name(name: str) -> None:
    """Hold a queue's name against the service's rule.

    Raises:
        SqsError: it breaks it.
    """
    stem = name.removesuffix(FIFO)
    if not _NAME.fullmatch(stem) or len(name) > 80:
        message = f"Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length; a FIFO queue's ends with .fifo: {name!r}"
        raise SqsError("InvalidParameterValueException", message)


def check(name: str, attributes: Mapping[str, str]) -> None:
    """Hold attributes that somebody sets for this queue against what they may say.

    Raises:
        SqsError: one is unknown, or has a value that it may not have.
    """
    rules = {**_RULES, **_FIFO_RULES} if name.endswith(FIFO) else _RULES
    for key, value in attributes.items():
        rule = rules.get(key)
        if rule is None:
            raise SqsError("InvalidAttributeName", f"Unknown Attribute {key}.{did_you_mean(key, rules)}")
        # Nothing given means: back to the default.
        if value and not rule(value):
            message = f"Invalid value for the parameter {key}: {value!r}."
            raise SqsError("InvalidAttributeValue", message)
    redrive(attributes)


def given(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes without those that were given as nothing."""
    return {key: value for key, value in attributes.items() if value}


def _between(least: int, most: int) -> Callable[[str], bool]:
    return lambda text: bool(re.fullmatch(r"\d{1,9}", text)) and least <= int(text) <= most


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda text: text in values


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _anything(_text: str) -> bool:
    return True


# SQS API reference, SetQueueAttributes.
_RULES: Final[Mapping[str, Callable[[str], bool]]] = {
    "DelaySeconds": _between(0, 900),
    "MaximumMessageSize": _between(1024, LARGEST),
    "MessageRetentionPeriod": _between(60, 1_209_600),
    "Policy": _is_json,
    "ReceiveMessageWaitTimeSeconds": _between(0, 20),
    "VisibilityTimeout": _between(0, 43_200),
    "RedrivePolicy": _is_json,
    "RedriveAllowPolicy": _is_json,
    "KmsMasterKeyId": _anything,
    "KmsDataKeyReusePeriodSeconds": _between(60, 86_400),
    "SqsManagedSseEnabled": _one_of("true", "false"),
}
_FIFO_RULES: Final[Mapping[str, Callable[[str], bool]]] = {
    "FifoQueue": _one_of("true"),
    "ContentBasedDeduplication": _one_of("true", "false"),
    "DeduplicationScope": _one_of("messageGroup", "queue"),
    "FifoThroughputLimit": _one_of("perQueue", "perMessageGroupId"),
}
READABLE: Final = frozenset({*_RULES, *_FIFO_RULES, *COMPUTED, "All"})
"""What may be asked for."""
