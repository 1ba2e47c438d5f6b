"""statistics.json of a data set (guide: model-monitor-byoc-statistics)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_monitor.column import Column, Numbers, Texts
from model_monitor.documents import number
from model_monitor.kll import C, K, Sketch, at_most, below, cumulated
from model_monitor.profile import Profile

BUCKETS = 10

Document = dict[str, Any]


def document(profile: Profile) -> Document:
    return {
        "version": 0.0,
        "dataset": {"item_count": profile.records},
        "features": [_feature(profile, column) for column in profile.columns],
    }


def _feature(profile: Profile, column: Column) -> Document:
    common = {"num_present": column.present, "num_missing": profile.missing(column)}
    feature: Document = {"name": column.name, "inferred_type": column.type}
    if column.present and column.numbers is not None:
        return {**feature, "numerical_statistics": {"common": common, **_numerical(column.numbers)}}
    return {**feature, "string_statistics": {"common": common, **_textual(column.texts or Texts())}}


def _numerical(numbers: Numbers) -> Document:
    return {
        "mean": number(numbers.mean),
        "sum": number(numbers.total),
        "std_dev": number(numbers.deviation),
        "min": numbers.least,
        "max": numbers.greatest,
        "distribution": {"kll": _kll(numbers.sketch, numbers.least, numbers.greatest)},
    }


def _kll(sketch: Sketch, least: float, greatest: float) -> Document:
    """Buckets of equal width; the last one includes its upper bound."""
    values, ranks = cumulated(sketch.levels)
    part = np.arange(BUCKETS + 1) / BUCKETS
    bounds = least * (1 - part) + greatest * part  # no difference, which could be too large
    counted = below(values, ranks, bounds)
    counted[-1] = at_most(values, ranks, bounds[-1:])[0]
    return {
        "buckets": [
            {
                "lower_bound": float(bounds[index]),
                "upper_bound": float(bounds[index + 1]),
                "count": float(counted[index + 1] - counted[index]),
            }
            for index in range(BUCKETS)
        ],
        "sketch": {
            "parameters": {"c": C, "k": float(K)},
            "data": [level.tolist() for level in sketch.levels],
        },
    }


def _textual(texts: Texts) -> Document:
    listed = texts.histogram.listed()
    buckets = [{"value": value, "count": count} for value, count in listed.items()]
    return {
        "distinct_count": texts.distinct.count(),
        "distribution": {"categorical": {"buckets": buckets}},
    }


def categories(feature: Mapping[str, Any]) -> dict[str, float]:
    """The histogram that a feature of statistics.json lists; empty when it lists none."""
    distribution = (feature.get("string_statistics") or {}).get("distribution") or {}
    buckets = (distribution.get("categorical") or {}).get("buckets") or []
    return {str(bucket["value"]): float(bucket["count"]) for bucket in buckets}


def quantiles(feature: Mapping[str, Any]) -> Document:
    """The ``distribution.kll`` of a feature of statistics.json; empty when it has none."""
    distribution = (feature.get("numerical_statistics") or {}).get("distribution") or {}
    kll: Document = distribution.get("kll") or {}
    return kll
