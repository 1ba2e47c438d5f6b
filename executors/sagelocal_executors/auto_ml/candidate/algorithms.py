"""The learners of a local search, under the names that AutoMLAlgorithms has for them."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from .features import Schema, matrix, preprocessor
from .question import DataError, Question
from .rows import Rows

_MODEL = "model"


def fitted(
    algorithm: str, parameters: dict[str, Any], question: Question, schema: Schema, rows: Rows
) -> Pipeline:
    """Preprocessing and learner, fitted together on these rows alone."""
    learner = LEARNERS[algorithm](question.classifies, parameters, question.seed)
    pipeline = Pipeline([("features", preprocessor(schema)), (_MODEL, learner)])
    weights = {} if rows.weights is None else {f"{_MODEL}__sample_weight": rows.weights}
    return pipeline.fit(matrix(rows.frame, schema), rows.truth, **weights)


def _linear(classifies: bool, parameters: dict[str, Any], seed: int) -> Any:
    """`regularization` is the strength of the penalty: Ridge's alpha, the inverse of LogisticRegression's C."""
    strength = float(parameters.get("regularization", 1.0))
    if classifies:
        return LogisticRegression(C=1 / strength, max_iter=2000, random_state=seed)
    return Ridge(alpha=strength, random_state=seed)


def _forest(classifies: bool, parameters: dict[str, Any], seed: int) -> Any:
    kind = RandomForestClassifier if classifies else RandomForestRegressor
    return kind(random_state=seed, n_jobs=1, **parameters)


def _extra_trees(classifies: bool, parameters: dict[str, Any], seed: int) -> Any:
    kind = ExtraTreesClassifier if classifies else ExtraTreesRegressor
    return kind(random_state=seed, n_jobs=1, **parameters)


def _xgboost(classifies: bool, parameters: dict[str, Any], seed: int) -> Any:
    try:
        import xgboost  # noqa: PLC0415 - only the XGBoost image has it
    except ImportError:
        raise DataError("there is no package xgboost in the image or interpreter of this candidate") from None
    kind = xgboost.XGBClassifier if classifies else xgboost.XGBRegressor
    return kind(random_state=seed, n_jobs=1, tree_method="hist", **parameters)


LEARNERS = {
    "linear-learner": _linear,
    "randomforest": _forest,
    "extra-trees": _extra_trees,
    "xgboost": _xgboost,
}
