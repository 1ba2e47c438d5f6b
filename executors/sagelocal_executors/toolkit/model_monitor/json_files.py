"""Files of JSON records, flattened into columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl
from ml_contract import JobError

from model_monitor.records import Batch, Dataset
from model_monitor.text_files import opened

Row = dict[str, "str | None"]
Record = tuple[str, Any]
"""Where a record begins ("<file>, line <n>"), and what it is."""
_BATCH = 50_000


_SCALARS = frozenset({str, int, float, bool, type(None)})


def dataset(
    files: Sequence[Path], records: Callable[[Path], Iterable[Record]], *, repeatable: bool = True
) -> Dataset:
    """Records of any source that gives them as Python values: objects, or lists of objects, or None for none."""

    def read(wanted: Sequence[str] | None) -> Iterator[Batch]:
        for path in files:
            yield from _batches(path, records(path), wanted)

    return Dataset(None, read, repeatable=repeatable)


def _batches(path: Path, records: Iterable[Record], wanted: Sequence[str] | None) -> Iterator[Batch]:
    first, rows = 1, list[Row]()
    for where, record in records:
        rows += _rows(where, record)
        if len(rows) >= _BATCH:
            yield Batch(frame(rows, wanted), path, first)
            first, rows = first + len(rows), []
    if rows:
        yield Batch(frame(rows, wanted), path, first)


def frame(rows: Sequence[Row], wanted: Sequence[str] | None = None) -> pl.DataFrame:
    """Columns in the order of their names, as Spark orders the keys of JSON."""
    names = sorted({name for row in rows for name in row}) if wanted is None else list(wanted)
    texts = {name: [row.get(name) for row in rows] for name in names}
    # A record without any key is a record nevertheless, which a frame of no columns would lose.
    return pl.DataFrame(texts or {"": [None] * len(rows)}, schema_overrides=dict.fromkeys(names, pl.String))


def _rows(where: str, record: object) -> Iterator[Row]:
    for item in record if isinstance(record, (list, tuple)) else [record]:
        if item is None:
            continue
        if not isinstance(item, Mapping):
            raise JobError(f"{where}: a record must be a JSON object, not {str(item)[:60]!r}")
        yield flat(item)


def flat(record: Mapping[Any, Any]) -> Row:
    """Keys and indexes on the way to a value, joined by underscores."""
    if _SCALARS.issuperset(map(type, record.values())):  # most records, and an order of magnitude quicker
        return {str(key): value if value.__class__ is str else text(value) for key, value in record.items()}
    row: Row = {}
    _flatten(record, "", row)
    return row


def _flatten(value: object, name: str, row: Row) -> None:
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        row[name] = text(value)
        return
    for key, item in items:
        _flatten(item, f"{name}_{key}" if name else str(key), row)


def text(value: object) -> str | None:
    """As CSV would have it; numbers in full, since only text counts by how it is written."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return plain(repr(value)) if isfinite(value) else None
    item = getattr(value, "item", None)  # a number of numpy's, from a script of the author's
    return text(item()) if callable(item) else str(value)


def plain(number: str) -> str:
    """A number without exponent, and never without a point when it had an exponent."""
    if "e" not in number.lower():
        return number
    written = format(Decimal(number), "f")
    return written if "." in written else f"{written}.0"


def decoded_rows(line: str, where: str) -> Iterator[Row]:
    """The records of one line of text."""
    return _rows(where, _decoded(_AS_TEXT, line, where))


def lines(path: Path, *, as_text: bool) -> Iterator[Record]:
    """The JSON value of each line; blank lines are none.

    Numbers stay as they are written when `as_text`, which is quicker, and loses no digit.
    """
    decode = _AS_TEXT if as_text else _AS_VALUES
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                where = f"{path}, line {number}"
                yield where, _decoded(decode, line, where)


def document(path: Path, *, as_text: bool) -> Iterator[Record]:
    """The one JSON value of a file."""
    with opened(path) as file:
        yield str(path), _decoded(_AS_TEXT if as_text else _AS_VALUES, file.read(), str(path))


_AS_VALUES = json.JSONDecoder().decode
# JSON has no NaN, but many write it; it is a missing value.
_AS_TEXT = json.JSONDecoder(parse_int=str, parse_float=plain, parse_constant=lambda _name: None).decode


def _decoded(decode: Callable[[str], Any], content: str, where: str) -> Any:
    try:
        return decode(content)
    except json.JSONDecodeError as error:
        raise JobError(
            f"{where}, column {error.colno}: not JSON: {error.msg}; dataset_format says JSON, one record a line"
            ' unless it is {"json": {"lines": false}}'
        ) from None
    except RecursionError:
        raise JobError(f"{where}: nested too deeply") from None


def parquet(path: Path) -> Iterator[Record]:
    """The rows of a Parquet file."""
    try:
        for part in pl.scan_parquet(path, glob=False).collect_batches(chunk_size=_BATCH):
            yield from ((str(path), row) for row in part.iter_rows(named=True))
    except pl.exceptions.PolarsError as error:
        raise JobError(f"{path}: not Parquet: {str(error).splitlines()[0]}") from None
