"""JSON as clients send it, whatever they send."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from sagelocal.cloud.protocols.service import RefusedError

_DEEPEST: Final = 100
"""Levels of nesting; the deepest request of the models has less than thirty."""


def parsed(body: bytes) -> Any:
    """The JSON of a body; an empty one is an empty object.

    Raises:
        RefusedError: SerializationException, it is no JSON, or none that could be kept.
    """
    try:
        given = json.loads(body or b"{}", parse_constant=_no_number)
        # Half of a surrogate pair is no text: nothing could write it to a file or a database.
        json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        _refuse(f"The request is no JSON: {error}")
    level: list[Any] = [given]
    for _ in range(_DEEPEST):
        level = [child for each in level if isinstance(each, dict | list) for child in _children(each)]
    if level:
        _refuse(f"The request is nested too deeply: at most {_DEEPEST} levels are allowed.")
    return given


def _children(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _no_number(text: str) -> NoReturn:
    message = f"{text} is no number"
    raise ValueError(message)


def _refuse(text: str) -> NoReturn:
    raise RefusedError("SerializationException", text)
