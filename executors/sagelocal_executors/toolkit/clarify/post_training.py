"""The metrics of bias in predictions (AWS: Measure Post-training Data and Model Bias; each formula as on its page there)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clarify.flip_test import flip_test
from clarify.sample import Confusion, Sample, UndefinedError, demographic_disparity, difference, ratio

if TYPE_CHECKING:
    Mask = np.ndarray[Any, np.dtype[np.bool_]]


def _predicted(sample: Sample) -> Mask:
    assert sample.predicted is not None, "only metrics of predictions come here"
    return sample.predicted


def _facets(sample: Sample) -> tuple[Confusion, Confusion]:
    """The confusion matrices of facet a and of facet d."""
    sample.require_both()
    return sample.confusion(sample.other), sample.confusion(sample.sensitive)


def _proportions(sample: Sample) -> tuple[float, float]:
    """Q'a and q'd: the proportions of positive predictions."""
    sample.require_both()
    predicted = _predicted(sample)
    return float(predicted[sample.other].mean()), float(predicted[sample.sensitive].mean())


def _of_facets(rate: Callable[[Confusion, str], float], sample: Sample) -> tuple[float, float]:
    a, d = _facets(sample)
    return rate(a, "facet a"), rate(d, "facet d")


def predicted_proportions(sample: Sample) -> float:
    """DPPL = q'a - q'd."""
    q_a, q_d = _proportions(sample)
    return q_a - q_d


def disparate_impact(sample: Sample) -> float:
    """DI = q'd / q'a."""
    q_a, q_d = _proportions(sample)
    return ratio(q_d, q_a, "positive predictions")


def _acceptance(facet: Confusion, name: str) -> float:
    return ratio(facet.tp + facet.fn, facet.tp + facet.fp, f"positive labels, nor predictions, in {name}")


def conditional_acceptance(sample: Sample) -> float:
    """DCA = na(1)/n'a(1) - nd(1)/n'd(1): observed to predicted acceptances."""
    c_a, c_d = _of_facets(_acceptance, sample)
    return difference(c_a, c_d)


def _rejection(facet: Confusion, name: str) -> float:
    return ratio(facet.tn + facet.fp, facet.tn + facet.fn, f"negative labels, nor predictions, in {name}")


def conditional_rejection(sample: Sample) -> float:
    """DCR = nd(0)/n'd(0) - na(0)/n'a(0): observed to predicted rejections."""
    r_a, r_d = _of_facets(_rejection, sample)
    return difference(r_d, r_a)


def _recall(facet: Confusion, name: str) -> float:
    return ratio(facet.tp, facet.tp + facet.fn, f"positive labels in {name}")


def recall_difference(sample: Sample) -> float:
    """RD = TPa/(TPa + FNa) - TPd/(TPd + FNd)."""
    a, d = _of_facets(_recall, sample)
    return a - d


def _specificity(facet: Confusion, name: str) -> float:
    return ratio(facet.tn, facet.tn + facet.fp, f"negative labels in {name}")


def specificity_difference(sample: Sample) -> float:
    """SD = TNd/(TNd + FPd) - TNa/(TNa + FPa)."""
    a, d = _of_facets(_specificity, sample)
    return d - a


def _acceptance_precision(facet: Confusion, name: str) -> float:
    return ratio(facet.tp, facet.tp + facet.fp, f"positive predictions in {name}")


def acceptance_rates(sample: Sample) -> float:
    """DAR = TPa/(TPa + FPa) - TPd/(TPd + FPd)."""
    a, d = _of_facets(_acceptance_precision, sample)
    return a - d


def _rejection_precision(facet: Confusion, name: str) -> float:
    return ratio(facet.tn, facet.tn + facet.fn, f"negative predictions in {name}")


def rejection_rates(sample: Sample) -> float:
    """DRR = TNd/(TNd + FNd) - TNa/(TNa + FNa)."""
    a, d = _of_facets(_rejection_precision, sample)
    return d - a


def _accuracy(facet: Confusion, _name: str) -> float:
    return (facet.tp + facet.tn) / sum(facet)


def accuracy_difference(sample: Sample) -> float:
    """AD = ACCa - ACCd."""
    a, d = _of_facets(_accuracy, sample)
    return a - d


def _treatment(facet: Confusion, name: str) -> float:
    return ratio(facet.fp, facet.fn, f"wrong predictions in {name}")


def treatment_equality(sample: Sample) -> float:
    """TE = FPa/FNa - FPd/FNd."""
    a, d = _of_facets(_treatment, sample)
    return difference(a, d)


def predicted_disparity(sample: Sample) -> float:
    """CDDPL, of the predicted labels."""
    return demographic_disparity(sample, _predicted(sample))


def generalized_entropy(sample: Sample) -> float:
    """GE with alpha 2 of the benefits b = y' - y + 1 of all rows: mean((b / mean b)^2 - 1) / 2."""
    benefits = _predicted(sample).astype(float) - sample.positive + 1
    if not benefits.sum():
        raise UndefinedError("Undefined: all predictions are false negatives")
    return float(np.mean((benefits / benefits.mean()) ** 2 - 1) / 2)


METRICS: Mapping[str, Callable[[Sample], float]] = {
    "AD": accuracy_difference,
    "CDDPL": predicted_disparity,
    "DAR": acceptance_rates,
    "DCA": conditional_acceptance,
    "DCR": conditional_rejection,
    "DI": disparate_impact,
    "DPPL": predicted_proportions,
    "DRR": rejection_rates,
    "FT": flip_test,
    "GE": generalized_entropy,
    "RD": recall_difference,
    "SD": specificity_difference,
    "TE": treatment_equality,
}
