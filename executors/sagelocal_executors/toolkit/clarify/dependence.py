"""How predictions depend on one feature, on average over the data (AWS: Partial dependence plots)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from ml_contract import JobError

from clarify.config import Config, Pdp
from clarify.dataset import Dataset
from clarify.explanations import Explained, output_labels
from clarify.model import Model

if TYPE_CHECKING:
    Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Dependence:
    """The curve of one feature.

    Attributes:
        numerical: whether `values` are points of a grid, rather than the values of a category.
        predictions: for each label (axis 0) the mean prediction at each value.
        shares: the share of the data that is nearest to each value.
    """

    feature: str
    numerical: bool
    labels: tuple[str, ...]
    values: tuple[Any, ...]
    predictions: Numbers
    shares: tuple[float, ...]

    def json(self) -> dict[str, Any]:
        return {
            "feature_name": self.feature,
            "data_type": "numerical" if self.numerical else "categorical",
            "label_headers": list(self.labels),
            "feature_values": list(self.values),
            "model_predictions": self.predictions.tolist(),
            "data_distribution": list(self.shares),
        }


def dependences(
    config: Config, pdp: Pdp, dataset: Dataset, model: Model, explained: Explained | None
) -> list[Dependence]:
    """The curves of the features that are asked for, else of those that matter most to the explanations."""
    if pdp.features:
        names = [dataset.feature("methods.pdp.features", place) for place in pdp.features]
    else:
        assert explained is not None, "the configuration has features or shap"
        importance = explained.importance()
        names = sorted(importance, key=lambda name: -importance[name])[: pdp.top]
    return [_curve(name, pdp.resolution, dataset, model, config) for name in names]


def _curve(feature: str, resolution: int, dataset: Dataset, model: Model, config: Config) -> Dependence:
    column = dataset.frame[feature].drop_nulls()
    if column.is_empty():
        raise JobError(f"methods.pdp.features: column {feature!r} has no values")
    numerical = column.dtype.is_numeric()
    values, shares = _grid(column, resolution) if numerical else _categories(column)
    predictions = np.stack([_mean(feature, value, dataset, model) for value in values], axis=1)
    labels = output_labels(config, len(predictions))
    print(f"pdp: {feature}, {len(values)} values", flush=True)
    return Dependence(feature, numerical, labels, tuple(values), predictions, tuple(shares))


def _grid(column: pl.Series, resolution: int) -> tuple[list[Any], list[float]]:
    """Points from the smallest to the largest value, as far from one another; whole as the column is, where they are."""
    numbers = column.cast(pl.Float64).to_numpy()
    points = np.unique(np.linspace(numbers.min(), numbers.max(), resolution))
    nearest = np.abs(numbers[:, None] - points[None, :]).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(points)) / len(numbers)
    whole = column.dtype.is_integer() and bool((points == np.floor(points)).all())
    return (points.astype(int) if whole else points).tolist(), shares.tolist()


def _categories(column: pl.Series) -> tuple[list[Any], list[float]]:
    counts = column.value_counts(sort=False).sort(column.name)
    return counts[column.name].to_list(), (counts["count"] / column.len()).to_list()


def _mean(feature: str, value: Any, dataset: Dataset, model: Model) -> Numbers:
    """The mean prediction, for each label, when all rows have this value."""
    rows = dataset.frame.select(dataset.features).with_columns(pl.lit(value).alias(feature))
    result: Numbers = model.scores(rows).mean(axis=0)
    return result
