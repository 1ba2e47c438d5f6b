"""The data to analyse: one table, and what each of its columns is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from ml_contract import JobError
from polars import selectors

from clarify import storage
from clarify.config import CSV, JSON, JSON_LINES, PARQUET, Config, Data
from clarify.csv_tables import read_csv
from clarify.json_tables import read_json, read_json_lines
from clarify.parquet_tables import read_parquet
from clarify.places import dataset_files
from clarify.wording import did_you_mean, first_line, listed

if TYPE_CHECKING:
    from clarify.config import Column

_PREDICTED = "predicted_label"
_ORDER = "sagelocal: row of the dataset"


@dataclass(frozen=True)
class Dataset:
    """A table with named columns.

    Attributes:
        features: what the model is given, in order.
        facet_columns: where the index of a facet counts: the columns of the facet dataset when there is one.
    """

    frame: pl.DataFrame
    features: tuple[str, ...]
    label: str | None
    predicted: str | None
    join: str | None
    facet_columns: tuple[str, ...]

    def column(self, key: str, place: Column) -> str:
        return find_column(key, place, self.frame.columns)

    def facet(self, key: str, place: Column) -> str:
        return find_column(key, place, self.facet_columns if isinstance(place, int) else self.frame.columns)

    def feature(self, key: str, place: Column) -> str:
        """A column by its name or its index in the table, that the model is given.

        Raises:
            JobError: there is none, or it is not a feature.
        """
        name = self.column(key, place)
        if name not in self.features:
            raise JobError(
                f"{key}: column {name!r} is not given to the model, whose features are {listed(self.features)}"
            )
        return name


def find_column(key: str, place: Column, columns: Sequence[str]) -> str:
    """The name of the column with that name or zero-based index.

    Raises:
        JobError: there is none; names the key and what is nearest.
    """
    if isinstance(place, str):
        if place in columns:
            return place
        raise JobError(
            f"{key}: there is no column {place!r}{did_you_mean(place, columns)}; there are {listed(columns)}"
        )
    if 0 <= place < len(columns):
        return columns[place]
    raise JobError(
        f"{key}: there is no column {place}; the {len(columns)} columns are 0 to {len(columns) - 1}"
    )


def load(config: Config) -> Dataset:
    """Read the data and find its columns.

    Raises:
        JobError: there is no data, it is not of the type that the configuration says, or a column is missing.
    """
    data = config.data
    files = storage.fetch(data.uri, "dataset_uri") if data.uri else dataset_files()
    if not files:
        raise JobError("The input dataset has no files, and dataset_uri is not set")
    dataset = _finite(_with_facets(_with_predictions(_main_table(files, config), data), data))
    _say(dataset, files, config)
    return dataset


def _main_table(files: list[Path], config: Config) -> Dataset:
    data = config.data
    frame, label, predicted = _READERS[data.kind](files, config)
    if frame.is_empty():
        raise JobError(f"The dataset has no rows ({listed(path.name for path in files)})")
    own = {label, predicted}
    join = (
        find_column("joinsource_name_or_index", data.join, frame.columns) if data.join is not None else None
    )
    excluded = {find_column("excluded_columns", place, frame.columns) for place in data.excluded}
    features = tuple(name for name in frame.columns if name not in own | {join} | excluded)
    return Dataset(frame, features, label, predicted, join, tuple(frame.columns))


def _from_csv(files: list[Path], config: Config) -> tuple[pl.DataFrame, str | None, str | None]:
    return _with_places(read_csv(files, config.data.headers, _names(config)), config.data)


def _from_parquet(files: list[Path], config: Config) -> tuple[pl.DataFrame, str | None, str | None]:
    return _with_places(read_parquet(files, config.data.headers), config.data)


def _with_places(frame: pl.DataFrame, data: Data) -> tuple[pl.DataFrame, str | None, str | None]:
    if frame.is_empty():
        return frame, None, None
    label = find_column("label", data.label, frame.columns) if data.label is not None else None
    here = data.predicted if data.predicted_uri is None else None  # else it is a column of the other table
    return frame, label, find_column(_PREDICTED, here, frame.columns) if here is not None else None


def _from_json(files: list[Path], config: Config) -> tuple[pl.DataFrame, str | None, str | None]:
    return read_json(files, config.data)


def _from_json_lines(files: list[Path], config: Config) -> tuple[pl.DataFrame, str | None, str | None]:
    return read_json_lines(files, config.data)


_READERS: Mapping[str, Callable[[list[Path], Config], tuple[pl.DataFrame, str | None, str | None]]] = {
    CSV: _from_csv,
    PARQUET: _from_parquet,
    JSON: _from_json,
    JSON_LINES: _from_json_lines,
}


def _names(config: Config) -> frozenset[str]:
    """The columns that the configuration calls by name: a first row that has one of them is a header."""
    bias = config.bias
    places: list[object] = [config.data.label, config.data.join, *config.data.excluded]
    places += [config.data.predicted] if config.data.predicted_uri is None else []
    if bias:
        places += [bias.group, *(facet.column for facet in bias.facets if config.data.facet_uri is None)]
    places += [*(config.shap.features if config.shap else ()), *(config.pdp.features if config.pdp else ())]
    return frozenset(place for place in places if isinstance(place, str))


def _with_predictions(dataset: Dataset, data: Data) -> Dataset:
    """Add the column of the predicted label dataset, when there is one."""
    if data.predicted_uri is None:
        return dataset
    key = "predicted_label_dataset_uri"
    place = data.predicted if data.predicted is not None else _PREDICTED
    names = frozenset({place} if isinstance(place, str) else ())
    table = read_csv(storage.fetch(data.predicted_uri, key), data.predicted_headers, names)
    name = find_column(_PREDICTED, place, table.columns)
    joined = _joined(dataset, table, [name], key)
    return replace(dataset, frame=joined, predicted=name)


def _with_facets(dataset: Dataset, data: Data) -> Dataset:
    """Add the columns of the facet dataset, when there is one; the model never sees them."""
    if data.facet_uri is None:
        return dataset
    key = "facet_dataset_uri"
    names = frozenset({dataset.join} if dataset.join else ())
    table = read_csv(storage.fetch(data.facet_uri, key), data.facet_headers, names)
    added = [name for name in table.columns if name != dataset.join]
    return replace(dataset, frame=_joined(dataset, table, added, key), facet_columns=tuple(table.columns))


def _joined(dataset: Dataset, table: pl.DataFrame, added: list[str], key: str) -> pl.DataFrame:
    """Side by side: by the identifier when both tables have it, else row by row.

    Raises:
        JobError: a column is in both, or the tables cannot be brought together.
    """
    both = [name for name in added if name in dataset.frame.columns]
    if both:
        raise JobError(f"{key}: the dataset has a column {listed(both)}, too; rename one of the two")
    if dataset.join and dataset.join in table.columns:
        rows = dataset.frame.with_row_index(_ORDER)
        try:
            joined = rows.join(table.select(dataset.join, *added), on=dataset.join, how="inner")
        except pl.exceptions.PolarsError as error:
            raise JobError(
                f"joinsource_name_or_index: {dataset.join!r} does not join with {key}: {first_line(error)}"
            ) from None
        return joined.sort(_ORDER).drop(_ORDER)
    if table.height != dataset.frame.height:
        raise JobError(
            f"{key}: {table.height} rows beside {dataset.frame.height} of the dataset;"
            " set joinsource_name_or_index to an identifier that both have"
        )
    return dataset.frame.hstack(table.select(added))


def _finite(dataset: Dataset) -> Dataset:
    """NaN, which files write for a missing number, is a missing value; infinities are refused.

    Raises:
        JobError: a column has one.
    """
    frame = dataset.frame.with_columns(selectors.float().fill_nan(None))
    for column in frame.select(selectors.float()).iter_columns():
        if column.is_infinite().any():
            row = column.is_infinite().arg_max()
            raise JobError(
                f"Column {column.name!r} of the dataset has an infinite number, first in row {row}"
            )
    return replace(dataset, frame=frame)


def _say(dataset: Dataset, files: list[Path], config: Config) -> None:
    print(
        f"dataset: {dataset.frame.height} rows of {listed(path.name for path in files)};"
        f" features {listed(dataset.features)}; label {dataset.label or 'none'}",
        flush=True,
    )
    if len(files) > 1 and dataset.join is None and config.shap and config.shap.save_local:
        print("note: SageMaker wants joinsource_name_or_index for a dataset of several files", flush=True)
