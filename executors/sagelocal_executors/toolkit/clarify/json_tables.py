"""Tables in JSON documents, whose columns are found by JMESPath."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from ml_contract import JobError

from clarify.config import Data
from clarify.paths import search
from clarify.wording import listed


def read_json_lines(files: list[Path], data: Data) -> tuple[pl.DataFrame, str | None, str | None]:
    """One record per line; the paths are those of a record.

    Returns:
        The table (features, then label and predicted label where configured), and the names of these two columns.

    Raises:
        JobError: a line is no JSON, or has not what the paths say.
    """
    records = [item for path in files for item in _lines(path)]
    rows = [_features(record, data, where) for where, record in records]
    label = _each(records, data.label, "label")
    predicted = _each(records, data.predicted, "predicted_label")
    return assembled(rows, label, predicted, data.headers)


def read_json(files: list[Path], data: Data) -> tuple[pl.DataFrame, str | None, str | None]:
    """Whole documents; the paths give a list with one item per record.

    Raises:
        JobError: a file is no JSON, or has not what the paths say.
    """
    documents = [(path.name, parsed(text_of(path), path.name)) for path in files]
    rows = [row for where, document in documents for row in matrix(document, data.features or "", where)]
    label = _all(documents, data.label, "label", len(rows))
    predicted = _all(documents, data.predicted, "predicted_label", len(rows))
    return assembled(rows, label, predicted, data.headers)


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if line.strip():
            yield f"{path.name}, line {number}", parsed(line, f"{path.name}, line {number}")


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise JobError(f"{path.name} is not UTF-8, as JSON must be: {error}") from None


def parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise JobError(f"{where}: this is no JSON: {error}") from None


def _features(record: Any, data: Data, where: str) -> list[Any]:
    return row_of(search(data.features or "", record, "features"), data.features or "", where)


def row_of(value: Any, path: str, where: str) -> list[Any]:
    if not isinstance(value, list) or not value or any(isinstance(item, (list, dict)) for item in value):
        raise JobError(f"{where}: features ({path!r}) must be a list of values, not {json.dumps(value)[:80]}")
    return value


def matrix(document: Any, path: str, where: str) -> list[list[Any]]:
    """The records of a document: what the path of the features finds must be a list of lists."""
    value = search(path, document, "features")
    if not isinstance(value, list) or not value:
        raise JobError(f"{where}: features ({path!r}) must be a list of lists, not {json.dumps(value)[:80]}")
    return [row_of(row, path, f"{where}, record {i}") for i, row in enumerate(value)]


def _each(records: list[tuple[str, Any]], path: Any, key: str) -> list[Any] | None:
    return (
        [_scalar(search(path, record, key), key, path, where) for where, record in records] if path else None
    )


def _all(documents: list[tuple[str, Any]], path: Any, key: str, rows: int) -> list[Any] | None:
    if not path:
        return None
    values: list[Any] = []
    for where, document in documents:
        found = search(path, document, key)
        if not isinstance(found, list):
            raise JobError(f"{where}: {key} ({path!r}) must be a list with one item per record")
        values += [_scalar(item, key, path, where) for item in found]
    if len(values) != rows:
        raise JobError(f"{key} ({path!r}) finds {len(values)} items, features finds {rows} records")
    return values


def _scalar(value: Any, key: str, path: str, where: str) -> Any:
    if isinstance(value, (list, dict)):
        raise JobError(f"{where}: {key} ({path!r}) must be one value, not {json.dumps(value)[:80]}")
    return value


def assembled(
    rows: list[list[Any]], label: list[Any] | None, predicted: list[Any] | None, headers: tuple[str, ...]
) -> tuple[pl.DataFrame, str | None, str | None]:
    width = len(rows[0]) if rows else 0
    for i, row in enumerate(rows):
        if len(row) != width:
            raise JobError(f"features: record {i} has {len(row)} values, the first has {width}")
    columns = [[row[j] for row in rows] for j in range(width)]
    own = [
        (name, values)
        for name, values in (("label0", label), ("predicted_label", predicted))
        if values is not None
    ]
    names = _names(width, [name for name, _ in own], headers)
    columns += [values for _, values in own]
    frame = pl.DataFrame([series(names[i], values) for i, values in enumerate(columns)])
    return (
        frame,
        names[width] if label is not None else None,
        names[-1] if predicted is not None else None,
    )


def _names(features: int, own: list[str], headers: tuple[str, ...]) -> list[str]:
    """By convention the headers name the features, then the label, then the predicted label."""
    if not headers:
        return [*(f"column_{i}" for i in range(features)), *own]
    if len(headers) == features:
        return [*headers, *own]
    if len(headers) != features + len(own):
        raise JobError(
            f"headers has {len(headers)} names ({listed(headers)}) for {features} features"
            + (f" and {listed(own)}" if own else "")
        )
    return list(headers)


def series(name: str, values: list[Any]) -> pl.Series:
    """Whole numbers, else numbers, else text; truth values are text as JSON writes them."""
    present = [value for value in values if value is not None]
    if all(isinstance(value, int) and not isinstance(value, bool) for value in present):
        return pl.Series(name, values, dtype=pl.Int64)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
        return pl.Series(
            name, [None if value is None else float(value) for value in values], dtype=pl.Float64
        )
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)
