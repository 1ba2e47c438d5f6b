"""The metrics of bias in data, against AWS's own examples and other libraries."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from clarify.metric_names import PRE_TRAINING
from clarify.pre_training import METRICS
from clarify.sample import Sample, UndefinedError
from scipy.spatial import distance  # type: ignore[import-untyped]  # scipy brings no types
from scipy.stats import entropy  # type: ignore[import-untyped]  # likewise


def near(expected: Any) -> Any:
    """Equal to the last digits that doubles have to spare."""
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def sample(sensitive: Any, labels: Any, positive: int = 1, group: Any = None) -> Sample:
    codes = np.array(labels)
    return Sample(
        np.array(sensitive, dtype=bool),
        codes == positive,
        codes,
        None if group is None else np.array(group),
    )


def of_counts(a: list[int], d: list[int], group: Any = None) -> Sample:
    """A sample in which facet a has each label as often as `a` says, and facet d as `d` says."""
    labels = [label for counts in (a, d) for label, times in enumerate(counts) for _ in range(times)]
    return sample([0] * sum(a) + [1] * sum(d), labels, group=group)


def random_sample(seed: int) -> tuple[Sample, list[tuple[int, int, int]]]:
    """A sample, and the same as plain rows of facet, label, subgroup."""
    random = np.random.default_rng(seed)
    rows = [(int(f), int(y), int(g)) for f, y, g in random.integers(0, [2, 3, 4], size=(97, 3))]
    facet, labels, group = zip(*rows, strict=True)
    return sample(facet, labels, group=group), rows


def shares(rows: list[tuple[int, int, int]], facet: int) -> list[float]:
    labels = Counter(label for each, label, _ in rows if each == facet)
    return [labels[label] / labels.total() for label in range(3)]


def test_every_published_metric_is_measured() -> None:
    assert list(METRICS) == list(PRE_TRAINING)
    assert sorted(METRICS) == ["CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD"]


def test_class_imbalance_counts_the_groups() -> None:
    assert METRICS["CI"](of_counts([40, 40], [10, 10])) == pytest.approx(0.6)


@pytest.mark.parametrize(("a", "d", "expected"), [([3, 4], [0, 0], 1), ([0, 0], [2, 2], -1)])
def test_class_imbalance_of_one_group_alone_is_extreme(a: list[int], d: list[int], expected: int) -> None:
    assert METRICS["CI"](of_counts(a, d)) == expected


def test_label_proportions_are_of_positive_labels() -> None:
    assert METRICS["DPL"](of_counts([1, 3], [4, 1])) == near(3 / 4 - 1 / 5)


def test_kullback_leibler_is_awss_example() -> None:
    """80 % of facet a are approved and 30 % of facet d."""
    value = METRICS["KL"](of_counts([20, 80], [70, 30]))

    assert value == near(0.8 * math.log(0.8 / 0.3) + 0.2 * math.log(0.2 / 0.7))
    assert round(value, 2) == 0.53


def test_kolmogorov_smirnov_is_awss_example() -> None:
    """Rejected, waitlisted, accepted: 40, 40, 20 % of facet a; 20, 10, 70 % of facet d."""
    assert METRICS["KS"](of_counts([40, 40, 20], [20, 10, 70])) == near(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_distances_of_distributions_agree_with_scipy(seed: int) -> None:
    measured, rows = random_sample(seed)
    p_a, p_d = shares(rows, 0), shares(rows, 1)

    expected = {
        "KL": entropy(p_a, p_d),
        "JS": distance.jensenshannon(p_a, p_d) ** 2,
        "LP": distance.euclidean(p_a, p_d),
        "TVD": distance.cityblock(p_a, p_d) / 2,
        "KS": distance.chebyshev(p_a, p_d),
    }

    assert {name: METRICS[name](measured) for name in expected} == near(expected)


@pytest.mark.parametrize("seed", range(5))
def test_conditional_disparity_agrees_with_counting_by_hand(seed: int) -> None:
    measured, rows = random_sample(seed)

    total = Fraction(0)
    for subgroup in range(4):
        inside = [(facet, label == 1) for facet, label, group in rows if group == subgroup]
        rejected = [facet for facet, accepted in inside if not accepted]
        accepted = [facet for facet, accepted in inside if accepted]
        total += len(inside) * (
            Fraction(sum(rejected), len(rejected)) - Fraction(sum(accepted), len(accepted))
        )

    assert METRICS["CDDL"](measured) == near(float(total / len(rows)))


def test_conditional_disparity_of_one_group_is_awss_example() -> None:
    """Women are 60 % of the rejected and 50 % of the accepted."""
    everybody = of_counts([40, 50], [60, 50], group=[0] * 200)

    assert METRICS["CDDL"](everybody) == near(0.1)


def test_conditional_disparity_undoes_simpsons_paradox() -> None:
    """In each department the facets fare alike; only where they apply differs."""
    department = [(0, 80, 20), (1, 20, 80)]  # of facet a and d, who apply where
    rows = [
        (facet, label, name)
        for name, *sizes in department
        for facet, size in enumerate(sizes)
        for label, share in ((1, (0.75, 0.25)[name]), (0, (0.25, 0.75)[name]))
        for _ in range(round(size * share))
    ]
    facet, labels, group = zip(*rows, strict=True)

    assert METRICS["CDDL"](sample(facet, labels, group=group)) == near(0)
    assert METRICS["CDDL"](sample(facet, labels, group=[0] * len(rows))) > 0.1


def test_a_subgroup_without_rejections_has_no_share_of_them() -> None:
    rows = [(1, 1, 0), (0, 1, 0), (1, 0, 1), (0, 1, 1)]
    facet, labels, group = zip(*rows, strict=True)

    # Subgroup 0: 0 - 1/2; subgroup 1: 1/1 - 0/1; each has two of four rows.
    assert METRICS["CDDL"](sample(facet, labels, group=group)) == near(0.25)


def test_divergence_is_infinite_where_facet_d_never_has_a_label() -> None:
    unlike = of_counts([1, 3], [4, 0])

    assert METRICS["KL"](unlike) == math.inf
    assert METRICS["JS"](unlike) < math.log(2)


def test_divergence_forgives_a_label_that_only_facet_d_has() -> None:
    assert METRICS["KL"](of_counts([4, 0], [2, 2])) == near(math.log(2))


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"CI"}))
@pytest.mark.parametrize(
    ("a", "d", "why"),
    [([2, 2], [0, 0], "Facet set is empty"), ([0, 0], [2, 2], "Negated facet set is empty")],
)
def test_without_one_of_the_groups_there_is_nothing_to_compare(
    name: str, a: list[int], d: list[int], why: str
) -> None:
    with pytest.raises(UndefinedError, match=f"^{why}$"):
        METRICS[name](of_counts(a, d, group=[0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("labels", "group", "why"),
    [
        ([1, 1], [0, 0], "No negative labels"),
        ([0, 0], [0, 0], "No positive"),
        ([0, 1], None, "Group variable"),
    ],
)
def test_conditional_disparity_needs_both_outcomes_and_subgroups(
    labels: list[int], group: list[int] | None, why: str
) -> None:
    with pytest.raises(UndefinedError, match=why):
        METRICS["CDDL"](sample([0, 1], labels, group=group))
