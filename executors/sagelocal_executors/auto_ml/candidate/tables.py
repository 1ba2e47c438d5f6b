"""Channels with CSV or Parquet files, as tables of texts."""

from __future__ import annotations

import difflib
import io
from pathlib import Path

import pandas as pd

from .question import DataError

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"


def read_channel(folder: Path) -> pd.DataFrame:
    """All files of a channel below one another, in the order of their names; missing values are NaN.

    Everything is text, so that a number in one file and a word in the next do not change what a column is, and so that
    a model reads its requests as it read its data.

    Raises:
        DataError: there is no row, a file cannot be read, or the files have different columns.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and _counts(path)]
    frames = [frame for frame in (_read(path) for path in files) if len(frame.columns)]
    if not frames or not sum(map(len, frames)):
        raise DataError(f"channel {folder.name!r}: there is no row of data in {len(files)} files")
    columns = list(frames[0].columns)
    for path, frame in zip(files, frames):  # noqa: B905 - Python 3.8 has no strict
        if sorted(frame.columns) != sorted(columns):
            raise DataError(
                f"channel {folder.name!r}: {path.name} has the columns {_listed(frame.columns)}; the files before have"
                f" {_listed(columns)}. Each file needs the same header"
            )
    return pd.concat([frame[columns] for frame in frames], ignore_index=True)


def rows_of(text: str) -> pd.DataFrame:
    """The records of a request, which has no header, under the numbers of their columns."""
    if not text.strip():
        return pd.DataFrame()
    try:
        return _as_objects(pd.read_csv(io.StringIO(text), header=None, dtype=str))
    except (pd.errors.ParserError, ValueError) as error:
        raise DataError(f"the request is no CSV: {error}") from None


def no_column(name: str, columns: list[str], what: str) -> DataError:
    """What to say when the data has no such column."""
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return DataError(f"{what}: the data has no column {name!r}; it has {_listed(columns)}{hint}")


def _counts(path: Path) -> bool:
    """Whether it holds data: not what Spark and people leave beside it (``_SUCCESS``, ``.crc``), and not empty."""
    return not path.name.startswith((".", "_")) and path.stat().st_size > 0


def _read(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        start = file.read(4)
    try:
        if start == _PARQUET:
            return _texts(pd.read_parquet(path))
        compression = "gzip" if start.startswith(_GZIP) else None
        return _as_objects(pd.read_csv(path, dtype=str, compression=compression))
    except ImportError as error:
        raise DataError(f"{path.name} is Parquet, which this image's pandas cannot read: {error}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from None


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    present = frame.notna()
    return _as_objects(frame.astype(str).where(present))


def _as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Python's strings: newer pandas have a type of their own for text, which older scikit-learns do not know."""
    frame.columns = [str(name) for name in frame.columns]
    return frame.astype(object)


def _listed(columns: object) -> str:
    names = [str(name) for name in columns]  # type: ignore[attr-defined]  # an Index of pandas, or a list
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
