"""A service as a table of operations, whatever protocol its clients speak."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from sagelocal.cloud.protocols.violations import InvalidError, MalformedError, accepted
from sagelocal.errors import MachineError, UsageError
from sagelocal.nearest import did_you_mean, listed
from sagelocal.shapes import Shape, operation_traits, operations, shape
from sagelocal.values import JsonObject

NOT_SERVED = "NotImplemented"
"""The code under which we refuse what AWS has and we have not; no service of AWS uses it."""
NOT_SERVED_STATUS = 501
_FAILURE = "InternalFailure"


class RefusedError(Exception):
    """What a service says no with: its code, a text for a person, the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, held against the model of its operation.

    Attributes:
        arguments: the members that were given; moments are numbers or texts, as the protocol has them.
        access_key: the key id that the request was signed with; empty when it was not signed.
    """

    arguments: Mapping[str, Any]
    access_key: str = ""


Operation = Callable[[Call], JsonObject | Awaitable[JsonObject]]
"""Answers a call with the members of the operation's output; moments are seconds since the epoch."""


def input_shape(service: str, operation: str) -> Shape:
    """What an operation takes; an empty structure when that is nothing."""
    traits = operation_traits(operation, service)
    return shape(traits["input"]["shape"], service) if "input" in traits else _NOTHING


_NOTHING = Shape("Nothing", {"type": "structure", "members": {}}, {})


@dataclass(frozen=True, slots=True)
class Service:
    """One AWS service.

    Attributes:
        model: its folder in botocore's data, ``events`` say.
        table: its operations by name.
        invalid: the code under which it refuses a request that breaks its model.
        unknown: the code under which it refuses an operation that it does not have.
    """

    model: str
    table: Mapping[str, Operation]
    invalid: str = "ValidationException"
    unknown: str = "UnknownOperationException"

    async def answer(self, operation: str, given: Any, access_key: str = "") -> JsonObject:
        """Perform an operation.

        Raises:
            RefusedError: it is not ours, its arguments are wrong, or it says no.
        """
        perform = self._find(operation)
        try:
            found = perform(Call(accepted(input_shape(self.model, operation), given), access_key))
            return await found if isawaitable(found) else found
        except RefusedError:
            raise
        except MalformedError as error:
            raise RefusedError("SerializationException", str(error)) from None
        except (InvalidError, UsageError) as error:
            raise RefusedError(self.invalid, str(error)) from None
        except MachineError as error:
            raise RefusedError(_FAILURE, str(error), 500) from None
        except Exception as error:  # our bug: the client is told, the service goes on
            message = f"{type(error).__name__}: {error}"
            raise RefusedError(_FAILURE, message, 500) from error

    def _find(self, operation: str) -> Operation:
        if operation in self.table:
            return self.table[operation]
        known = operations(self.model)
        if operation not in known:
            hint = did_you_mean(operation, known)
            raise RefusedError(
                self.unknown, f"{self.model} has no operation {operation or 'without a name'}{hint}"
            )
        message = (
            f"{self.model}: {operation} is not served yet by sagelocal, which serves {listed(self.table)}. "
            "Name another endpoint for this service to the clients that need more (AWS_ENDPOINT_URL_<SERVICE>)"
        )
        raise RefusedError(NOT_SERVED, message, NOT_SERVED_STATUS)
