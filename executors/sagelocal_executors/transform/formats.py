"""Records that can be filtered, and joined with their predictions: CSV rows and JSON."""

from __future__ import annotations

import json
import re
from enum import StrEnum

from sagelocal.values import Json
from sagelocal_executors.transform.faults import RecordError


class Format(StrEnum):
    """The MIME types that DataProcessing works with."""

    CSV = "text/csv"
    JSON = "application/json"
    JSON_LINES = "application/jsonlines"


def format_of(mime: str | None) -> Format | None:
    """The format of a MIME type, whatever its parameters; None when DataProcessing does not know it."""
    name = (mime or "").partition(";")[0].strip().lower()
    return Format(name) if name in set(Format) else None


_FIELD = re.compile(rb'("[^"]*(?:""[^"]*)*"[^,]*|(?!")[^,]*)(,|$)')


def fields(row: bytes) -> list[bytes]:
    """The fields of a CSV row as they are written, with their quotes (RFC 4180).

    Raises:
        RecordError: a quote is not closed, as where a field has a line end, which batch transform does not allow.
    """
    if b'"' not in row:
        return row.split(b",")
    found, at = [], 0
    while match := _FIELD.match(row, at):
        found.append(match[1])
        if not match[2]:
            return found
        at = match.end()
    raise RecordError(f"it is no CSV row: the quote of field {len(found) + 1} is not closed on the same line")


def load(text: bytes, what: str = "it") -> Json:
    """A JSON document; `what` names it in texts.

    Raises:
        RecordError: it is none.
    """
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{what} is no JSON: {error}") from None
    except RecursionError:
        raise RecordError(f"{what} is nested too deeply") from None
    return value


def dump(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
