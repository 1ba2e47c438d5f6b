"""Finds the record of a CSV file that has too many or too few fields, and the lines that are blank.

The fast reader tells neither: a short record looks to it like one whose last fields are empty. So whoever finds empty last fields
asks here; files without quotes are answered at the reader's speed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from ml_contract import JobError

from model_monitor.text_files import opened

_NEVER = "\x01"  # a separator that text does not have: each line is one field


@dataclass(frozen=True)
class _Lines:
    """What the lines of a file are like, quotes left aside."""

    blank: int
    short: int
    quoted: int


def check(path: Path, width: int, *, header: bool) -> int:
    """The number of blank lines, when all other records are complete.

    Raises:
        JobError: naming file and line, when one is not.
    """
    lines = _look(path, width)
    if lines.quoted or lines.short:
        return explain(path, width, header=header)
    return lines.blank


def _look(path: Path, width: int) -> _Lines:
    line = pl.col("line").str.strip_chars("\r")
    quoted = line.str.contains('"', literal=True)
    blank = line.is_null() | (line == "")
    short = ~blank & ~quoted & (line.str.count_matches(",", literal=True) < width - 1)
    counts = pl.scan_csv(
        path,
        has_header=False,
        separator=_NEVER,
        quote_char=None,
        schema={"line": pl.String},
        truncate_ragged_lines=True,
        glob=False,
    ).select(blank=blank.sum(), short=short.sum(), quoted=quoted.sum())
    return _Lines(**{name: int(count or 0) for name, count in counts.collect().row(0, named=True).items()})


def explain(path: Path, width: int, *, header: bool, otherwise: str = "") -> int:
    """The number of blank lines, when all records have `width` fields.

    Raises:
        JobError: naming file and line of the first record that has not, or that cannot be read; or for the file as a whole
            when a reason is given `otherwise`.
    """
    blank = 0
    csv.field_size_limit(2**31 - 1)
    with opened(path) as file:
        reader = csv.reader(file, strict=True)
        begin = 1
        try:
            for record in reader:
                if record and len(record) != width:
                    raise JobError(_sentence(path, begin, len(record), width, header=header))
                blank += not record
                begin = reader.line_num + 1
        except csv.Error as error:
            raise JobError(
                f"{path}, line {begin}: not CSV: {error}; a quote inside a quoted field is written twice"
            ) from None
    if otherwise:
        raise JobError(f"{path}: {otherwise}")
    return blank


def _sentence(path: Path, line: int, found: int, width: int, *, header: bool) -> str:
    whence = "the header has" if header else "the first record of the data set has"
    return f"{path}, line {line}: {found} field(s), but {whence} {width}; quote a field that contains a comma"
