"""The rows that stand for absent features (AWS: SHAP Baselines for Explainability)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from ml_contract import JobError, missing_package

from clarify import storage
from clarify.config import CSV, JSON, JSON_LINES, PARQUET, Data, Shap
from clarify.csv_tables import read_csv
from clarify.dataset import Dataset
from clarify.flip_test import coordinates
from clarify.json_tables import assembled, matrix, parsed, row_of, series, text_of
from clarify.parquet_tables import read_parquet
from clarify.paths import search
from clarify.wording import listed

if TYPE_CHECKING:
    Numbers = np.ndarray[Any, np.dtype[np.float64]]

_KEY = "methods.shap.baseline"
_MOST_CLUSTERS = 12  # the guide: an optimal number between 1 and 12
_STRUCTURE = 0.5  # below this silhouette, clusters are taken as artificial, and one row stands for all
_SEARCHED = 2_000  # rows among which the number of clusters is sought


def baseline(shap: Shap, data: Data, dataset: Dataset) -> pl.DataFrame:
    """The baseline, its columns the features of the dataset: as configured, else computed.

    Raises:
        JobError: it does not fit the features.
    """
    if shap.baseline is None:
        return _clustered(dataset.frame.select(dataset.features), shap.clusters, shap.seed)
    table = (
        _stored(shap.baseline, data, dataset)
        if isinstance(shap.baseline, str)
        else _in_place(shap.baseline, data)
    )
    if table.is_empty():
        raise JobError(f"{_KEY} has no rows")
    if table.width != len(dataset.features):
        raise JobError(
            f"{_KEY} has {table.width} values in a row, but the model is given {len(dataset.features)} features"
            f" ({listed(dataset.features)})"
        )
    return table.rename({name: dataset.features[i] for i, name in enumerate(table.columns)})


def _in_place(rows: Any, data: Data) -> pl.DataFrame:
    """Rows in the configuration: lists of values, or records as the dataset's JSON has them."""
    if isinstance(rows, dict):
        return _frame(matrix(rows, data.features or "", _KEY))
    lists = [_row(row, data, f"{_KEY}[{i}]") for i, row in enumerate(rows)]
    return _frame(lists)


def _row(row: Any, data: Data, where: str) -> list[Any]:
    if isinstance(row, dict) and data.features:
        return row_of(search(data.features, row, "features"), data.features, where)
    if not isinstance(row, list) or any(isinstance(cell, (list, dict)) for cell in row):
        raise JobError(f"{where} must be a list of values, one for each feature, not {row!r}")
    return row


def _frame(rows: list[list[Any]]) -> pl.DataFrame:
    return assembled(rows, None, None, ())[0]


def _stored(uri: str, data: Data, dataset: Dataset) -> pl.DataFrame:
    return _READERS[data.kind](storage.fetch(uri, _KEY), data, dataset)


def _csv(files: list[Path], _data: Data, dataset: Dataset) -> pl.DataFrame:
    return read_csv(files, (), frozenset(dataset.features))


def _parquet(files: list[Path], _data: Data, _dataset: Dataset) -> pl.DataFrame:
    return read_parquet(files, ())


def _json(files: list[Path], data: Data, _dataset: Dataset) -> pl.DataFrame:
    texts = [(path.name, text_of(path)) for path in files]
    return _frame(
        [row for name, text in texts for row in matrix(parsed(text, name), data.features or "", name)]
    )


def _json_lines(files: list[Path], data: Data, _dataset: Dataset) -> pl.DataFrame:
    lines = [line for path in files for line in text_of(path).splitlines() if line.strip()]
    return _frame([_row(parsed(line, _KEY), data, f"{_KEY}, line {i}") for i, line in enumerate(lines, 1)])


_READERS: Mapping[str, Callable[[list[Path], Data, Dataset], pl.DataFrame]] = {
    CSV: _csv,
    PARQUET: _parquet,
    JSON: _json,
    JSON_LINES: _json_lines,
}


def _clustered(features: pl.DataFrame, clusters: int | None, seed: int) -> pl.DataFrame:
    """One row for each cluster of k-means: the means of its numbers, of other columns the commonest value.

    Clusters are those of standardised numbers and one-hot values, which stands in for Clarify's k-prototypes. Without a
    number of clusters it is the one with the best silhouette, as long as that speaks of clusters at all.
    """
    library = _library()
    points = _standardised(coordinates(features))
    distinct = len(np.unique(points, axis=0))
    number = clusters or _best_number(library, points, min(_MOST_CLUSTERS, distinct - 1), seed)
    labels = _labels(library, points, min(number, distinct), seed)
    rows = [_centre(features.filter(pl.Series(labels == i))) for i in range(int(labels.max()) + 1)]
    print(f"baseline: {len(rows)} rows, computed by clustering the dataset", flush=True)
    return pl.DataFrame([series(name, [row[name] for row in rows]) for name in features.columns])


def _standardised(points: Numbers) -> Numbers:
    spread = points.std(axis=0)
    result: Numbers = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return result


def _labels(library: Any, points: Numbers, clusters: int, seed: int) -> Any:
    if clusters <= 1:
        return np.zeros(len(points), dtype=int)
    return library("cluster").KMeans(clusters, n_init=4, random_state=seed).fit_predict(points)


def _best_number(library: Any, points: Numbers, most: int, seed: int) -> int:
    some = points
    if len(points) > _SEARCHED:
        some = points[np.random.default_rng(seed).choice(len(points), _SEARCHED, replace=False)]
    scores = {1: _STRUCTURE}
    for number in range(2, min(most, len(some) - 1) + 1):
        labels = _labels(library, some, number, seed)
        if len(set(labels.tolist())) > 1:
            scores[number] = float(library("metrics").silhouette_score(some, labels))
    return max(scores, key=lambda number: scores[number])


def _centre(rows: pl.DataFrame) -> dict[str, Any]:
    return {
        column.name: column.mean() if column.dtype.is_numeric() else column.mode().sort().first()
        for column in rows.iter_columns()
    }


def _library() -> Callable[[str], Any]:
    # Not imported at the top: it takes a second, and a configured baseline needs none of it.
    def module(name: str) -> Any:
        try:
            return importlib.import_module(f"sklearn.{name}")
        except ImportError:
            raise missing_package("scikit-learn", "checks") from None

    return module
