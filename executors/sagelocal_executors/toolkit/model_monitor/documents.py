"""The JSON documents that the image reads and writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite, isnan
from pathlib import Path
from typing import Any

from ml_contract import JobError

Document = dict[str, Any]


def read(path: Path, variable: str) -> Document:
    """Raises JobError: when the file that a variable names holds no JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"{variable}: {path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise JobError(f"{variable}: {path} holds no JSON object")
    return content


def features(content: Mapping[str, Any], variable: str) -> dict[str, Document]:
    """The features of a baseline's statistics or constraints, by name.

    Raises:
        JobError: when it has none, as that of another kind of check.
    """
    found = content.get("features")
    if not isinstance(found, list) or not all(isinstance(it, dict) and "name" in it for it in found):
        raise JobError(
            f"{variable}: has no features, but {', '.join(content) or 'nothing'}; is it the baseline of another kind of check?"
        )
    return {str(feature["name"]): feature for feature in found}


def write(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / name).write_text(f"{text}\n", encoding="utf-8")


def number(value: float) -> float | str:
    """JSON has neither NaN nor infinity; published files write NaN as a text, so both are texts here."""
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
