"""What an AutoML job must know of its data before it chooses candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from .features import look_at
from .question import BINARY, MULTICLASS, REGRESSION, DataError, Question
from .rows import bring, channels, ordered

FEW = 10
"""Whole numbers with at most so many different values are taken for classes."""
_SHOWN = 20


def problem_of(target: pd.Series) -> tuple[str, str]:
    """The ProblemType that a target suggests, and why.

    SageMaker does not say how it decides; this rule is ours.

    Raises:
        DataError: it suggests none.
    """
    values = target.dropna()
    kinds = values.nunique()
    numbers = pd.to_numeric(values, errors="coerce")
    if kinds < 2:
        raise DataError(
            f"the target {target.name!r} has {kinds} different values; there is nothing to predict"
        )
    if kinds == 2:
        return BINARY, "the target has two different values"
    if numbers.isna().any():
        if kinds > len(values) / 2:
            raise DataError(f"the target {target.name!r} holds {kinds} different texts in {len(values)} rows")
        return MULTICLASS, f"the target has {kinds} different texts"
    if kinds <= FEW and (numbers % 1 == 0).all():
        return MULTICLASS, f"the target has {kinds} different whole numbers"
    return REGRESSION, f"the target has {kinds} different numbers"


def inspected(question: Question, data: Path) -> dict[str, Any]:
    """Problem type, size and columns, once the data is known to be fit for the question."""
    training, _ = channels(question, data)
    target = training[question.target]
    problem, reason = (question.problem, "ProblemType says so") if question.problem else problem_of(target)
    _check(target, problem)
    parts = bring(
        Question(question.target, question.weight, problem, fraction=question.fraction, seed=question.seed),
        data,
    )
    return {
        "problem_type": problem,
        "reason": reason,
        "target": question.target,
        "training_rows": len(parts.training),
        "validation_rows": len(parts.validation),
        "classes": {label: int((target == label).sum()) for label in parts.classes[:_SHOWN]},
        **_columns(parts.training.frame),
    }


def _check(target: pd.Series, problem: str) -> None:
    kinds = len(ordered(target))
    if problem == BINARY and kinds != 2:
        raise DataError(
            f"ProblemType {problem}: the target {target.name!r} has {kinds} different values, not two"
        )
    if problem == MULTICLASS and kinds < 2:
        raise DataError(f"ProblemType {problem}: the target {target.name!r} has one value only")


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    schema = look_at(frame)
    return {
        "numeric": list(schema.numeric),
        "categorical": list(schema.categories),
        "dropped": schema.dropped,
        "missing": {name: int(frame[name].isna().sum()) for name in frame.columns},
    }
