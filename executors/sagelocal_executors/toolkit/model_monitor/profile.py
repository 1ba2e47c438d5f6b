"""What a whole data set looks like, column by column, in one pass where that is enough."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ml_contract import JobError

from model_monitor.column import Column, Expected
from model_monitor.records import Batch, Dataset


@dataclass(frozen=True)
class Profile:
    """All columns of a data set of so many records."""

    records: int
    columns: list[Column]

    def missing(self, column: Column) -> int:
        return self.records - column.present

    def completeness(self, column: Column) -> float:
        return column.present / self.records


def profile(dataset: Dataset, expected: Mapping[str, Expected]) -> Profile:
    """Look at every value of a data set.

    Args:
        dataset: read once; a second time, but only some columns of it, when a column turned out to be text after all.
        expected: what a baseline asks about columns, by name.

    Raises:
        JobError: when there are no records, or they cannot be read.
    """
    columns: dict[str, Column] = {}

    def column(name: str) -> Column:
        if name not in columns:
            columns[name] = Column(name, expected.get(name), keep_texts=not dataset.repeatable)
        return columns[name]

    for name in dataset.columns or ():
        column(name)
    records = 0
    with _side_by_side() as each:
        for batch in dataset.read(None):
            records += batch.frame.height
            each(batch, [column(name) for name in batch.frame.columns if name or dataset.columns], late=False)
        _fill_up(dataset, [it for it in columns.values() if it.late], each)
    if not records - dataset.blank:
        raise JobError("dataset_source: no data: there is not a single record in it")
    if dataset.columns is None:
        return Profile(records, sorted(columns.values(), key=lambda it: it.name))
    return Profile(records - dataset.blank, list(columns.values()))


def _fill_up(dataset: Dataset, late: list[Column], each: _Each) -> None:
    if not late:
        return
    for batch in dataset.read([column.name for column in late]):
        each(batch, late, late=True)


class _Each:
    """Hands the columns of a batch out to threads, since polars and numpy let others run while they work."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def __call__(self, batch: Batch, columns: list[Column], *, late: bool) -> None:
        for _ in self._pool.map(partial(_add, batch, late), columns):
            pass


def _add(batch: Batch, late: bool, column: Column) -> None:
    values = batch.frame[column.name]
    if late:
        column.add_texts(values)
    else:
        column.add(values)


@contextmanager
def _side_by_side() -> Iterator[_Each]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield _Each(pool)
