"""What SQS says when it refuses."""

from __future__ import annotations

from typing import NamedTuple

from sagelocal.errors import UsageError


class _Code(NamedTuple):
    query: str
    status: int = 400
    namespace: str = "com.amazonaws.sqs"


_COMMON = "com.amazon.coral.service"  # where the JSON protocol puts errors that no operation lists

# The query names are what boto3 shows as the code in both protocols (header x-amzn-query-error; AWS documentation, "SQS
# query and JSON protocols"); botocore's model has only the names on the left.
_CODES = {
    "BatchEntryIdsNotDistinct": _Code("AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    "BatchRequestTooLong": _Code("AWS.SimpleQueueService.BatchRequestTooLong"),
    "EmptyBatchRequest": _Code("AWS.SimpleQueueService.EmptyBatchRequest"),
    "InternalFailure": _Code("InternalFailure", 500, _COMMON),
    "InvalidAddress": _Code("InvalidAddress"),
    "InvalidAttributeName": _Code("InvalidAttributeName"),
    "InvalidAttributeValue": _Code("InvalidAttributeValue"),
    "InvalidBatchEntryId": _Code("AWS.SimpleQueueService.InvalidBatchEntryId"),
    "InvalidMessageContents": _Code("InvalidMessageContents"),
    "InvalidParameterValueException": _Code("InvalidParameterValue", 400, _COMMON),
    "MessageNotInflight": _Code("AWS.SimpleQueueService.MessageNotInflight"),
    "MissingRequiredParameterException": _Code("MissingParameter", 400, _COMMON),
    "OverLimit": _Code("OverLimit", 403),
    "PurgeQueueInProgress": _Code("AWS.SimpleQueueService.PurgeQueueInProgress", 403),
    "QueueDoesNotExist": _Code("AWS.SimpleQueueService.NonExistentQueue"),
    "QueueNameExists": _Code("QueueAlreadyExists"),
    "ReceiptHandleIsInvalid": _Code("ReceiptHandleIsInvalid"),
    "SerializationException": _Code("MalformedInput", 400, _COMMON),
    "TooManyEntriesInBatchRequest": _Code("AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    "UnknownOperationException": _Code("InvalidAction", 400, _COMMON),
    "UnsupportedOperation": _Code("AWS.SimpleQueueService.UnsupportedOperation"),
}


class SqsError(UsageError):
    """A refusal, with the name that SQS has for it, as ``QueueDoesNotExist``, in `name`."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)

    @property
    def code(self) -> str:
        """What boto3 shows as the code, ``AWS.SimpleQueueService.NonExistentQueue`` say."""
        return _CODES[self.name].query

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _CODES[self.name].status

    @property
    def type(self) -> str:
        """The name with its namespace, as the JSON protocol has it."""
        return f"{_CODES[self.name].namespace}#{self.name}"

    @property
    def by_sender(self) -> bool:
        """Whether the sender could do better."""
        return self.status < 500


def invalid(parameter: str, value: object, reason: str) -> SqsError:
    message = f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    return SqsError("InvalidParameterValueException", message)


def missing(parameter: str) -> SqsError:
    return SqsError(
        "MissingRequiredParameterException", f"The request must contain the parameter {parameter}."
    )


def no_queue(name: str) -> SqsError:
    return SqsError("QueueDoesNotExist", f"The specified queue does not exist: {name}")


def not_receipt(handle: str) -> SqsError:
    return SqsError(
        "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
    )


def not_in_flight(handle: str) -> SqsError:
    reason = "Message does not exist or is not available for visibility timeout change."
    return SqsError("MessageNotInflight", f"Value {handle} for parameter ReceiptHandle is invalid. {reason}")
