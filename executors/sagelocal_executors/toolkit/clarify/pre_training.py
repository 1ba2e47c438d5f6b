"""The metrics of bias in data (AWS: Measure Pre-training Bias; each formula as on its page there)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clarify.sample import Sample, UndefinedError, count, demographic_disparity

if TYPE_CHECKING:
    Shares = np.ndarray[Any, np.dtype[np.float64]]


def class_imbalance(sample: Sample) -> float:
    """CI = (na - nd) / (na + nd)."""
    n_d, n = count(sample.sensitive), len(sample.sensitive)
    if not n:
        raise UndefinedError("There are no rows")
    return (n - 2 * n_d) / n


def label_proportions(sample: Sample) -> float:
    """DPL = qa - qd, the proportions of positive labels."""
    sample.require_both()
    return float(sample.positive[sample.other].mean() - sample.positive[sample.sensitive].mean())


def _distributions(sample: Sample) -> tuple[Shares, Shares]:
    """Pa and Pd: how the labels of each facet are distributed."""
    sample.require_both()
    categories = int(sample.labels.max()) + 1
    facets = (sample.other, sample.sensitive)
    counts = [np.bincount(sample.labels[facet], minlength=categories) for facet in facets]
    return counts[0] / counts[0].sum(), counts[1] / counts[1].sum()


def _divergence(p: Shares, q: Shares) -> float:
    """KL(p || q) in nats; infinite when a label of p never occurs in q."""
    there = p > 0
    if (q[there] == 0).any():
        return float("inf")
    return float(np.sum(p[there] * np.log(p[there] / q[there])))


def kullback_leibler(sample: Sample) -> float:
    """KL(Pa || Pd)."""
    return _divergence(*_distributions(sample))


def jensen_shannon(sample: Sample) -> float:
    """JS = (KL(Pa || P) + KL(Pd || P)) / 2, where P is the mean of the two."""
    p_a, p_d = _distributions(sample)
    mean = (p_a + p_d) / 2
    return (_divergence(p_a, mean) + _divergence(p_d, mean)) / 2


def lp_norm(sample: Sample) -> float:
    """LP: the Euclidean distance of Pa and Pd."""
    p_a, p_d = _distributions(sample)
    return float(np.sqrt(np.sum((p_a - p_d) ** 2)))


def total_variation(sample: Sample) -> float:
    """TVD: half of the sum of absolute differences of Pa and Pd."""
    p_a, p_d = _distributions(sample)
    return float(np.sum(np.abs(p_a - p_d)) / 2)


def kolmogorov_smirnov(sample: Sample) -> float:
    """KS = max |Pa(y) - Pd(y)|."""
    p_a, p_d = _distributions(sample)
    return float(np.max(np.abs(p_a - p_d)))


def conditional_disparity(sample: Sample) -> float:
    """CDDL, of the observed labels."""
    return demographic_disparity(sample, sample.positive)


METRICS: Mapping[str, Callable[[Sample], float]] = {
    "CDDL": conditional_disparity,
    "CI": class_imbalance,
    "DPL": label_proportions,
    "JS": jensen_shannon,
    "KL": kullback_leibler,
    "KS": kolmogorov_smirnov,
    "LP": lp_norm,
    "TVD": total_variation,
}
