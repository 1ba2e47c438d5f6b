"""CSV files, with or without a header, read in batches."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from ml_contract import JobError

from model_monitor import ragged
from model_monitor.records import BATCH, Batch, Dataset
from model_monitor.text_files import opened


def dataset(files: Sequence[Path], *, header: bool) -> Dataset:
    """Raises JobError: when headers differ, or no file has any record."""
    heads = {path: head for path in files if (head := _head(path))}
    if not heads:
        raise JobError(f"dataset_source: no data: all {len(files)} file(s) are empty, such as {files[0]}")
    first, head = next(iter(heads.items()))
    columns = names(head) if header else [f"_c{index}" for index in range(len(head))]
    if header:
        _check_headers(heads, first)

    checked: set[Path] = set()

    def read(wanted: Sequence[str] | None) -> Iterator[Batch]:
        for path in heads:
            yield from _File(path, columns, header, found).batches(wanted, check=path not in checked)
            checked.add(path)

    found = Dataset(columns, read, repeatable=True)
    return found


def _head(path: Path) -> list[str] | None:
    """The first record; None when the file is empty."""
    with opened(path) as file:
        try:
            record = next(csv.reader(file), None)
        except csv.Error as error:
            raise JobError(f"{path}, line 1: not CSV: {error}") from None
    if record == []:
        # The fast reader's versions do not agree about what it would then skip.
        raise JobError(f"{path}: begins with a blank line; remove it")
    return record


def names(header: Sequence[str]) -> list[str]:
    """As Spark names columns: an empty name becomes ``_c<index>``, and one that occurs again gets its index behind it.

    Raises:
        JobError: when two columns have the same name nevertheless.
    """
    often = Counter(name.lower() for name in header)
    found = [
        f"_c{index}" if not name else f"{name}{index}" if often[name.lower()] > 1 else name
        for index, name in enumerate(header)
    ]
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise JobError(f"dataset_source: more than one column of the header would be called {twice[0]!r}")
    return found


def _check_headers(heads: dict[Path, list[str]], first: Path) -> None:
    for path, head in heads.items():
        if head != heads[first]:
            raise JobError(
                f"{path}: its header {', '.join(head)!r} differs from that of {first},"
                f" {', '.join(heads[first])!r}; all files of a data set need the same columns in the same order"
            )


@dataclass
class _File:
    path: Path
    columns: list[str]
    header: bool
    dataset: Dataset

    def batches(self, wanted: Sequence[str] | None, *, check: bool) -> Iterator[Batch]:
        last = self.columns[-1]
        chosen = list(dict.fromkeys([*wanted, last])) if wanted is not None else self.columns
        first, endless = 1, 0
        try:
            for frame in self._scan().select(chosen).collect_batches(chunk_size=BATCH):
                yield Batch(frame, self.path, first)
                first += frame.height
                endless += frame[last].null_count()
        except pl.exceptions.NoDataError:
            return  # a header, and nothing below
        except (pl.exceptions.PolarsError, OSError) as error:
            ragged.explain(self.path, len(self.columns), header=self.header, otherwise=_first_line(error))
        if endless and check:
            blank = ragged.check(self.path, len(self.columns), header=self.header)
            self.dataset.blank += min(blank, endless)

    def _scan(self) -> pl.LazyFrame:
        """Names by position, since a header may have the same name twice."""
        return pl.scan_csv(
            self.path,
            has_header=False,
            skip_rows=int(self.header),
            schema=dict.fromkeys(self.columns, pl.String),
            truncate_ragged_lines=False,
            glob=False,
        )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]
