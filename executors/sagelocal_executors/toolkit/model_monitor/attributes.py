"""The columns that model quality is about: what was predicted, and what was true."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from ml_contract import JobError
from numpy.typing import NDArray

from model_monitor.records import Batch, Dataset


@dataclass(frozen=True)
class Attribute:
    """One column's values, of the records that have all that is needed.

    Attributes:
        variable: the environment variable that names the column.
        name: as the author wrote it.
        values: as text.
        places: per value the number of the file and of the record in it.
        files: their names.
    """

    variable: str
    name: str
    values: pl.Series
    places: pl.DataFrame
    files: Sequence[str]

    def numbers(self) -> NDArray[np.float64]:
        """Raises JobError: naming file and record, when a value is no number."""
        numbers = self.values.cast(pl.Float64, strict=False)
        self.refuse(~numbers.is_finite().fill_null(value=False), "which is not a number")
        return numbers.to_numpy()

    def refuse(self, wrong: pl.Series, why: str) -> None:
        """Raises JobError: about the first value that is wrong, when there is one."""
        first = wrong.arg_max() if wrong.any() else None
        if first is None:
            return
        file, record = self.places.row(int(first))
        raise JobError(
            f"{self.files[file]}, record {record}: {self.variable} {self.name} is {self.values[int(first)]!r}, {why}"
        )


def read(dataset: Dataset, named: dict[str, str]) -> dict[str, Attribute]:
    """The attributes by variable, of the records in which none of them is missing.

    Args:
        dataset: read once, only in these columns.
        named: environment variable -> the column's name, or index, or JSON path.

    Raises:
        JobError: when there is no such column, or no record has a value in all of them.
    """
    wanted = {
        variable: _column(name, dataset.columns) if dataset.columns else _json_name(name)
        for variable, name in named.items()
    }
    files: list[str] = []
    frames = [_part(batch, wanted, files) for batch in dataset.read(sorted(set(wanted.values())))]
    frame = pl.concat(frames) if frames else None
    if frame is None or not frame.height:
        listed = ", ".join(f"{variable} ({name})" for variable, name in named.items())
        raise JobError(f"dataset_source: no record has a value for each of {listed}; look at the names")
    places = frame.select("file", "record")
    return {
        variable: Attribute(variable, name, frame[variable], places, files)
        for variable, name in named.items()
    }


def _part(batch: Batch, wanted: dict[str, str], files: list[str]) -> pl.DataFrame:
    if not files or files[-1] != str(batch.path):
        files.append(str(batch.path))
    frame = batch.frame.select(
        *[pl.col(column).str.strip_chars().alias(variable) for variable, column in wanted.items()],
        file=pl.lit(len(files) - 1, pl.UInt32),
        record=pl.int_range(batch.first, batch.first + pl.len(), dtype=pl.Int64),
    )
    return frame.filter(pl.all_horizontal(pl.col(name) != "" for name in wanted))


def _json_name(attribute: str) -> str:
    """A JSON path as flattened records name it; any other name as it is."""
    return "_".join(re.findall(r"[^.\[\]]+", attribute.removeprefix("$."))) or attribute


def _column(attribute: str, columns: Sequence[str]) -> str:
    """A name, or an index, which the SDK's users write ``0`` or ``_c0``."""
    if attribute in columns:
        return attribute
    index = re.fullmatch(r"(?:_c)?(\d+)", attribute)
    if index and int(index.group(1)) < len(columns):
        return columns[int(index.group(1))]
    listed = ", ".join(columns[:40]) + (", …" if len(columns) > 40 else "")
    raise JobError(f"dataset_source: there is no column {attribute!r}; there are: {listed}")


def samples(count: int) -> Iterator[NDArray[np.int64]]:
    """The records that each of the five samples has: 80 %, drawn without replacement."""
    random = np.random.default_rng(80)
    for _ in range(5):
        yield random.permutation(count)[: int(count * 0.8)]
