"""The counterfactual flip test, which asks the neighbours in the other facet (AWS: Counterfactual Fliptest)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from ml_contract import missing_package

from clarify.sample import Sample, UndefinedError, count

if TYPE_CHECKING:
    Matrix = np.ndarray[Any, np.dtype[np.float64]]

NEIGHBOURS = 5
"""How many members of facet a are asked about each member of facet d; AWS does not say, scikit-learn's default is taken."""


def flip_test(sample: Sample) -> float:
    """FT = (F+ - F-) / nd.

    F+ counts the members of facet d with a negative prediction, most of whose nearest neighbours in facet a have a
    positive one; F- those with a positive prediction, where most have not. Near is by Euclidean distance: numbers as
    they are, other values one-hot.

    Raises:
        UndefinedError: a facet is empty, or there are no features.
    """
    sample.require_both()
    assert sample.predicted is not None, "only metrics of predictions come here"
    if sample.features is None or not sample.features.width:
        raise UndefinedError("Undefined: the model has no feature but the facet")
    points = coordinates(sample.features)
    predicted_d = sample.predicted[sample.sensitive]
    favoured = _votes(points[sample.other], sample.predicted[sample.other], points[sample.sensitive])
    return (count(~predicted_d & favoured) - count(predicted_d & ~favoured)) / len(predicted_d)


def _votes(known: Matrix, answers: Any, asked: Matrix) -> Any:
    """For each point asked whether more than half of its nearest neighbours have a positive answer."""
    neighbours = _library().NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known))).fit(known)
    nearest = neighbours.kneighbors(asked, return_distance=False)
    return answers[nearest].mean(axis=1) > 0.5


def coordinates(features: pl.DataFrame) -> Matrix:
    """Numbers as they are, a missing one as its column's mean; of other columns a 0/1 column for each value."""
    columns = []
    for column in features.iter_columns():
        if column.dtype.is_numeric():
            columns.append(column.cast(pl.Float64).fill_null(column.mean() or 0.0).to_frame())
        else:
            columns.append(column.cast(pl.String).fill_null("").to_dummies())
    return pl.concat(columns, how="horizontal").to_numpy().astype(float)


def _library() -> Any:
    # Not imported at the top: it takes a second, and only this test and computed baselines need it.
    try:
        return importlib.import_module("sklearn.neighbors")
    except ImportError:
        raise missing_package("scikit-learn", "checks") from None
