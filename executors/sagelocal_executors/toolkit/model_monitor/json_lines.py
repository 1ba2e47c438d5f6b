"""JSON lines at the speed of a compiled parser, where lines are as alike as programs write them.

Most files have the same keys in the same order in all lines, and plain values. Such lines are recognized by one regular
expression, and parsed by polars; any other line goes through `json_files`, by itself. Both ways must give the same, so a number
whose text polars would change (1.0, 2.50, 1e-5, more digits than a float holds) makes its line another one.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from ml_contract import JobError

from model_monitor import json_files
from model_monitor.records import Batch, Dataset

_BATCH = 100_000
_NEVER = "\x01"  # a separator that JSON does not have: each line is one field
_LINE, _AT = "\x01line", "\x01at"
_SHAPES = 8
"""So many sets of keys are looked for; a writer that leaves out nulls makes several."""
_LOOKED_AT = 20
_STRING = r'"(?:[^"\\]|\\.)*"'
_NUMBER = r"-?(?:0|[1-9][0-9]{0,17}|(?:0|[1-9][0-9]{0,8})\.[0-9]{0,17}[1-9])"
_VALUE = rf"(?:{_STRING}|{_NUMBER}|true|false|null)"


@dataclass(frozen=True)
class _Shape:
    """Lines that have these keys in this order, with plain values."""

    keys: tuple[str, ...]
    pattern: str


def dataset(files: Sequence[Path]) -> Dataset:
    def read(wanted: Sequence[str] | None) -> Iterator[Batch]:
        for path in files:
            yield from _batches(path, wanted)

    return Dataset(None, read, repeatable=True)


def _batches(path: Path, wanted: Sequence[str] | None) -> Iterator[Batch]:
    lines = pl.scan_csv(
        path,
        has_header=False,
        separator=_NEVER,
        quote_char=None,
        schema={_LINE: pl.String},
        truncate_ragged_lines=True,
        glob=False,
    )
    shapes: list[_Shape] = []
    read, record = 0, 1
    try:
        for batch in lines.collect_batches(chunk_size=_BATCH):
            numbered = batch.with_columns(pl.int_range(read + 1, read + 1 + pl.len()).alias(_AT))
            written = numbered.filter(pl.col(_LINE).str.strip_chars() != "")
            read += batch.height
            if written.height:
                frame = _frame(path, written, shapes, wanted)
                yield Batch(frame, path, record)
                record += frame.height
    except (pl.exceptions.PolarsError, OSError) as error:
        for _ in json_files.lines(path, as_text=True):
            pass  # the patient reader says which line is wrong
        raise JobError(f"{path}: {str(error).splitlines()[0]}") from None


def _frame(
    path: Path, lines: pl.DataFrame, shapes: list[_Shape], wanted: Sequence[str] | None
) -> pl.DataFrame:
    """The records of numbered lines; in their order when only some columns are wanted, which costs more."""
    parts: list[pl.DataFrame] = []
    tried = 0
    while lines.height and (tried < len(shapes) or _learn(lines, shapes)):
        alike = lines[_LINE].str.contains(shapes[tried].pattern)
        if alike.any():
            parts.append(_parsed(lines.filter(alike), shapes[tried]))
            lines = lines.filter(~alike)
        tried += 1
    if lines.height:
        parts.append(_one_by_one(path, lines))
    if wanted is None:
        return _together([part.drop(_AT) for part in parts])
    return _together([_only(part, wanted) for part in parts]).sort(_AT, maintain_order=True).drop(_AT)


def _together(parts: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(parts, how="diagonal")
    return frame.select(sorted(frame.columns))


def _only(frame: pl.DataFrame, wanted: Sequence[str]) -> pl.DataFrame:
    lacking = [pl.lit(None, pl.String).alias(name) for name in wanted if name not in frame.columns]
    return frame.with_columns(lacking).select([*wanted, _AT])


def _learn(lines: pl.DataFrame, shapes: list[_Shape]) -> bool:
    """Add the shape of a line that has none of those known; False when there is nothing to learn, or enough was."""
    if len(shapes) == _SHAPES:
        return False
    for line in lines[_LINE].head(_LOOKED_AT):
        shape = _shape(line)
        if shape and re.search(shape.pattern, line):
            shapes.append(shape)
            return True
    return False


def _shape(line: str) -> _Shape | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not record or "\\" in line:
        return None
    members = " *, *".join(f'"{re.escape(key)}" *: *{_VALUE}' for key in record)
    return _Shape(tuple(record), rf"^ *\{{ *{members} *\}}[ \r]*$")


def _parsed(lines: pl.DataFrame, shape: _Shape) -> pl.DataFrame:
    text = io.BytesIO("\n".join(lines[_LINE].to_list()).encode())
    frame = pl.read_ndjson(text, schema=dict.fromkeys(shape.keys, pl.String))
    return frame.with_columns(lines[_AT])


def _one_by_one(path: Path, lines: pl.DataFrame) -> pl.DataFrame:
    rows: list[json_files.Row] = []
    places: list[int] = []
    for line, at in lines.rows():
        found = list(json_files.decoded_rows(line, f"{path}, line {at}"))
        rows += found
        places += [at] * len(found)
    frame = json_files.frame(rows)
    return frame.with_columns(pl.Series(_AT, places, pl.Int64))
