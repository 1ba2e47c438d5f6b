"""Tables in Parquet files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from ml_contract import JobError

from clarify.csv_tables import named, stacked
from clarify.wording import first_line


def read_parquet(files: list[Path], headers: tuple[str, ...]) -> pl.DataFrame:
    """All files, one below the other; `headers`, if there are any, rename the columns.

    Raises:
        JobError: a file is not Parquet.
    """
    return named(stacked([(path, _table(path)) for path in files]), headers)


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise JobError(f"{path.name} is not Parquet: {first_line(error)}") from None
