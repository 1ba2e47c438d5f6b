"""The text of a definition: JSON, or a sentence that says why it is none."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from sagelocal.errors import DefinitionError, Problem
from sagelocal.values import Json

MAX_DEPTH: Final = 400
"""Levels of nesting. 250 nested Not conditions need 260; whoever walks a definition by recursion can rely on it."""


def read_json(text: str | bytes) -> Json:
    """Read one JSON value; a byte order mark before it is skipped.

    Raises:
        DefinitionError: it is too deep, or no JSON; says at which line, column and character.
    """
    characters = _decoded(text).removeprefix("\ufeff")
    if not characters.strip():
        raise _fault("The definition is empty.", "expecting start of Json Object: {")
    try:
        value: Json = json.loads(characters, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise _malformed(error) from None
    except RecursionError:
        raise too_deep() from None
    except ValueError as error:
        raise _fault(f"Malformed JSON: {error}.") from None
    _refuse_lone_surrogates(value, characters)
    if _deeper_than(value, MAX_DEPTH):
        raise too_deep()
    return value


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        message = f"The definition is not UTF-8 text: byte {error.start} is 0x{text[error.start]:02x}."
        raise _fault(message, "save the file as UTF-8") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return number


def _refuse_lone_surrogates(value: Json, characters: str) -> None:
    # Such a string is no Unicode text: nothing that writes it to a file, a database or a socket could encode it.
    suspect = json.dumps(value, ensure_ascii=False) if "\\ud" in characters.lower() else characters
    try:
        suspect.encode()
    except UnicodeEncodeError:
        raise _fault("Malformed JSON: a string contains half of a surrogate pair.") from None


def _deeper_than(value: Json, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: dict[str, Json] | list[Json]) -> Iterable[Json]:
    return value.values() if isinstance(value, dict) else value


def _malformed(error: json.JSONDecodeError) -> DefinitionError:
    message = (
        f"Malformed JSON at line {error.lineno}, column {error.colno} (character {error.pos}): {error.msg}."
    )
    return _fault(message, _usual_cause(error.doc, error.pos))


def _usual_cause(text: str, position: int) -> str:
    before, after = text[:position].rstrip(), text[position:].lstrip()
    if after.startswith(("}", "]")) and before.endswith(","):
        return "a comma before the closing bracket"
    return next((cause for start, cause in _CAUSES if after.startswith(start)), "")


_PYTHON = "this is Python, not JSON: write it with json.dumps, which uses double quotes, true, false and null"
_CAUSES = (
    (("'", "True", "False", "None"), _PYTHON),
    (("//", "/*", "#"), "JSON has no comments"),
    (("${", "{{", "<%"), "a template that was not filled in"),
    (("<",), "this looks like HTML or XML"),
)


def too_deep() -> DefinitionError:
    """Say that the definition is nested too deeply."""
    return _fault(
        f"The definition is nested too deeply: at most {MAX_DEPTH} levels of objects and arrays are allowed."
    )


def _fault(message: str, hint: str = "") -> DefinitionError:
    return DefinitionError([Problem("", message, hint=hint)])
