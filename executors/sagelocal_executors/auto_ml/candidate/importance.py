"""The report on which features matter: permutation importance (Breiman, 2001), which is no Shapley value."""

from __future__ import annotations

from typing import Any

import numpy as np

from .insights import SIGNED
from .model import Model
from .question import Question
from .rows import Rows
from .scores import gain, measured

_REPEATS = 5
_MOST_ROWS = 2000


def analysis(model: Model, question: Question, rows: Rows) -> dict[str, Any]:
    """analysis.json: per feature, by how much the objective gets worse when its values are shuffled among the rows.

    The outer form is that of Clarify's report; the section says what it is, and is not called ``kernel_shap``.
    """
    rows = rows.at(np.arange(min(len(rows), _MOST_ROWS)))
    return {
        "version": "1.0",
        "generated_by": SIGNED,
        "explanations": {
            "permutation_importance": {
                "description": (
                    f"Permutation importance, not SHAP: the loss in {question.objective} on rows held back when the"
                    f" values of one feature are shuffled, averaged over {_REPEATS} shuffles."
                ),
                "objective": question.objective,
                "item_count": len(rows),
                "repeats": _REPEATS,
                "global_importance": importances(model, question, rows),
            }
        },
    }


def importances(model: Model, question: Question, rows: Rows) -> dict[str, float]:
    """Loss per feature, 0 for those that the model does not look at; below 0 it does better without."""
    draw = np.random.RandomState(question.seed)
    whole = _gain(model, question, rows, rows.frame)
    found = dict.fromkeys(rows.frame.columns, 0.0)
    for name in [*model.schema.numeric, *model.schema.categories]:
        losses = []
        for _ in range(_REPEATS):
            shuffled = rows.frame[name].to_numpy()[draw.permutation(len(rows))]
            losses.append(whole - _gain(model, question, rows, rows.frame.assign(**{name: shuffled})))
        found[name] = float(np.mean(losses))
    return found


def _gain(model: Model, question: Question, rows: Rows, frame: Any) -> float:
    return gain(question.objective, measured(model.problem, rows.truth, model.scores(frame), rows.weights))
