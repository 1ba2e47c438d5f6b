"""What an AutoML job wants to know of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BINARY = "BinaryClassification"
MULTICLASS = "MulticlassClassification"
REGRESSION = "Regression"


class DataError(Exception):
    """The data cannot answer the question; the text is for the person who gave it, and becomes the FailureReason."""


@dataclass(frozen=True)
class Question:
    """The target, and how an answer is judged.

    Attributes:
        target: the column to predict.
        weight: the column with the rows' weights (SampleWeightAttributeName); empty when there is none.
        problem: a ProblemType; empty while it is not known.
        objective: the name of the metric that decides; empty while it is not known.
        fraction: of the training channel that is held back when there is no validation channel.
        seed: of everything that is drawn.
    """

    target: str
    weight: str = ""
    problem: str = ""
    objective: str = ""
    fraction: float = 0.2
    seed: int = 0

    @property
    def classifies(self) -> bool:
        return self.problem != REGRESSION


def question_of(parameters: dict[str, Any]) -> Question:
    """Read it from a job's hyperparameters."""
    return Question(
        target=str(parameters["target"]),
        weight=str(parameters.get("weight") or ""),
        problem=str(parameters.get("problem_type") or ""),
        objective=str(parameters.get("objective") or ""),
        fraction=float(parameters.get("validation_fraction", 0.2)),
        seed=int(parameters.get("seed", 0)),
    )
