"""Model quality: metrics, constraints, and violations of a baseline's constraints (guide: model-monitor-model-quality-metrics)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import numpy as np
from ml_contract import JobError

from model_monitor import attributes, documents, labels, reading, regression
from model_monitor.attributes import Attribute
from model_monitor.classification import Curves, Ints, best_constant, binary, confusion, weighted
from model_monitor.documents import Document, number
from model_monitor.request import Request

ENOUGH = 200
"""Fewer records give no standard deviation."""
LESS, GREATER = "LessThanThreshold", "GreaterThanThreshold"
TRUTH, INFERENCE, PROBABILITY = "ground_truth_attribute", "inference_attribute", "probability_attribute"
Metrics = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """What one data set says about a model.

    Attributes:
        count: records that had all attributes.
        of: the metrics of some of the records, by their indexes; of all when None.
        shown: further entries of the document that are no metrics.
    """

    count: int
    of: Callable[[Ints | None], Metrics]
    shown: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """One problem type: its word in the documents, its constraints, and who measures it."""

    word: str
    constraints: dict[str, str]
    measure: Callable[[Request], Measured]


def analyze(request: Request) -> dict[str, Document]:
    """The documents by file name; violations only when there is a baseline.

    Raises:
        JobError: when data or baseline cannot be read.
    """
    problem = PROBLEMS[request.problem]
    baseline = _baseline(request, problem)
    measured = problem.measure(request)
    metrics = measured.of(None)
    deviations = _deviations(measured)
    print(f"{measured.count} records with all attributes", flush=True)
    made = {
        "statistics.json": _statistics(problem, measured, metrics, deviations),
        "constraints.json": _constraints(problem, metrics),
    }
    if baseline is not None:
        found = list(_violations(baseline, metrics, deviations))
        made["constraint_violations.json"] = {"violations": found}
    return made


def _attributes(request: Request, wanted: Iterable[str]) -> dict[str, Attribute]:
    given = {
        TRUTH: request.ground_truth,
        INFERENCE: request.inference,
        PROBABILITY: request.probability,
    }
    for variable in wanted:
        if not given[variable]:
            raise JobError(f"Environment: {variable} is missing; {request.problem} needs it")
    return attributes.read(reading.dataset(request), {name: given[name] for name in wanted})


def _regression(request: Request) -> Measured:
    found = _attributes(request, (TRUTH, INFERENCE))
    truth, predicted = found[TRUTH].numbers(), found[INFERENCE].numbers()

    def of(chosen: Ints | None) -> Metrics:
        which = slice(None) if chosen is None else chosen
        return regression.metrics(truth[which], predicted[which])

    return Measured(len(truth), of)


def _binary(request: Request) -> Measured:
    optional = [
        name for name, given in ((INFERENCE, request.inference), (PROBABILITY, request.probability)) if given
    ]
    found = _attributes(request, (TRUTH, *(optional or [INFERENCE])))
    truth = labels.binary(found[TRUTH])
    scores = found[PROBABILITY].numbers() if PROBABILITY in found else None
    if INFERENCE in found:
        predicted = labels.binary(found[INFERENCE])
    else:
        assert scores is not None
        predicted = (scores >= request.threshold).astype(np.int64)

    def of(chosen: Ints | None) -> Metrics:
        which = slice(None) if chosen is None else chosen
        matrix = confusion(truth[which], predicted[which], 2)
        auc = {} if scores is None else {"auc": Curves(truth[which], scores[which]).auc}
        return {**binary(matrix), **auc, **_constant(binary(best_constant(matrix)))}

    shown: Document = {"confusion_matrix": _matrix(["0", "1"], confusion(truth, predicted, 2))}
    shown.update({} if scores is None else Curves(truth, scores).document())
    return Measured(len(truth), of, shown)


def _multiclass(request: Request) -> Measured:
    found = _attributes(request, (TRUTH, INFERENCE))
    names, truth, predicted = labels.encoded(found[TRUTH], found[INFERENCE])

    def of(chosen: Ints | None) -> Metrics:
        which = slice(None) if chosen is None else chosen
        matrix = confusion(truth[which], predicted[which], len(names))
        return {**weighted(matrix), **_constant(weighted(best_constant(matrix)))}

    matrix = confusion(truth, predicted, len(names))
    return Measured(len(truth), of, {"confusion_matrix": _matrix(names, matrix)})


def _constant(metrics: Metrics) -> Metrics:
    kept = {name: value for name, value in metrics.items() if not name.endswith("_rate")}
    return {f"{name}_best_constant_classifier": value for name, value in kept.items()}


def _matrix(names: list[str], matrix: Ints) -> Document:
    rows = matrix.tolist()
    return {name: dict(zip(names, row)) for name, row in zip(names, rows)}  # noqa: B905 - as long as each other


def _deviations(measured: Measured) -> Metrics | None:
    if measured.count < ENOUGH:
        return None
    each = [measured.of(chosen) for chosen in attributes.samples(measured.count)]
    return {name: float(np.std([one[name] for one in each])) for name in each[0]}


def _statistics(
    problem: Problem, measured: Measured, metrics: Metrics, deviations: Metrics | None
) -> Document:
    written = {
        name: {
            "value": number(value),
            "standard_deviation": number(deviations[name]) if deviations else "NaN",
        }
        for name, value in metrics.items()
    }
    return {
        "version": 0.0,
        "dataset": {"item_count": measured.count},
        f"{problem.word}_metrics": {**measured.shown, **written},
    }


def _constraints(problem: Problem, metrics: Metrics) -> Document:
    return {
        "version": 0.0,
        f"{problem.word}_constraints": {
            name: {"threshold": metrics[name], "comparison_operator": operator}
            for name, operator in problem.constraints.items()
            if name in metrics and not isnan(metrics[name])
        },
    }


def _baseline(request: Request, problem: Problem) -> Document | None:
    if request.baseline_constraints is None:
        return None
    content = documents.read(request.baseline_constraints, "baseline_constraints")
    found = content.get(f"{problem.word}_constraints")
    if not isinstance(found, dict):
        raise JobError(
            f"baseline_constraints: has no {problem.word}_constraints, but {', '.join(content) or 'nothing'};"
            " is it the baseline of another kind of check?"
        )
    return found


def _violations(baseline: Document, metrics: Metrics, deviations: Metrics | None) -> Iterator[Document]:
    for name, constraint in baseline.items():
        threshold, operator = _constraint(name, constraint)
        value = metrics.get(name, float("nan"))
        broken = {LESS: value < threshold, GREATER: value > threshold}[operator]
        # A metric that no longer has a value must not pass for a good one.
        if broken or isnan(value):
            deviation = number(deviations[name]) if deviations and name in deviations else "NaN"
            yield {
                "constraint_check_type": operator,
                "description": f"Metric {name} with {number(value)} +/- {deviation} was {operator} {threshold}",
                "metric_name": name,
            }


def _constraint(name: str, constraint: Any) -> tuple[float, str]:
    try:
        threshold, operator = float(constraint["threshold"]), constraint["comparison_operator"]
    except (TypeError, KeyError, ValueError):
        operator = threshold = None
    if operator not in {LESS, GREATER} or threshold is None:
        raise JobError(
            f"baseline_constraints: {name} is {constraint!r}; it needs a number as threshold, and a"
            f" comparison_operator, {LESS} or {GREATER}"
        )
    return threshold, str(operator)


PROBLEMS = {
    "Regression": Problem(
        "regression", {"mae": GREATER, "mse": GREATER, "rmse": GREATER, "r2": LESS}, _regression
    ),
    "BinaryClassification": Problem(
        "binary_classification",
        {
            "recall": LESS,
            "precision": LESS,
            "accuracy": LESS,
            "true_positive_rate": LESS,
            "true_negative_rate": LESS,
            "false_positive_rate": GREATER,
            "false_negative_rate": GREATER,
            "auc": LESS,
            "f0_5": LESS,
            "f1": LESS,
            "f2": LESS,
        },
        _binary,
    ),
    "MulticlassClassification": Problem(
        "multiclass_classification",
        dict.fromkeys(
            (
                "accuracy",
                "weighted_recall",
                "weighted_precision",
                "weighted_f0_5",
                "weighted_f1",
                "weighted_f2",
            ),
            LESS,
        ),
        _multiclass,
    ),
}
