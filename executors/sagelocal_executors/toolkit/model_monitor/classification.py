"""How good a classification's predictions are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
BETAS: Mapping[str, float] = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
CURVE_POINTS = 1000
"""A curve of more points is thinned out; the area below it is always of all points."""


def confusion(truth: Ints, predicted: Ints, labels: int) -> Ints:
    """Counts by true label, then by predicted label."""
    return np.bincount(truth * labels + predicted, minlength=labels**2).reshape(labels, labels)


def ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def f_score(precision: float, recall: float, beta: float) -> float:
    return ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)


def binary(matrix: Ints) -> dict[str, float]:
    """Metrics of two labels, the second one positive."""
    ((negative, false_positive), (false_negative, positive)) = matrix.tolist()
    recall = ratio(positive, positive + false_negative)
    precision = ratio(positive, positive + false_positive)
    false_positive_rate = ratio(false_positive, false_positive + negative)
    return {
        "recall": recall,
        "precision": precision,
        "accuracy": ratio(positive + negative, matrix.sum()),
        "true_positive_rate": recall,
        "true_negative_rate": ratio(negative, false_positive + negative),
        "false_positive_rate": false_positive_rate,
        "false_negative_rate": ratio(false_negative, positive + false_negative),
        **{name: f_score(precision, recall, beta) for name, beta in BETAS.items()},
    }


def weighted(matrix: Ints) -> dict[str, float]:
    """Metrics of any labels, each label weighing as much as it is true."""
    total = int(matrix.sum())
    true, predicted, right = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    labels = range(len(matrix))
    recalls = [ratio(right[label], true[label]) for label in labels]
    precisions = [ratio(right[label], predicted[label]) for label in labels]
    scores = {
        name: [f_score(precisions[label], recalls[label], beta) for label in labels]
        for name, beta in BETAS.items()
    }
    each = {"recall": recalls, "precision": precisions, **scores}
    return {
        "accuracy": ratio(right.sum(), total),
        **{
            f"weighted_{name}": float(np.dot(values, true)) / total if total else 0.0
            for name, values in each.items()
        },
    }


def best_constant(matrix: Ints) -> Ints:
    """The confusion matrix of a classifier that always says the last label."""
    constant = np.zeros_like(matrix)
    constant[:, -1] = matrix.sum(axis=1)
    return constant


class Curves:
    """Receiver operating characteristic and precision over recall, of the scores of a binary classification.

    Points are as Spark's BinaryClassificationMetrics makes them: one for each distinct score, from the highest down, between
    (0, 0) and (1, 1); the precision at recall 0 is that of the highest score.
    """

    def __init__(self, truth: Ints, scores: Floats) -> None:
        order = np.argsort(-scores, kind="stable")
        falling, positive = scores[order], truth[order]
        # The last of each run of equal scores: a threshold takes all of them or none.
        ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
        taken, right = ends + 1.0, np.cumsum(positive)[ends].astype(float)
        positives, negatives = right[-1], len(falling) - right[-1]
        recall = right / positives if positives else np.zeros_like(right)
        fall_out = (taken - right) / negatives if negatives else np.zeros_like(right)
        self._thinned = _thin(len(ends))
        self.false_positive_rates = np.concatenate([[0.0], fall_out, [1.0]])
        self.true_positive_rates = np.concatenate([[0.0], recall, [1.0]])
        self.precisions = np.concatenate([[right[0] / taken[0]], right / taken])
        self.recalls = np.concatenate([[0.0], recall])

    @property
    def auc(self) -> float:
        """The area below the receiver operating characteristic, by trapezoids."""
        widths = np.diff(self.false_positive_rates)
        heights = (self.true_positive_rates[1:] + self.true_positive_rates[:-1]) / 2
        return float(np.dot(widths, heights))

    def document(self) -> dict[str, dict[str, list[float]]]:
        inner = self._thinned + 1
        roc = np.concatenate([[0], inner, [len(self.false_positive_rates) - 1]])
        precision_recall = np.concatenate([[0], inner])
        return {
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": self.false_positive_rates[roc].tolist(),
                "true_positive_rates": self.true_positive_rates[roc].tolist(),
            },
            "precision_recall_curve": {
                "precisions": self.precisions[precision_recall].tolist(),
                "recalls": self.recalls[precision_recall].tolist(),
            },
        }


def _thin(points: int) -> Ints:
    """Which points of a curve are kept: all, or evenly many, first and last among them."""
    if points <= CURVE_POINTS:
        return np.arange(points)
    return np.linspace(0, points - 1, CURVE_POINTS).round().astype(np.int64)
