"""Requests held against the model of their operation, with what is wrong told in AWS's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sagelocal.shapes import Fault, Shape, faults

_CONSTRAINT = re.compile(r".* failed to satisfy (.*)", re.DOTALL)
_LONGEST = 200  # characters of a value that are told
_INTEGERS: Final = {"integer": 1 << 31, "long": 1 << 63}
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""Clients could not read later moments, wherever they are."""
_UNKNOWN = "Unknown Argument member"
_MISSING = " is required."


class MalformedError(Exception):
    """A member is of another type than the model says."""


class InvalidError(Exception):
    """Members are missing or break constraints; all of them in one text (semantics 09 §9.1)."""


def accepted(shape: Shape, given: Any) -> dict[str, Any]:
    """The members of a request that is in order, its moments as seconds since the epoch.

    Those that the operation does not know are dropped, as AWS does.

    Raises:
        MalformedError: it is no object, or a member is of a wrong type.
        InvalidError: something is missing or breaks a constraint.
    """
    if not isinstance(given, dict):
        message = "The request must be a JSON object."
        raise MalformedError(message)
    found = [fault for fault in faults(shape, given) if not fault.message.startswith(_UNKNOWN)]
    for fault in found:
        if not _breaks_constraint(fault):
            message = f"{'.'.join(map(str, fault.path))}: {fault.message} {fault.hint}".strip()
            raise MalformedError(message)
    if found:
        count = f"{len(found)} validation error{'s' * (len(found) != 1)} detected"
        message = f"{count}: {'; '.join(_text(fault, given) for fault in found)}"
        raise InvalidError(message)
    known = {name: value for name, value in given.items() if name in shape.members and value is not None}
    members: dict[str, Any] = _typed(shape, known, "")
    return members


def _typed(shape: Shape, value: Any, place: str) -> Any:
    """The value with its moments as numbers, whatever way they were written, and nothing that its type cannot hold."""
    if value is None:
        return None
    match shape.type:
        case "structure":
            members = {name: each for name, each in value.items() if name in shape.members}
            return {name: _typed(shape.member(name), each, name) for name, each in members.items()}
        case "list":
            return [_typed(shape.element, each, place) for each in value]
        case "map":
            return {name: _typed(shape.element, each, name) for name, each in value.items()}
        case "timestamp":
            return _moment(value, place)
        case "integer" | "long" if not -_INTEGERS[shape.type] <= value < _INTEGERS[shape.type]:
            message = f"{place}: {str(value)[:_LONGEST]} is too large for an integer."
            raise MalformedError(message)
    return value


def _moment(value: str | float, place: str) -> float:
    try:
        moment = _written(value) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        message = f"{place}: {str(value)[:_LONGEST]} is no moment."
        raise MalformedError(message) from None
    if not _EARLIEST <= moment <= _LATEST:
        message = f"{place}: {str(value)[:_LONGEST]} is too far from now."
        raise MalformedError(message)
    return moment


def _written(moment: str) -> float:
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _breaks_constraint(fault: Fault) -> bool:
    return fault.message.endswith(_MISSING) or _CONSTRAINT.fullmatch(fault.message) is not None


def _text(fault: Fault, given: dict[str, Any]) -> str:
    place = ".".join(_members(fault.path))
    if fault.message.endswith(_MISSING):
        return f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
    match = _CONSTRAINT.fullmatch(fault.message)
    assert match, "what is neither missing nor of a wrong type breaks a constraint"
    rule = match.group(1).replace("enum value set:", "constraint: Member must satisfy enum value set:")
    value: Any = given
    for part in fault.path:
        value = value[part]
    return f"Value '{str(value)[:_LONGEST]}' at '{place}' failed to satisfy {rule}"


def _members(path: tuple[str | int, ...]) -> Iterator[str]:
    """AWS counts the items of lists from 1 and writes members with a small letter: ``targets.1.member.arn``."""
    for part in path:
        yield f"{part + 1}.member" if isinstance(part, int) else part[:1].lower() + part[1:]
