"""The metrics of bias in predictions, against AWS's own examples and scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from clarify.metric_names import POST_TRAINING
from clarify.post_training import METRICS
from clarify.sample import Sample, UndefinedError
from sklearn.metrics import accuracy_score, confusion_matrix, precision_score, recall_score


def near(expected: Any) -> Any:
    """Equal to the last digits that doubles have to spare."""
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def sample(sensitive: Any, observed: Any, predicted: Any, features: Any = None, group: Any = None) -> Sample:
    y = np.array(observed)
    return Sample(
        np.array(sensitive, dtype=bool),
        y == 1,
        y,
        None if group is None else np.array(group),
        np.array(predicted) == 1,
        None if features is None else pl.DataFrame(features),
    )


def of_facets(a: tuple[int, int, int, int], d: tuple[int, int, int, int]) -> Sample:
    """TP, FP, TN, FN of either facet."""
    rows = [
        (facet, y, guess)
        for facet, counts in enumerate((a, d))
        for times, (y, guess) in zip(counts, ((1, 1), (0, 1), (0, 0), (1, 0)), strict=True)
        for _ in range(times)
    ]
    return sample(*zip(*rows, strict=True))


def test_every_published_metric_is_measured() -> None:
    assert list(METRICS) == list(POST_TRAINING) == sorted(METRICS)
    assert len(METRICS) == 13


# AWS's confusion matrices of the pages on specificity and recall.
AWS = of_facets((65, 10, 20, 5), (20, 5, 18, 7))


@pytest.mark.parametrize(
    ("name", "measured", "expected"),
    [
        ("SD", AWS, 18 / 23 - 20 / 30),
        ("RD", AWS, 65 / 70 - 20 / 27),
        ("DCA", of_facets((60, 0, 30, 10), (20, 10, 20, 0)), 70 / 60 - 20 / 30),
        ("DCA", of_facets((50, 10, 40, 0), (30, 0, 10, 10)), 50 / 60 - 40 / 30),
        ("DCR", of_facets((40, 0, 50, 10), (10, 10, 30, 0)), 40 / 30 - 50 / 60),
        ("DAR", of_facets((35, 35, 1, 1), (40, 60, 1, 1)), 35 / 70 - 40 / 100),
        ("DRR", of_facets((1, 1, 80, 20), (1, 1, 40, 10)), 0),
        ("AD", of_facets((60, 10, 10, 20), (40, 10, 10, 40)), 0.2),
        ("TE", of_facets((43, 6, 43, 8), (23, 2, 20, 5)), 6 / 8 - 2 / 5),
        ("DPPL", of_facets((60, 0, 40, 0), (25, 0, 25, 0)), 0.1),
        ("DI", of_facets((60, 0, 40, 0), (25, 0, 25, 0)), 0.5 / 0.6),
    ],
)
def test_awss_examples(name: str, measured: Sample, expected: float) -> None:
    assert METRICS[name](measured) == near(expected)


@pytest.mark.parametrize("seed", range(5))
def test_rates_agree_with_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    facet, y, guess = random.integers(0, 2, size=(3, 83))
    a, d = (y[facet == 0], guess[facet == 0]), (y[facet == 1], guess[facet == 1])

    def rejected(score: Any, pair: Any) -> float:
        return float(score(*pair, pos_label=0))

    (_, fp_a), (fn_a, _) = confusion_matrix(*a)
    (_, fp_d), (fn_d, _) = confusion_matrix(*d)
    expected = {
        "AD": accuracy_score(*a) - accuracy_score(*d),
        "RD": recall_score(*a) - recall_score(*d),
        "SD": rejected(recall_score, d) - rejected(recall_score, a),
        "DAR": precision_score(*a) - precision_score(*d),
        "DRR": rejected(precision_score, d) - rejected(precision_score, a),
        "TE": fp_a / fn_a - fp_d / fn_d,
        "DPPL": a[1].mean() - d[1].mean(),
        "DI": d[1].mean() / a[1].mean(),
        "DCA": a[0].sum() / a[1].sum() - d[0].sum() / d[1].sum(),
        "DCR": (1 - d[0]).sum() / (1 - d[1]).sum() - (1 - a[0]).sum() / (1 - a[1]).sum(),
    }

    measured = sample(facet, y, guess)
    assert {name: METRICS[name](measured) for name in expected} == near(expected)


def test_generalized_entropy_is_its_textbook_sum() -> None:
    """Benefits: 1 for right, 2 for wrongly accepted, 0 for wrongly rejected."""
    benefits = [1.0] * 5 + [2.0] * 3 + [0.0] * 2
    mean = sum(benefits) / 10
    textbook = sum((b / mean) ** 2 - 1 for b in benefits) / (10 * 2 * (2 - 1))

    assert METRICS["GE"](of_facets((1, 3, 1, 0), (2, 0, 1, 2))) == near(textbook)


@pytest.mark.parametrize("facets", [((3, 0, 2, 0), (1, 0, 1, 0)), ((0, 3, 0, 0), (0, 2, 0, 0))])
def test_equal_benefits_have_no_entropy(facets: Any) -> None:
    assert METRICS["GE"](of_facets(*facets)) == 0


def test_entropy_has_no_value_when_everybody_is_wrongly_rejected() -> None:
    with pytest.raises(UndefinedError, match="all predictions are false negatives"):
        METRICS["GE"](of_facets((0, 0, 0, 3), (0, 0, 0, 2)))


def test_conditional_disparity_is_of_predictions() -> None:
    measured = sample([1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], group=[0, 0, 0, 0])

    assert METRICS["CDDPL"](measured) == 0
    assert METRICS["CDDPL"](sample([1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], group=[0] * 4)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_flip_test_agrees_with_looking_at_every_neighbour(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(60, 3))
    facet, guess = random.integers(0, 2, size=(2, 60))

    gained = lost = 0
    for i in np.flatnonzero(facet == 1):
        others = sorted(np.flatnonzero(facet == 0), key=lambda j: math.dist(points[i], points[j]))
        favoured = sum(guess[j] for j in others[:5]) >= 3
        gained += favoured and not guess[i]
        lost += bool(guess[i]) and not favoured

    measured = sample(facet, guess, guess, {"x": points[:, 0], "y": points[:, 1], "z": points[:, 2]})
    assert METRICS["FT"](measured) == near((gained - lost) / (facet == 1).sum())


def test_flip_test_finds_those_of_the_same_category_nearer() -> None:
    """Facet a: three of town a, who are accepted, and three of town b, who are not; facet d the other way round."""
    facet, guess = [1, 1, *[0] * 6], [0, 1, *[1] * 3, *[0] * 3]
    towns = ["a", "b", *"aaa", *"bbb"]

    assert METRICS["FT"](sample(facet, guess, guess, {"town": towns})) == 0
    assert METRICS["FT"](sample(facet, guess, [1, 1, *guess[2:]], {"town": towns})) == -0.5
    assert METRICS["FT"](sample(facet, guess, [0, 0, *guess[2:]], {"town": towns})) == 0.5


def test_flip_test_needs_a_majority_where_there_are_few_neighbours() -> None:
    measured = sample([1, 0, 0], [0] * 3, [1, 1, 0], {"x": [0, 1, 2]})

    assert METRICS["FT"](measured) == -1


def test_flip_test_needs_a_feature_besides_the_facet() -> None:
    with pytest.raises(UndefinedError, match="no feature but the facet"):
        METRICS["FT"](sample([0, 1], [0, 1], [0, 1], {}))


@pytest.mark.parametrize(
    ("name", "measured", "sign"),
    [
        ("TE", of_facets((1, 2, 1, 0), (1, 1, 1, 1)), 1),
        ("TE", of_facets((1, 1, 1, 1), (1, 2, 1, 0)), -1),
        ("DI", of_facets((0, 0, 2, 0), (1, 0, 1, 0)), 1),
        ("DCA", of_facets((0, 0, 1, 2), (1, 1, 1, 1)), 1),
        ("DCR", of_facets((1, 2, 0, 0), (1, 1, 1, 1)), -1),
    ],
)
def test_a_ratio_to_nothing_is_infinite(name: str, measured: Sample, sign: int) -> None:
    assert METRICS[name](measured) == sign * math.inf


@pytest.mark.parametrize(
    ("name", "measured", "why"),
    [
        ("TE", of_facets((1, 0, 1, 0), (1, 1, 1, 1)), "wrong predictions in facet a"),
        ("TE", of_facets((1, 2, 1, 0), (1, 3, 1, 0)), "two infinite ratios"),
        ("DI", of_facets((0, 0, 2, 0), (0, 0, 1, 1)), "positive predictions"),
        ("RD", of_facets((1, 0, 1, 1), (0, 1, 1, 0)), "positive labels in facet d"),
        ("SD", of_facets((1, 0, 0, 1), (1, 1, 1, 1)), "negative labels in facet a"),
        ("DAR", of_facets((0, 0, 1, 1), (1, 1, 1, 1)), "positive predictions in facet a"),
        ("DRR", of_facets((1, 1, 0, 0), (1, 1, 1, 1)), "negative predictions in facet a"),
        ("DCA", of_facets((0, 0, 2, 0), (1, 1, 1, 1)), "positive labels, nor predictions, in facet a"),
    ],
)
def test_nothing_over_nothing_has_no_value(name: str, measured: Sample, why: str) -> None:
    with pytest.raises(UndefinedError, match=why):
        METRICS[name](measured)


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"GE"}))
@pytest.mark.parametrize("facet", [0, 1])
def test_without_one_of_the_groups_there_is_nothing_to_compare(name: str, facet: int) -> None:
    measured = sample([facet] * 2, [0, 1], [1, 0], {"x": [1, 2]}, [0, 1])

    with pytest.raises(UndefinedError, match="set is empty"):
        METRICS[name](measured)
