"""Kernel SHAP, against the definition of the Shapley value and against the library shap."""

from __future__ import annotations

from itertools import combinations, permutations
from math import comb
from typing import Any

import numpy as np
import pytest
import shap
from clarify.shapley import attributions, coalitions, default_samples


def near(expected: Any) -> Any:
    """Equal to the last digits that doubles have to spare."""
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def additive(rows: Any) -> Any:
    return rows @ np.arange(1.0, rows.shape[1] + 1) + 3


def tangled(rows: Any) -> Any:
    first, second, third = rows[:, 0], rows[:, 1], rows[:, 2]
    return (
        np.tanh(first * second) + np.where(third > 0, first**2, -second) + np.exp(-np.abs(rows).sum(axis=1))
    )


def both(rows: Any) -> Any:
    return np.stack([additive(rows), tangled(rows)], axis=1)


def kernel(predict: Any, records: Any, absent: Any, samples: int = 10_000, seed: int = 0) -> Any:
    """The attributions: records, outputs, features."""
    chosen = coalitions(records.shape[1], samples, seed)
    full = np.atleast_2d(predict(records).T).T
    empty = np.atleast_2d(predict(absent).T).T.mean(axis=0)
    values = np.array(
        [
            [
                np.atleast_2d(predict(np.where(members, record, absent)).T).T.mean(axis=0)
                for members in chosen.members
            ]
            for record in records
        ]
    ).reshape(len(records), len(chosen.members), full.shape[1])
    return attributions(chosen, values, empty, full)


def by_definition(predict: Any, record: Any, absent: Any) -> list[float]:
    """The average, over all orders of the features, of what each one adds when it comes."""
    features = len(record)
    shares = np.zeros(features)
    orders = list(permutations(range(features)))
    for order in orders:
        rows = absent.copy()
        before = predict(rows).mean()
        for feature in order:
            rows[:, feature] = record[feature]
            after = predict(rows).mean()
            shares[feature] += after - before
            before = after
    return list(shares / len(orders))


@pytest.mark.parametrize("predict", [additive, tangled])
@pytest.mark.parametrize("features", [3, 4, 6])
@pytest.mark.parametrize("background", [1, 5])
def test_all_coalitions_give_the_shapley_values(predict: Any, features: int, background: int) -> None:
    random = np.random.default_rng(features)
    records, absent = random.normal(size=(3, features)), random.normal(size=(background, features))

    found = kernel(predict, records, absent)

    for i, record in enumerate(records):
        assert found[i, 0].tolist() == near(by_definition(predict, record, absent))


@pytest.mark.parametrize("features", [1, 2])
def test_few_features_need_no_coalitions_to_guess(features: int) -> None:
    records, absent = np.full((1, features), 2.0), np.zeros((1, features))

    assert kernel(additive, records, absent)[0, 0].tolist() == near([2.0, 4.0][:features])


def test_outputs_are_explained_side_by_side() -> None:
    random = np.random.default_rng(1)
    records, absent = random.normal(size=(4, 5)), random.normal(size=(2, 5))

    found = kernel(both, records, absent)

    assert found[:, 0] == near(kernel(additive, records, absent)[:, 0])
    assert found[:, 1] == near(kernel(tangled, records, absent)[:, 0])


def test_the_library_shap_finds_the_same() -> None:
    random = np.random.default_rng(2)
    records, absent = random.normal(size=(3, 8)), random.normal(size=(4, 8))

    expected = shap.KernelExplainer(tangled, absent).shap_values(
        records, nsamples=2**8, l1_reg=False, silent=True
    )

    assert kernel(tangled, records, absent)[:, 0] == near(expected)


def test_an_additive_model_is_explained_exactly_by_a_choice_of_coalitions() -> None:
    random = np.random.default_rng(3)
    records, absent = random.normal(size=(2, 20)), random.normal(size=(1, 20))

    found = kernel(additive, records, absent, samples=120)

    assert found[:, 0] == pytest.approx((records - absent) * np.arange(1, 21), abs=1e-8)


@pytest.mark.parametrize("samples", [2, 30, 300])
def test_attributions_add_up_whatever_the_choice(samples: int) -> None:
    random = np.random.default_rng(4)
    records, absent = random.normal(size=(3, 12)), random.normal(size=(2, 12))

    found = kernel(tangled, records, absent, samples=samples)

    assert found[:, 0].sum(axis=1) == near(tangled(records) - tangled(absent).mean())


def test_more_coalitions_come_nearer() -> None:
    random = np.random.default_rng(5)
    records, absent = random.normal(size=(5, 12)), random.normal(size=(1, 12))
    exact = kernel(tangled, records, absent)

    off = [np.abs(kernel(tangled, records, absent, samples) - exact).max() for samples in (60, 2000)]

    assert off[1] < off[0] / 3


def test_a_seed_chooses_the_same_coalitions_again() -> None:
    first, again, other = (coalitions(15, 200, seed).members.tolist() for seed in (1, 1, 2))

    assert first == again != other


@pytest.mark.parametrize(("features", "samples"), [(4, 14), (4, 13), (9, 100), (30, 2000)])
def test_coalitions_are_distinct_and_in_the_budget(features: int, samples: int) -> None:
    chosen = coalitions(features, samples, 0)

    rows = set(map(tuple, chosen.members.tolist()))
    assert len(rows) == len(chosen.members) <= samples
    assert chosen.exact == (samples >= 2**features - 2)
    assert all(0 < sum(row) < features for row in rows)
    assert {tuple(not has for has in row) for row in rows} == rows
    assert chosen.weights.sum() == pytest.approx(
        sum((features - 1) / (k * (features - k)) for k in range(1, features))
    )


def test_all_coalitions_have_the_weights_of_the_kernel() -> None:
    chosen = coalitions(5, 100, 0)

    weights = {
        tuple(np.flatnonzero(row)): weight for row, weight in zip(chosen.members, chosen.weights, strict=True)
    }
    assert weights == pytest.approx(
        {
            each: 4 / (comb(5, size) * size * (5 - size))
            for size in range(1, 5)
            for each in combinations(range(5), size)
        }
    )


def test_eleven_features_are_explained_exactly_unless_told_otherwise() -> None:
    assert [coalitions(features, default_samples(features), 0).exact for features in (11, 12)] == [
        True,
        False,
    ]
