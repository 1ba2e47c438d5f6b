"""The channels of the built-in XGBoost algorithm, read into matrices (AWS: Input/Output Interface for the XGBoost Algorithm)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ml_contract import DATA, JobError, missing_package

_FORMATS = {
    "csv": "csv",
    "text/csv": "csv",
    "libsvm": "libsvm",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
    "parquet": "parquet",
    "application/x-parquet": "parquet",
}
_DELIMITERS = ",\t;|"


@dataclass(frozen=True)
class Table:
    """One channel: features (dense, or a scipy matrix), labels, weights if there are any."""

    features: Any
    labels: Any
    weights: Any = None


def read(channel: str, content_type: str | None, *, weighted: bool = False) -> Table:
    """All files of a channel, one below the other; libsvm when no content type is given, as at AWS.

    Raises:
        JobError: the channel is empty, or a file is not of that type.
    """
    form = _format(channel, content_type)
    files = _files(DATA / channel)
    if not files:
        raise JobError(f"No data in the {channel} channel: {DATA / channel} has no files")
    parts = [_READERS[form](path, weighted) for path in files]
    width = max(part.features.shape[1] for part in parts)
    if form != "libsvm" and any(part.features.shape[1] != width for part in parts):
        raise JobError(f"The files of the {channel} channel have different numbers of columns")
    weights = np.concatenate([part.weights for part in parts]) if parts[0].weights is not None else None
    return Table(
        _stacked([part.features for part in parts]), np.concatenate([part.labels for part in parts]), weights
    )


def widened(table: Table, columns: int) -> Table:
    """The same with at least so many columns: a sparse file does not say how wide it is."""
    if table.features.shape[1] >= columns or isinstance(table.features, np.ndarray):
        return table
    features = table.features.copy()
    features.resize((features.shape[0], columns))
    return Table(features, table.labels, table.weights)


def _format(channel: str, content_type: str | None) -> str:
    kind, _, options = (content_type or "libsvm").lower().partition(";")
    label_size = re.search(r"label_size\s*=\s*(\d+)", options)
    if label_size and label_size.group(1) != "1":
        raise JobError(f"ContentType of channel {channel}: label_size must be 1, not {label_size.group(1)}")
    try:
        return _FORMATS[kind.strip()]
    except KeyError:
        raise JobError(
            f"ContentType {content_type!r} of channel {channel} is not one of {', '.join(_FORMATS)}"
        ) from None


def _files(folder: Path) -> list[Path]:
    """Data files at any depth; names that begin with a dot or underscore are marks of other tools, not data."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] not in "._")


def _stacked(matrices: list[Any]) -> Any:
    if len(matrices) == 1:
        return matrices[0]
    if isinstance(matrices[0], np.ndarray):
        return np.concatenate(matrices)
    from scipy import sparse  # type: ignore[import-untyped]  # scipy has no types for mypy

    width = max(matrix.shape[1] for matrix in matrices)
    for matrix in matrices:
        matrix.resize((matrix.shape[0], width))
    return sparse.vstack(matrices, format="csr")


def _csv(path: Path, weighted: bool) -> Table:
    """Label first, no header; with weights, those come second. An empty field is a missing value."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        values = _numbers(path, delimiter)
    except ValueError as error:
        raise JobError(f"{path}: {error}") from None
    if np.isnan(values[0, 0]):
        raise JobError(
            f"{path}: text/csv needs numbers, the label in the first column, and no header; it begins with {first.strip()[:60]!r}"
        )
    return _split(values, weighted, path)


def _numbers(path: Path, delimiter: str) -> Any:
    """By numpy's fast reader, which most files suit; by its patient one, ten times slower, when a field is missing."""
    try:
        return np.loadtxt(path, delimiter=delimiter, dtype=np.float32, ndmin=2, comments=None)
    except ValueError:
        return np.genfromtxt(path, delimiter=delimiter, dtype=np.float32, ndmin=2)


def _parquet(path: Path, weighted: bool) -> Table:
    try:
        import pandas as pd

        values = pd.read_parquet(path).to_numpy(dtype=np.float32)
    except ImportError as error:
        raise missing_package(error.name or "pyarrow", "xgboost") from None
    return _split(values, weighted, path)


def _split(values: Any, weighted: bool, path: Path) -> Table:
    if values.shape[1] < 2 + weighted:
        raise JobError(
            f"{path}: only {values.shape[1]} column(s); the first is the label, so more are needed"
        )
    if weighted:
        return Table(values[:, 2:], values[:, 0], values[:, 1])
    return Table(values[:, 1:], values[:, 0])


def _libsvm(path: Path, _weighted: bool) -> Table:
    """``label[:weight] index:value …`` per line; an index is the column's number as it stands, as XGBoost reads it."""
    from scipy import sparse

    labels: list[float] = []
    weights: list[float] = []
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            try:
                label, _, weight = words[0].partition(":")
                pairs = [word.split(":") for word in words[1:] if not word.startswith("qid:")]
                columns += [int(index) for index, _ in pairs]
                values += [float(value) for _, value in pairs]
                rows += [len(labels)] * len(pairs)
                labels.append(float(label))
                weights.append(float(weight or 1))
            except ValueError:
                raise JobError(
                    f"{path}, line {number}: not libsvm (label index:value ...): {line.strip()[:60]!r};"
                    " for CSV, set the channel's ContentType to text/csv"
                ) from None
    shape = (len(labels), max(columns, default=-1) + 1)
    features = sparse.csr_matrix((np.array(values, np.float32), (rows, columns)), shape=shape)
    return Table(features, np.array(labels, np.float32), np.array(weights, np.float32))


_READERS = {"csv": _csv, "libsvm": _libsvm, "parquet": _parquet}
