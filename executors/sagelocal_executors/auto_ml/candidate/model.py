"""A trained model: one pipeline, or several whose answers are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]  # has no stubs
import numpy as np
import pandas as pd

from .features import Schema, matrix
from .question import REGRESSION

FILE = "model.joblib"


@dataclass(frozen=True)
class Model:
    """What predicts.

    Attributes:
        name: of the candidate.
        problem: its ProblemType.
        classes: the labels in the order of the probabilities; empty for a regression.
        schema: of the features.
        members: pipelines with their weights, which add up to 1.
    """

    name: str
    problem: str
    classes: tuple[str, ...]
    schema: Schema
    members: tuple[tuple[float, Any], ...]

    def scores(self, frame: pd.DataFrame) -> Any:
        """One value per row for a regression, else one probability per row and class."""
        features = matrix(frame, self.schema)
        return sum(weight * answers(pipeline, features, self.problem) for weight, pipeline in self.members)

    def save(self, folder: Path) -> None:
        # Plain values and scikit-learn's own objects: a file with classes of ours would need their exact place.
        content = {
            "name": self.name,
            "problem": self.problem,
            "classes": list(self.classes),
            "schema": self.schema.as_json(),
            "members": list(self.members),
        }
        joblib.dump(content, folder / FILE)


def load(folder: Path) -> Model:
    content = joblib.load(folder / FILE)
    schema = content["schema"]
    return Model(
        name=content["name"],
        problem=content["problem"],
        classes=tuple(content["classes"]),
        schema=Schema(
            tuple(schema["columns"]),
            tuple(schema["numeric"]),
            dict(schema["categories"]),
            dict(schema["dropped"]),
        ),
        members=tuple((float(weight), pipeline) for weight, pipeline in content["members"]),
    )


def answers(pipeline: Any, features: pd.DataFrame, problem: str) -> Any:
    """What one pipeline says: values, or probabilities that add up to 1 in each row."""
    if problem == REGRESSION:
        return np.asarray(pipeline.predict(features), dtype=float)
    shares = np.asarray(pipeline.predict_proba(features), dtype=float)
    return shares / shares.sum(axis=1, keepdims=True)  # XGBoost's are of single precision
