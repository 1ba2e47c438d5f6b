"""The objective metrics of AutoML jobs (API: AutoMLJobObjective), computed on the rows held back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics

from .question import BINARY, MULTICLASS, REGRESSION

if TYPE_CHECKING:
    from collections.abc import Callable  # Python 3.8 cannot subscript it

    Metric = Callable[[Any, Any, Any, Any], Any]
    """Of truth, predictions, scores and weights."""


def measured(problem: str, truth: Any, scores: Any, weights: Any = None) -> dict[str, float]:
    """Every metric of the problem type by its name; `scores` as `Model.scores` gives them."""
    predicted = predictions(problem, scores)
    return {
        name: float(metric(truth, predicted, scores, weights)) for name, metric in METRICS[problem].items()
    }


def predictions(problem: str, scores: Any) -> Any:
    """The values of a regression, else the index of the likeliest class, of equals the first."""
    return scores if problem == REGRESSION else np.argmax(scores, axis=1)


def _accuracy(truth: Any, predicted: Any, _scores: Any, weights: Any) -> Any:
    return metrics.accuracy_score(truth, predicted, sample_weight=weights)


def _balanced(truth: Any, predicted: Any, _scores: Any, weights: Any) -> Any:
    return metrics.balanced_accuracy_score(truth, predicted, sample_weight=weights)


def _log_loss(truth: Any, _predicted: Any, scores: Any, weights: Any) -> Any:
    return metrics.log_loss(truth, scores, sample_weight=weights, labels=list(range(scores.shape[1])))


def _area(truth: Any, _predicted: Any, scores: Any, weights: Any) -> Any:
    """Not a number when only one of the two classes was held back."""
    if len(np.unique(truth)) < 2:
        return float("nan")
    return metrics.roc_auc_score(truth, scores[:, 1], sample_weight=weights)


def _averaged(metric: Callable[..., Any], average: str) -> Metric:
    def compute(truth: Any, predicted: Any, _scores: Any, weights: Any) -> Any:
        return metric(truth, predicted, average=average, sample_weight=weights, zero_division=0)

    return compute


def _error(metric: Callable[..., Any]) -> Metric:
    return lambda truth, predicted, _scores, weights: metric(truth, predicted, sample_weight=weights)


def _root(truth: Any, predicted: Any, _scores: Any, weights: Any) -> Any:
    return np.sqrt(metrics.mean_squared_error(truth, predicted, sample_weight=weights))


_CLASSES: dict[str, Metric] = {"Accuracy": _accuracy, "BalancedAccuracy": _balanced, "LogLoss": _log_loss}

METRICS: dict[str, dict[str, Metric]] = {
    REGRESSION: {
        "MSE": _error(metrics.mean_squared_error),
        "RMSE": _root,
        "MAE": _error(metrics.mean_absolute_error),
        "R2": _error(metrics.r2_score),
    },
    BINARY: {
        **_CLASSES,
        "AUC": _area,
        "F1": _averaged(metrics.f1_score, "binary"),
        "Precision": _averaged(metrics.precision_score, "binary"),
        "Recall": _averaged(metrics.recall_score, "binary"),
    },
    MULTICLASS: {
        **_CLASSES,
        "F1macro": _averaged(metrics.f1_score, "macro"),
        "PrecisionMacro": _averaged(metrics.precision_score, "macro"),
        "RecallMacro": _averaged(metrics.recall_score, "macro"),
    },
}

MINIMIZED = frozenset({"MSE", "RMSE", "MAE", "LogLoss"})


def gain(objective: str, values: dict[str, float]) -> float:
    """The objective such that more is better."""
    return -values[objective] if objective in MINIMIZED else values[objective]
