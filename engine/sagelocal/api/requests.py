"""A request's body, held against the shape of its operation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sagelocal.api.faults import ApiError, invalid
from sagelocal.shapes import Fault, faults, request_shape

Request = dict[str, Any]
"""The members of a request; of the types that the model names, as `read` has checked them."""

_CONSTRAINT = re.compile(r".* failed to satisfy (.*)", re.DOTALL)
_LONGEST = 200  # characters of a value that are told
_UNKNOWN = "Unknown Argument member"
_MISSING = " is required."


def read(operation: str, body: bytes) -> Request:
    """The members of a request that is in order; those that the operation does not know are dropped, as AWS does.

    Raises:
        ApiError: SerializationException when it is no JSON object or a member is of a wrong type, ValidationException
            with all that breaks a constraint.
    """
    shape = request_shape(operation)
    given = _parsed(body)
    found = [fault for fault in faults(shape, given) if not fault.message.startswith(_UNKNOWN)]
    for fault in found:
        if _kind(fault) == "type":
            message = f"{'.'.join(map(str, fault.path))}: {fault.message} {fault.hint}".strip()
            raise ApiError("SerializationException", message)
    if found:
        raise invalid(_text(fault, given) for fault in found)
    return {name: value for name, value in given.items() if name in shape.members and value is not None}


def _parsed(body: bytes) -> Request:
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        message = f"The request is no JSON: {error}"
        raise ApiError("SerializationException", message) from None
    if not isinstance(given, dict):
        raise ApiError("SerializationException", "The request must be a JSON object.")
    return given


def _kind(fault: Fault) -> str:
    if fault.message.endswith(_MISSING):
        return "missing"
    return "constraint" if _CONSTRAINT.fullmatch(fault.message) else "type"


def _text(fault: Fault, given: Request) -> str:
    place = ".".join(_members(fault.path))
    if _kind(fault) == "missing":
        return f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
    match = _CONSTRAINT.fullmatch(fault.message)
    assert match, "what is neither missing nor of a wrong type breaks a constraint"
    rule = match.group(1).replace("enum value set:", "constraint: Member must satisfy enum value set:")
    value: Any = given
    for part in fault.path:
        value = value[part]
    return f"Value '{str(value)[:_LONGEST]}' at '{place}' failed to satisfy {rule}"


def _members(path: tuple[str | int, ...]) -> Iterator[str]:
    """AWS counts the items of lists from 1 and writes members with a small letter: ``outputParameters.1.member.name``."""
    for part in path:
        yield f"{part + 1}.member" if isinstance(part, int) else part[:1].lower() + part[1:]
