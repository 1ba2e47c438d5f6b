"""Parameter values from the command line and from files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from sagelocal.errors import UsageError
from sagelocal.source import code_frame
from sagelocal.values import Json, Scalar


def given(pairs: Iterable[str], file: Path | None) -> dict[str, Scalar]:
    """The values of ``Name=Value`` pairs, which win over those of the file.

    Raises:
        UsageError: a pair has no ``=`` or a name is given twice; the file is unreadable or of another shape.
    """
    values = _of_file(file) if file else {}
    return {**values, **_of_pairs(pairs)}


def _of_pairs(pairs: Iterable[str]) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            message = f"-p {pair}: write -p Name=Value"
            raise UsageError(message)
        if name in values:
            message = f"-p {pair}: parameter {name} is given twice"
            raise UsageError(message)
        values[name] = value
    return values


def _of_file(file: Path) -> dict[str, Scalar]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        content = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{file}: is not JSON: {error.msg}\n{code_frame(text, error.lineno, error.colno)}"
        raise UsageError(message) from None
    except UnicodeDecodeError as error:
        message = f"{file}: is not UTF-8 text (byte {error.start})"
        raise UsageError(message) from None
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise UsageError(message) from None
    pairs = list(content.items()) if isinstance(content, dict) else _named(content, file)
    return _distinct(pairs, file)


def _named(content: Json, file: Path) -> list[tuple[str, Json]]:
    """The pairs of a list as StartPipelineExecution takes it."""
    entries = content if isinstance(content, list) else [None]
    if not all(isinstance(entry, Mapping) and set(entry) == {"Name", "Value"} for entry in entries):
        message = f'{file}: write {{"Name": value, …}} or [{{"Name": …, "Value": …}}, …]'
        raise UsageError(message)
    return [(str(entry["Name"]), entry["Value"]) for entry in cast("list[Mapping[str, Json]]", entries)]


def _distinct(pairs: list[tuple[str, Json]], file: Path) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {}
    for name, value in pairs:
        if isinstance(value, list | dict) or value is None:
            message = f"{file}: parameter {name} must be a string, a number or a boolean"
            raise UsageError(message)
        if name in values:
            message = f"{file}: parameter {name} is given twice"
            raise UsageError(message)
        values[name] = cast("Scalar", value)
    return values
