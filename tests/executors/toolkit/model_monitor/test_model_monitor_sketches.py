"""The sketches keep to the error they state, whatever the order of the values and the size of the batches."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import polars as pl
import pytest

ORDERS = {
    "random": np.random.default_rng(1).permutation(100_000).astype(float),
    "rising": np.arange(100_000.0),
    "falling": np.arange(100_000.0)[::-1].copy(),
    "skewed": np.random.default_rng(2).zipf(1.6, 100_000).astype(float),
}


@pytest.mark.usefixtures("monitor")
@pytest.mark.parametrize("batch", [17, 1000, 30_000, 100_000])
@pytest.mark.parametrize("order", ORDERS)
def test_ranks_are_within_a_third_of_a_percent(order: str, batch: int) -> None:
    kll: Any = importlib.import_module("model_monitor.kll")
    values, sketch = ORDERS[order], kll.Sketch()
    for begin in range(0, len(values), batch):
        sketch.add(values[begin : begin + batch])

    items, ranks = kll.cumulated(sketch.levels)

    asked = np.unique(values)
    ordered = np.sort(values)
    inclusive = np.searchsorted(ordered, asked, side="right")
    exclusive = np.searchsorted(ordered, asked, side="left")
    assert ranks[-1] == len(values) == sketch.count
    assert np.abs(kll.at_most(items, ranks, asked) - inclusive).max() <= 0.003 * len(values)
    assert np.abs(kll.below(items, ranks, asked) - exclusive).max() <= 0.003 * len(values)
    assert sum(map(len, sketch.levels)) < 7000


@pytest.mark.usefixtures("monitor")
@pytest.mark.parametrize("distinct", [10, 1000, 50_000])
def test_distinct_values_are_counted_exactly_and_then_estimated(distinct: int) -> None:
    count = importlib.import_module("model_monitor.distinct").DistinctCount(exact=4096)
    for begin in range(0, 200_000, 9_000):
        numbers = range(begin, min(begin + 9_000, 200_000))
        count.add(pl.Series([f"value {number % distinct}" for number in numbers]))

    found = count.count()

    assert found == (distinct if distinct <= 4096 else pytest.approx(distinct, rel=4 / 64))
