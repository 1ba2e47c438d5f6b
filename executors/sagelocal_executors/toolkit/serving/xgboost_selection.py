"""SAGEMAKER_INFERENCE_OUTPUT: which of a prediction's facets the XGBoost algorithm answers (AWS: selectable inference)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from serving.exchange import Refused


def records(predictions: Any, selected: str, booster: Any) -> list[dict[str, Any]]:
    """For each prediction the facets in the wanted order; NaN stands for one that the objective has not.

    Raises:
        Refused: 500, the objective has none at all.
    """
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    classes = int(learner["learner_model_param"].get("num_class") or 0)
    if objective not in _FACETS:
        raise Refused(500, f"Objective `{objective}` unsupported for selectable inference predictions.")
    facets = _FACETS[objective]
    labels = list(range(max(classes, 2))) if "predicted_label" in facets else math.nan
    names = selected.replace(" ", "").lower().split(",")

    def facet(name: str, prediction: Any) -> Any:
        if name == "labels":
            return labels
        return facets[name](prediction) if name in facets else math.nan

    return [{name: facet(name, each) for name in names} for each in predictions.tolist()]


def written(rows: list[dict[str, Any]], accept: str) -> str:
    """In one of the types that the algorithm writes."""
    if accept == "application/json":
        return json.dumps({"predictions": rows})
    if accept == "application/jsonlines":
        return "".join(json.dumps(row) + "\n" for row in rows)
    return "\n".join(",".join(_cell(value) for value in row.values()) for row in rows)


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)


def _itself(prediction: Any) -> Any:
    return prediction


def _two(prediction: float) -> list[float]:
    return [1.0 - prediction, prediction]


def _likeliest(prediction: list[float]) -> int:
    return prediction.index(max(prediction))


_SCORE: dict[str, Callable[[Any], Any]] = {"predicted_score": _itself}
_RAW: dict[str, Callable[[Any], Any]] = {"raw_score": _itself, "raw_scores": _two}
_FACETS: dict[str, dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("reg:squarederror", "reg:logistic", "reg:gamma", "reg:tweedie"), _SCORE),
    "binary:logistic": {
        "predicted_label": lambda each: int(each > 0.5),
        "probability": _itself,
        "probabilities": _two,
        **_RAW,
    },
    "binary:logitraw": {"predicted_label": lambda each: int(each > 0), **_RAW},
    "binary:hinge": {"predicted_label": _itself, **_RAW},
    "multi:softmax": {"predicted_label": _itself, **_RAW},
    "multi:softprob": {
        "predicted_label": _likeliest,
        "probability": max,
        "probabilities": _itself,
        "raw_score": max,
        "raw_scores": _itself,
    },
}
