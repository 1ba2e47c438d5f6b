"""A data set: its files, and their records in batches of text columns, whatever the files' format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from ml_contract import JobError

BATCH = 200_000
"""Records at once: enough that a batch costs more than its handling, few enough that several fit in a cache's neighbourhood."""


@dataclass(frozen=True)
class Batch:
    """Some records that follow one another in a file.

    Attributes:
        frame: a text column per feature; null and the empty text are missing. A feature may be absent, which means missing, too.
        first: the number of the first record in its file, from 1.
    """

    frame: pl.DataFrame
    path: Path
    first: int


@dataclass
class Dataset:
    """All files of a data set.

    Attributes:
        columns: the features in order; None when only the records tell.
        read: passes all records, or only some columns of them, which is cheaper for some formats.
        repeatable: reading twice gives the same records, at a price worth paying.
        blank: after reading: records of the batches that were blank lines, which are none.
    """

    columns: list[str] | None
    read: Callable[[Sequence[str] | None], Iterator[Batch]]
    repeatable: bool
    blank: int = 0


def files(source: Path) -> list[Path]:
    """The data files at or below a path, at any depth, in order; a name that begins with a dot or underscore marks other things.

    Raises:
        JobError: when there are none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise JobError(f"dataset_source: there is no {source} in the container; is it a ProcessingInput?")
    found = sorted(path for path in source.rglob("*") if path.is_file() and path.name[0] not in "._")
    if not found:
        raise JobError(
            f"dataset_source: no data: there is no file below {source}; look at the ProcessingInput's S3Uri"
        )
    return found
