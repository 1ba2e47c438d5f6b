"""The bias metrics of every facet, as sections of analysis.json."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from ml_contract import JobError

from clarify import post_training, pre_training
from clarify.config import Bias, Facet
from clarify.dataset import Dataset
from clarify.groups import Selection, codes, each_value, selection
from clarify.metric_names import POST_TRAINING, PRE_TRAINING
from clarify.sample import Sample, UndefinedError

if TYPE_CHECKING:
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

INFINITE = "Infinite: a denominator of the metric is zero"


@dataclass(frozen=True)
class Measured:
    """The metrics of one sensitive group; `facet` is its column, `group` what of the column is sensitive.

    Attributes:
        values: by metric; infinite where a formula is unbounded, None where it has no value.
        errors: why a metric has none.
    """

    facet: str
    group: Selection
    values: Mapping[str, float | None]
    errors: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """One of the two sections: which label it is about, and the metrics of every sensitive group."""

    name: str
    label: str
    positive: Selection
    measured: tuple[Measured, ...]

    def json(self) -> dict[str, Any]:
        facets: dict[str, list[Any]] = {}
        for each in self.measured:
            facets.setdefault(each.facet, []).append(
                {
                    "value_or_threshold": each.group.text,
                    "metrics": [_metric(each, name) for name in each.values],
                }
            )
        return {"label": self.label, "facets": facets, "label_value_or_threshold": self.positive.text}


def _metric(measured: Measured, name: str) -> dict[str, Any]:
    """One metric; JSON has no infinity, so such a value is null with a text that says so."""
    value = measured.values[name]
    description = {**PRE_TRAINING, **POST_TRAINING}[name]
    if value is None or math.isinf(value):
        error = measured.errors.get(name) or (
            INFINITE if value and value > 0 else f"Minus {INFINITE.lower()}"
        )
        return {"name": name, "description": description, "value": None, "error": error}
    return {"name": name, "description": description, "value": value}


class BiasAnalysis:
    """Measures the facets of a dataset.

    Raises:
        JobError: a column is missing, or its values do not fit the configuration.
    """

    def __init__(self, bias: Bias, dataset: Dataset) -> None:
        if dataset.label is None:
            raise JobError("label is missing: bias cannot be measured without it")
        self._bias = bias
        self._dataset = dataset
        self._label = dataset.label
        self._groups = [
            (column, group)
            for i, facet in enumerate(bias.facets)
            for column in [dataset.facet(f"facet[{i}].name_or_index", facet.column)]
            for group in _groups(dataset.frame[column], facet, f"facet[{i}].value_or_threshold")
        ]
        self._group = dataset.column("group_variable", bias.group) if bias.group is not None else None
        labels = dataset.frame[self._label].drop_nulls()
        self.positive = selection(labels, bias.label_values, "label_values_or_threshold")
        print(f"label {self._label}: positive is {self.positive.text}", flush=True)

    def pre_training(self) -> Section:
        return self._section("pre_training_bias_metrics", pre_training.METRICS, self._bias.pre_training, None)

    def post_training(self, predicted: Mask) -> Section:
        """The metrics of predictions; `predicted` says for each row of the dataset whether its prediction is positive."""
        return self._section(
            "post_training_bias_metrics", post_training.METRICS, self._bias.post_training, predicted
        )

    def _section(
        self,
        name: str,
        metrics: Mapping[str, Callable[[Sample], float]],
        asked: tuple[str, ...],
        predicted: Mask | None,
    ) -> Section:
        measured = []
        for column, group in self._groups:
            sample = self._sample(column, group, predicted)
            values, errors = _measure({metric: metrics[metric] for metric in asked}, sample)
            measured.append(Measured(column, group, values, errors))
        return Section(name, self._label, self.positive, tuple(measured))

    def _sample(self, column: str, group: Selection, predicted: Mask | None) -> Sample:
        frame = self._dataset.frame
        whole = (frame[column].is_not_null() & frame[self._label].is_not_null()).to_numpy()
        rows = frame.filter(pl.Series(whole))
        _say_left_out(column, group, len(whole) - rows.height)
        positive = self.positive.among(rows[self._label])
        return Sample(
            group.among(rows[column]),
            positive,
            codes(rows[self._label]) if self.positive.bound is None else positive.astype(int),
            codes(rows[self._group]) if self._group else None,
            predicted[whole] if predicted is not None else None,
            rows.select([name for name in self._dataset.features if name != column]),
        )


def _groups(column: pl.Series, facet: Facet, key: str) -> list[Selection]:
    items = column.drop_nulls()
    groups = [selection(items, facet.values, key)] if facet.values else each_value(items, key)
    print(f"facet {column.name}: sensitive is {' or '.join(group.text for group in groups)}", flush=True)
    return groups


def _say_left_out(column: str, group: Selection, rows: int) -> None:
    if rows:
        print(
            f"note: facet {column} ({group.text}): {rows} rows without label or facet value are left out",
            flush=True,
        )


def _measure(
    metrics: Mapping[str, Callable[[Sample], float]], sample: Sample
) -> tuple[dict[str, float | None], dict[str, str]]:
    values: dict[str, float | None] = {}
    errors: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            values[name] = metric(sample)
        except UndefinedError as reason:
            values[name], errors[name] = None, str(reason)
    return values, errors
