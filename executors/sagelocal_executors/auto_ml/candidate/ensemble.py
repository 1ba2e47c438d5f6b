"""How much each member of an ensemble says: greedy selection (Caruana et al., 2004)."""

from __future__ import annotations

from typing import Any

from .algorithms import fitted
from .features import Schema, look_at, matrix
from .model import answers
from .question import Question
from .rows import Rows
from .scores import gain, measured
from .splitting import split

_ROUNDS = 20


def members_of(
    wanted: list[dict[str, Any]], question: Question, schema: Schema, rows: Rows
) -> tuple[tuple[float, Any], ...]:
    """Weights that are right for these members, and the members fitted on all rows.

    The weights come from rows held back within the training part: the validation part has no say in what it judges.
    """
    return tuple(
        (weight, fitted(member["algorithm"], member["parameters"], question, schema, rows))
        for weight, member in zip(weights_of(wanted, question, rows), wanted)  # noqa: B905 - Python 3.8 has no strict
        if weight
    )


def weights_of(wanted: list[dict[str, Any]], question: Question, rows: Rows) -> list[float]:
    """What share each member has after rounds in which the member is added that helps most, of equals the first."""
    kept, held_back = split(rows.truth, question.fraction, question.seed + 1, stratified=question.classifies)
    inner, judges = rows.at(kept), rows.at(held_back)
    schema = look_at(inner.frame)
    features = matrix(judges.frame, schema)
    said = [
        answers(
            fitted(each["algorithm"], each["parameters"], question, schema, inner), features, question.problem
        )
        for each in wanted
    ]
    counts = [0] * len(wanted)
    total = 0 * said[0]
    for size in range(1, _ROUNDS + 1):
        gains = [_gain(question, judges, (total + answer) / size) for answer in said]
        best = gains.index(max(gains))
        counts[best] += 1
        total = total + said[best]
    return [count / _ROUNDS for count in counts]


def _gain(question: Question, rows: Rows, scores: Any) -> float:
    return gain(question.objective, measured(question.problem, rows.truth, scores, rows.weights))
