"""What a JSON path finds in the text of an object (semantics 03 §3.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sagelocal.errors import ExpressionError
from sagelocal.properties import absent
from sagelocal.references import parse_path, spell
from sagelocal.values import Json, ObjectText

# A path of members, quoted keys and indexes names one value. Everything else (wildcards, filters, slices, unions,
# negative indexes, ``..``) is left to jsonpath-ng.
_PLAIN: Final = re.compile(
    r"""\$? (?: (?:\A|\.) [^.\[\]'"*()$\s]+ | \[[0-9]{1,9}\] | \['[^']*'\] | \["[^"]*"\] )*""",
    re.VERBOSE,
)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_SEVERAL: Final = re.compile(r"\.\.|\*|\[[^\]]*[?,:]")
"""What makes a path mean any number of values, when it stands outside quotes."""


def look_up(document: ObjectText, path: str) -> Json:
    """Read the object's text as JSON and find the path in it.

    A path of members and indexes gives the value itself. One with ``*``, ``..``, a filter, a slice or a union gives the
    list of what it finds, empty or not, as the Jayway dialect does that SageMaker's documentation names.

    Raises:
        ExpressionError: the object could not be read or is not JSON; the path is malformed, finds nothing, or null.
    """
    content = _content(document)
    if not path:
        raise ExpressionError(
            f"Std:JsonGet on {document.uri}: the Path is empty; write $ for the whole document"
        )
    if _PLAIN.fullmatch(path):
        value = _single(content, _segments(path), f"Invalid json path '{path}' in {document.uri}")
    elif _SEVERAL.search(_QUOTED.sub("", path)):
        return _found(content, path)
    else:
        value = _only(_found(content, path), f"Invalid json path '{path}' in {document.uri}")
    if value is None:
        raise ExpressionError(f"Std:JsonGet: the value at '{path}' in {document.uri} is null")
    return value


def _content(document: ObjectText) -> Json:
    if document.text is None:
        fault = document.fault or "it could not be read"
        raise ExpressionError(f"Received an error while reading file {document.uri} from S3: {fault}")
    try:
        return _parsed(document.text)
    except RecursionError:
        raise ExpressionError(f"Contents of file {document.uri} are nested too deeply to be read.") from None
    except ValueError as error:
        message = f"Contents of file {document.uri} are not in valid JSON format: {error}"
        raise ExpressionError(message) from None


# The conditions of one step tend to read one report.
@lru_cache(maxsize=16)
def _parsed(text: str) -> Json:
    value: Json = json.loads(text)
    return value


@lru_cache(maxsize=4096)
def _segments(path: str) -> tuple[str | int, ...]:
    below = path.removeprefix("$")
    return parse_path(below if below.startswith(("[", ".")) or not below else f".{below}")


def _single(content: Json, path: tuple[str | int, ...], blame: str) -> Json:
    value = content
    for depth, segment in enumerate(path):
        match value:
            case Mapping() if segment in value:
                value = value[str(segment)]
            case list() if isinstance(segment, int) and segment < len(value):
                value = value[segment]
            case _:
                raise ExpressionError(
                    f"{blame}: {spell(path[:depth]) or 'the document'} {absent(value, segment)}"
                )
    return value


def _only(values: list[Json], blame: str) -> Json:
    if not values:
        raise ExpressionError(f"{blame}: it finds nothing")
    return values[0]


def _found(content: Json, path: str) -> list[Json]:
    try:
        return [match.value for match in _compiled(path).find(content)]
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # jsonpath-ng lets whatever a filter stumbles over through.
        raise ExpressionError(f"Invalid json path '{path}': it does not fit the document: {error}") from None


@lru_cache(maxsize=1024)
def _compiled(path: str) -> Any:  # jsonpath-ng has no types
    # Imported late: it takes some 40 ms, more than the rest of the core together, and hardly any pipeline needs it.
    from jsonpath_ng.exceptions import JSONPathError  # noqa: PLC0415  # see above
    from jsonpath_ng.ext.parser import parse  # noqa: PLC0415  # see above

    rooted = path if path.startswith("$") else f"${path}" if path.startswith(("[", ".")) else f"$.{path}"
    try:
        return parse(rooted)
    except JSONPathError as error:
        raise ExpressionError(f"Invalid json path '{path}': {error}") from None
