"""How far apart two distributions are.

``linf_simple`` is the largest difference between the two cumulative distributions, and ``linf_robust`` takes away what two
samples of n and m values may differ by chance: c(alpha) * sqrt((n + m) / (n * m)) of the two-sample Kolmogorov-Smirnov test
(guide: model-monitor-byoc-constraints, comparison_method). The guide gives no alpha; Deequ documents c = 1.8, alpha = 0.003
(com.amazon.deequ.analyzers.Distance). Of categories it compares the shares, one by one. ``ChiSquared`` is Pearson's test of the
observed counts against the baseline's shares, after categories that are expected too rarely were joined, as Deequ documents:
of two categories each must be expected 10 times; of more, at most a fifth less than 5 times.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan, sqrt
from typing import Any

import numpy as np
from ml_contract import missing_package

from model_monitor.kll import Floats, at_most, cumulated

C_ALPHA = 1.8
ROBUST = "Robust"

Categories = Mapping[str, float]


def numerical(baseline: Mapping[str, Any], current: Mapping[str, Any], method: str) -> float | None:
    """The distance between two ``distribution.kll`` of statistics.json.

    Returns:
        None when one of them says nothing. A baseline that lists buckets but no sketch is compared at the buckets' bounds.
    """
    (ours, our_ranks), (theirs, their_ranks) = _cumulated(current), _cumulated(baseline)
    if not len(our_ranks) or not len(their_ranks):
        return None
    n, m = our_ranks[-1], their_ranks[-1]
    wanted = np.union1d(ours, theirs) if _levels(baseline) else theirs
    apart = np.abs(at_most(ours, our_ranks, wanted) / n - at_most(theirs, their_ranks, wanted) / m)
    return _by(method, float(apart.max()), n, m)


def _levels(kll: Mapping[str, Any]) -> list[list[float]]:
    levels: list[list[float]] = (kll.get("sketch") or {}).get("data") or []
    return levels


def _cumulated(kll: Mapping[str, Any]) -> tuple[Floats, Floats]:
    levels = _levels(kll)
    if levels:
        return cumulated(levels)
    buckets = [bucket for bucket in kll.get("buckets") or [] if bucket["count"]]
    return (
        np.array([bucket["upper_bound"] for bucket in buckets], float),
        np.cumsum([float(bucket["count"]) for bucket in buckets]),
    )


def categorical(baseline: Categories, current: Categories, n: int, method: str) -> float | None:
    """The largest difference between two shares of the same category; None when there is nothing to compare.

    Args:
        baseline: counts of all categories.
        current: counts of the categories that are known.
        n: how many values the current counts are of, the uncounted among them.
        method: ``Simple`` or ``Robust``.
    """
    m = sum(baseline.values())
    if not n or not m:
        return None
    apart = max(abs(current.get(key, 0) / n - baseline.get(key, 0) / m) for key in {*current, *baseline})
    return _by(method, apart, n, m)


def _by(method: str, apart: float, n: float, m: float) -> float:
    return max(0.0, apart - C_ALPHA * sqrt((n + m) / (n * m))) if method == ROBUST else apart


def chi_squared(baseline: Categories, current: Categories) -> float:
    """The p-value of Pearson's test; NaN when fewer than two categories are left to compare."""
    seen = sum(current.get(key, 0) for key in baseline)
    total = sum(baseline.values())
    pairs = sorted(
        ((count / total * seen, float(current.get(key, 0))) for key, count in baseline.items() if total),
    )
    while len(pairs) > 1 and _too_rare([expected for expected, _ in pairs]):
        (first, first_seen), (second, second_seen), *others = pairs
        pairs = sorted([(first + second, first_seen + second_seen), *others])
    if len(pairs) < 2 or not seen:
        return nan
    statistic = sum((observed - expected) ** 2 / expected for expected, observed in pairs)
    return _exceeded_by_chance(statistic, len(pairs) - 1)


def _too_rare(expected: list[float]) -> bool:
    if len(expected) == 2:
        return min(expected) < 10
    return sum(count < 5 for count in expected) > int(0.2 * len(expected))


def _exceeded_by_chance(statistic: float, freedom: int) -> float:
    try:
        from scipy.special import gammaincc  # type: ignore[import-untyped]  # only this method needs it
    except ImportError as error:
        raise missing_package(error.name or "scipy", "checks") from None
    return float(gammaincc(freedom / 2, statistic / 2))
