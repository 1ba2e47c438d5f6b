"""Columns of text as the numbers that scikit-learn wants."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .question import DataError

MOST_CATEGORIES = 30
"""How many values of a column get a column of their own; the rarer ones are all zeros."""
_MANY = 50
_MISSING = ""


@dataclass(frozen=True)
class Schema:
    """What each column of the features is.

    Attributes:
        columns: all of them, in the order of the data: a request has its values in that order.
        numeric: those that hold numbers alone.
        categories: per column of words, the values that count, the most frequent first.
        dropped: why a column says nothing.
    """

    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    categories: dict[str, list[str]]
    dropped: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def look_at(frame: pd.DataFrame) -> Schema:
    """Tell the kinds of columns from the rows to train on, and from those alone.

    Raises:
        DataError: no column says anything.
    """
    numeric, categories, dropped = [], {}, {}
    for name in frame.columns:
        values = frame[name].dropna()
        if values.nunique() < 2:
            dropped[name] = "holds one value only" if len(values) else "is empty"
        elif pd.to_numeric(values, errors="coerce").notna().all():
            numeric.append(name)
        elif values.nunique() > max(_MANY, len(values) / 2):
            dropped[name] = f"holds {values.nunique()} different texts in {len(values)} rows"
        else:
            categories[name] = _frequent(frame[name])
    if not numeric and not categories:
        raise DataError(f"no column can be learnt from: {dropped or 'there is only the target'}")
    return Schema(tuple(frame.columns), tuple(numeric), categories, dropped)


def _frequent(column: pd.Series) -> list[str]:
    counts = _words(column).value_counts()
    return sorted(counts.index, key=lambda value: (-counts[value], value))[:MOST_CATEGORIES]


def matrix(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The columns that count: numbers, where anything else is missing, then words, where a missing one is empty."""
    numbers = {
        name: pd.to_numeric(frame[name], errors="coerce")
        .astype(float)
        .replace([float("inf"), float("-inf")], float("nan"))
        for name in schema.numeric
    }
    words = {name: _words(frame[name]) for name in schema.categories}
    return pd.DataFrame({**numbers, **words}, index=frame.index)


def _words(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), _MISSING).astype(object)


def preprocessor(schema: Schema) -> ColumnTransformer:
    """Fills and scales numbers, by the median, mean and deviation that it sees when it is fitted; one-hot words."""
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    words = OneHotEncoder(categories=list(schema.categories.values()), handle_unknown="ignore")
    parts = [("numbers", numbers, list(schema.numeric)), ("words", words, list(schema.categories))]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)
