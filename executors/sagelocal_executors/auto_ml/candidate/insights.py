"""The report on the quality of the best model, in the form of Model Monitor's (dg model-monitor-model-quality-metrics)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics

from .model import Model
from .question import BINARY, REGRESSION
from .rows import Rows
from .scores import measured, predictions

SIGNED = "sagelocal's local search, which is not Amazon SageMaker Autopilot"
_ENOUGH, _DRAWS, _SHARE = 200, 5, 0.8
_POINTS = 100
_BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
_SECTIONS = {REGRESSION: "regression_metrics", BINARY: "binary_classification_metrics"}


def statistics(model: Model, rows: Rows, seed: int) -> dict[str, Any]:
    """statistics.json of the rows held back; each counts as one, whatever its weight.

    As Model Monitor does it, a standard deviation is that of a metric over five draws of 80 % of at least 200 rows.
    """
    scores = model.scores(rows.frame)
    found = _values(model.problem, rows.truth, scores)
    draw = np.random.RandomState(seed)
    size = round(_SHARE * len(rows))
    draws = [draw.permutation(len(rows))[:size] for _ in range(_DRAWS if len(rows) >= _ENOUGH else 0)]
    drawn = [_values(model.problem, rows.truth[each], scores[each]) for each in draws]
    return {
        "version": 0,
        "generated_by": SIGNED,
        "dataset": {"item_count": len(rows)},
        _SECTIONS.get(model.problem, "multiclass_classification_metrics"): {
            **_tables(model, rows.truth, scores),
            **{name: _with_deviation(value, [each[name] for each in drawn]) for name, value in found.items()},
        },
    }


def _with_deviation(value: float, others: list[float]) -> dict[str, Any]:
    deviation = float(np.std(others)) if others else float("nan")
    return {"value": _said(value), "standard_deviation": _said(deviation)}


def _said(value: float) -> Any:
    """A number, or the text that stands for none in JSON."""
    return value if np.isfinite(value) else "NaN"


def _values(problem: str, truth: Any, scores: Any) -> dict[str, float]:
    if problem == REGRESSION:
        return {name.lower(): value for name, value in measured(problem, truth, scores).items()}
    predicted = predictions(problem, scores)
    constant = np.full(len(truth), np.bincount(truth).argmax())
    suffix = "_best_constant_classifier"
    return {
        **(_binary(truth, predicted, scores) if problem == BINARY else {}),
        **_classified(problem, truth, predicted),
        **{name + suffix: value for name, value in _classified(problem, truth, constant).items()},
    }


def _classified(problem: str, truth: Any, predicted: Any) -> dict[str, float]:
    """Accuracy, recall, precision and the F scores: of the positive class, or weighted by the size of each class."""
    binary = problem == BINARY
    given = {"average": "binary" if binary else "weighted", "zero_division": 0}
    found = {
        "recall": metrics.recall_score(truth, predicted, **given),
        "precision": metrics.precision_score(truth, predicted, **given),
        **{name: metrics.fbeta_score(truth, predicted, beta=beta, **given) for name, beta in _BETAS.items()},
    }
    named = {name if binary else f"weighted_{name}": float(value) for name, value in found.items()}
    return {"accuracy": float(metrics.accuracy_score(truth, predicted)), **named}


def _binary(truth: Any, predicted: Any, scores: Any) -> dict[str, float]:
    (right_no, wrong_yes), (wrong_no, right_yes) = metrics.confusion_matrix(truth, predicted, labels=[0, 1])
    positive, negative = max(right_yes + wrong_no, 1), max(right_no + wrong_yes, 1)
    return {
        "true_positive_rate": float(right_yes / positive),
        "true_negative_rate": float(right_no / negative),
        "false_positive_rate": float(wrong_yes / negative),
        "false_negative_rate": float(wrong_no / positive),
        "auc": measured(BINARY, truth, scores)["AUC"],
    }


def _tables(model: Model, truth: Any, scores: Any) -> dict[str, Any]:
    """The confusion matrix, row by actual class, and the curves of a binary classification."""
    if model.problem == REGRESSION:
        return {}
    labels = list(range(len(model.classes)))
    table = metrics.confusion_matrix(truth, predictions(model.problem, scores), labels=labels)
    named = {
        actual: {said: int(table[row, column]) for column, said in enumerate(model.classes)}
        for row, actual in enumerate(model.classes)
    }
    curves = _curves(truth, scores[:, 1]) if model.problem == BINARY and len(np.unique(truth)) == 2 else {}
    return {"confusion_matrix": named, **curves}


def _curves(truth: Any, probability: Any) -> dict[str, Any]:
    false_positive, true_positive, _ = metrics.roc_curve(truth, probability)
    precision, recall, _ = metrics.precision_recall_curve(truth, probability)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": _thinned(false_positive),
            "true_positive_rates": _thinned(true_positive),
        },
        "precision_recall_curve": {"precisions": _thinned(precision), "recalls": _thinned(recall)},
    }


def _thinned(points: Any) -> list[float]:
    places = np.linspace(0, len(points) - 1, min(len(points), _POINTS)).round().astype(int)
    return [float(point) for point in points[places]]
