"""Tables in CSV files, whose first row may be a header."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from ml_contract import JobError

from clarify.wording import first_line, listed


def read_csv(
    files: list[Path], headers: tuple[str, ...], names: frozenset[str] = frozenset()
) -> pl.DataFrame:
    """All files, one below the other.

    The columns are called as `headers` say, else as the first row does, else column_0, column_1 …; `names` are those
    that the configuration calls by name.

    Raises:
        JobError: a file is no table, or the tables do not fit one another or the headers.
    """
    return named(stacked([(path, _table(path, headers, names)) for path in files]), headers)


def _table(path: Path, headers: tuple[str, ...], names: frozenset[str]) -> pl.DataFrame:
    top = _parsed(path, n_rows=2, infer_schema_length=0)
    has_header = not top.is_empty() and is_header(top.rows(), headers, names)
    frame = _parsed(path, skip_rows=1 if has_header else 0, infer_schema_length=None)
    if has_header:
        return _renamed(path, frame, [str(cell or "").strip() for cell in top.row(0)])
    return frame.rename({name: f"column_{i}" for i, name in enumerate(frame.columns)})


def _renamed(path: Path, frame: pl.DataFrame, header: list[str]) -> pl.DataFrame:
    if len(set(header)) < len(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        raise JobError(f"{path.name} has several columns called {listed(twice)}")
    if frame.is_empty():
        return pl.DataFrame({name: pl.Series(name, [], dtype=pl.String) for name in header})
    return frame.rename({name: header[i] for i, name in enumerate(frame.columns)})


def is_header(rows: list[tuple[str | None, ...]], headers: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether the first row names the columns rather than being data.

    It does when it is the headers that are configured, or has a column that the configuration calls by name; without
    configured headers also when it has distinct names, none of them a number, above at least one number.
    """
    first = [(cell or "").strip() for cell in rows[0]]
    if headers:
        return first == [name.strip() for name in headers]
    if names & set(first):
        return True
    if any(not cell or _is_number(cell) for cell in first) or len(set(first)) < len(first):
        return False
    return len(rows) > 1 and any(_is_number(cell or "") for cell in rows[1])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parsed(path: Path, **options: object) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path, has_header=False, **options)  # type: ignore[arg-type]  # options of different types
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise JobError(f"{path.name} is no CSV table: {first_line(error)}") from None
    # As text, a truth value goes to the model as it came.
    flags = [name for name, kind in frame.schema.items() if kind == pl.Boolean]
    return frame.with_columns(pl.col(flags).cast(pl.String)) if flags else frame


def stacked(tables: list[tuple[Path, pl.DataFrame]]) -> pl.DataFrame:
    """One below the other; an empty file counts for nothing.

    Raises:
        JobError: they have different columns.
    """
    full = [(path, frame) for path, frame in tables if frame.width] or tables[:1]
    first = full[0][1]
    for path, frame in full:
        if frame.columns != first.columns:
            raise JobError(
                f"The files of the dataset have different columns: {full[0][0].name} has {listed(first.columns)},"
                f" {path.name} has {listed(frame.columns)}"
            )
    return pl.concat([frame for _, frame in full], how="vertical_relaxed")


def named(frame: pl.DataFrame, headers: tuple[str, ...]) -> pl.DataFrame:
    """The table with the configured names of columns, if there are any.

    Raises:
        JobError: they are not as many as the columns, or not distinct.
    """
    if not headers or frame.is_empty():
        return (
            frame.rename(dict(enumerate_names(frame, headers)))
            if headers and frame.width == len(headers)
            else frame
        )
    if len(headers) != frame.width:
        raise JobError(
            f"headers has {len(headers)} names ({listed(headers)}), but the data has {frame.width} columns"
        )
    if len(set(headers)) < len(headers):
        raise JobError(f"headers must be distinct: {listed(headers)}")
    return frame.rename(dict(enumerate_names(frame, headers)))


def enumerate_names(frame: pl.DataFrame, headers: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, headers[i]) for i, name in enumerate(frame.columns)]
