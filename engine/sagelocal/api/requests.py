"""A request's body, held against the shape of its operation."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from sagelocal.api.faults import ApiError, invalid
from sagelocal.engine import Engine
from sagelocal.shapes import Fault, Shape, faults, request_shape
from sagelocal.values import JsonObject

Request = dict[str, Any]
"""The members of a request; of the types that the model names, as `read` has checked them; moments are numbers."""

Operation = Callable[[Engine, Request], JsonObject | Awaitable[JsonObject]]
"""Does what a request asks for; the answer has the operation's shape."""

_CONSTRAINT = re.compile(r".* failed to satisfy (.*)", re.DOTALL)
_LONGEST = 200  # characters of a value that are told
_UNKNOWN = "Unknown Argument member"
_MISSING = " is required."
_DEEPEST: Final = 100
"""Levels of nesting; the deepest request of the model has less than thirty."""
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""Clients could not read later moments, wherever they are."""
_INTEGERS: Final = {"integer": 1 << 31, "long": 1 << 63}


def read(operation: str, body: bytes) -> Request:
    """The members of a request that is in order; those that the operation does not know are dropped, as AWS does.

    Raises:
        ApiError: SerializationException when it is no JSON object or a member is of a wrong type, ValidationException
            with all that breaks a constraint.
    """
    shape = request_shape(operation)
    given = parsed(body)
    found = [fault for fault in faults(shape, given) if not fault.message.startswith(_UNKNOWN)]
    for fault in found:
        if _kind(fault) == "type":
            _refuse(f"{'.'.join(map(str, fault.path))}: {fault.message} {fault.hint}".strip())
    if found:
        raise invalid(_text(fault, given) for fault in found)
    known = {name: value for name, value in given.items() if name in shape.members and value is not None}
    request: Request = _typed(shape, known, "")
    return request


def parsed(body: bytes) -> Request:
    """A body as a JSON object, whatever it holds.

    Raises:
        ApiError: SerializationException, it is none.
    """
    try:
        given = json.loads(body or b"{}", parse_constant=_refuse)
        # Half of a surrogate pair is no text: nothing could write it to a file or a database.
        json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        _refuse(f"The request is no JSON: {error}")
    if not isinstance(given, dict):
        _refuse("The request must be a JSON object.")
    level: list[Any] = [given]
    for _ in range(_DEEPEST):
        level = [child for each in level if isinstance(each, dict | list) for child in _children(each)]
    if level:
        _refuse(f"The request is nested too deeply: at most {_DEEPEST} levels are allowed.")
    return given


def _children(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _refuse(text: str) -> NoReturn:
    raise ApiError("SerializationException", text)


def _typed(shape: Shape, value: Any, path: str) -> Any:
    """The value with its moments as seconds since the epoch, whatever way they were written."""
    if value is None:
        return None
    match shape.type:
        case "structure":
            members = {name: each for name, each in value.items() if name in shape.members}
            return {name: _typed(shape.member(name), each, name) for name, each in members.items()}
        case "list":
            return [_typed(shape.element, each, path) for each in value]
        case "map":
            return {name: _typed(shape.element, each, name) for name, each in value.items()}
        case "timestamp":
            return _moment(value, path)
        case "integer" | "long" if not -_INTEGERS[shape.type] <= value < _INTEGERS[shape.type]:
            _refuse(f"{path}: {str(value)[:_LONGEST]} is too large for an integer.")
    return value


def _moment(value: str | float, path: str) -> float:
    try:
        moment = _written(value) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        _refuse(f"{path}: {str(value)[:_LONGEST]} is no moment.")
    if not _EARLIEST <= moment <= _LATEST:
        _refuse(f"{path}: {str(value)[:_LONGEST]} is too far from now.")
    return moment


def _written(moment: str) -> float:
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _kind(fault: Fault) -> str:
    if fault.message.endswith(_MISSING):
        return "missing"
    return "constraint" if _CONSTRAINT.fullmatch(fault.message) else "type"


def _text(fault: Fault, given: Request) -> str:
    place = ".".join(_members(fault.path))
    if _kind(fault) == "missing":
        return missing(place)
    match = _CONSTRAINT.fullmatch(fault.message)
    assert match, "what is neither missing nor of a wrong type breaks a constraint"
    rule = match.group(1).replace("enum value set:", "constraint: Member must satisfy enum value set:")
    value: Any = given
    for part in fault.path:
        value = value[part]
    return f"Value '{str(value)[:_LONGEST]}' at '{place}' failed to satisfy {rule}"


def missing(place: str) -> str:
    """What AWS says of a member that should have been given, ``pipelineName`` say."""
    return f"Value null at '{place}' failed to satisfy constraint: Member must not be null"


def _members(path: tuple[str | int, ...]) -> Iterator[str]:
    """AWS counts the items of lists from 1 and writes members with a small letter: ``outputParameters.1.member.name``."""
    for part in path:
        yield f"{part + 1}.member" if isinstance(part, int) else part[:1].lower() + part[1:]
