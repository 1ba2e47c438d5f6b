"""Which predictions are positive: given with the data, or what a model's answers mean (SDK: ModelPredictedLabelConfig)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ml_contract import JobError

from clarify.answers import Answer
from clarify.config import Config
from clarify.dataset import Dataset
from clarify.groups import Selection, canonical, written
from clarify.model import Model
from clarify.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    Mask = np.ndarray[Any, np.dtype[np.bool_]]


def given(dataset: Dataset, positive: Selection) -> Mask:
    """Whose predicted label, a column of the data, is positive."""
    assert dataset.predicted is not None, "the configuration says that they are given"
    column = dataset.frame[dataset.predicted]
    if column.null_count():
        raise JobError(
            f"predicted_label: column {column.name!r} has {column.null_count()} rows without a value"
        )
    _require_known(column.to_list(), dataset, positive)
    return positive.holds(column.to_list(), "predicted_label")


def asked(model: Model, dataset: Dataset, config: Config, positive: Selection) -> Mask:
    """Whose label is positive as the model predicts it."""
    labels = labels_of(model.answers(dataset.frame.select(dataset.features)), config, positive)
    _require_known(labels, dataset, positive)
    return positive.holds(labels, "the model's answers")


def labels_of(found: Sequence[Answer], config: Config, positive: Selection) -> list[Any]:
    """The predicted label of each answer.

    It is the label of the highest score where there are several; what predictor.label finds where that is a label; else
    the score itself where labels are compared with a threshold, or whether it is above probability_threshold.

    Raises:
        JobError: the answers have several scores, and nothing says which labels these are of.
    """
    assert config.predictor is not None, "there are answers, so there is a predictor"
    headers = config.predictor.label_headers
    names = [_names(answer, headers) for answer in found]
    if any(names):
        return [_likeliest(answer, names[i]) for i, answer in enumerate(found)]
    labels = [answer.label for answer in found]
    if all(label is not None for label in labels) and not _are_scores(labels, positive):
        return labels
    return _from_scores(found, config, positive)


def _names(answer: Answer, headers: tuple[Any, ...]) -> list[Any]:
    """The labels that the scores are of; empty when there is but one score."""
    if isinstance(answer.label, list):
        return answer.label
    return list(headers) if answer.label is None and len(headers) > 1 else []


def _likeliest(answer: Answer, names: list[Any]) -> Any:
    if not answer.scores or len(answer.scores) != len(names):
        raise JobError(
            f"The model answers {len(answer.scores or ())} scores for {len(names)} labels ({listed(names)});"
            " predictor.label_headers (or predictor.label) and predictor.probability must go together"
        )
    return names[int(np.argmax(answer.scores))]


def _are_scores(labels: list[Any], positive: Selection) -> bool:
    """Whether the numbers found as labels are probabilities: fractions, where the data's labels are values."""
    numbers = [canonical(label) for label in labels]
    fractions = any(isinstance(number, float) and not number.is_integer() for number in numbers)
    return positive.bound is None and fractions and not set(numbers) & set(positive.values)


def _from_scores(found: Sequence[Answer], config: Config, positive: Selection) -> list[Any]:
    assert config.predictor is not None, "there are answers, so there is a predictor"
    scores = [_single(answer) for answer in found]
    if positive.bound is not None:
        return scores
    headers = config.predictor.label_headers
    above, below = (headers[0], None) if headers else (1, 0)
    return [above if score > config.probability_threshold else below for score in scores]


def _single(answer: Answer) -> float:
    scores = (answer.label,) if isinstance(answer.label, (int, float)) else answer.scores
    if isinstance(answer.label, str):
        scores = (float(answer.label),)
    if scores is None or len(scores) != 1:
        raise JobError(
            f"The model answers {len(scores or ())} scores for each record: set predictor.label_headers to the labels"
            " that they are of, or predictor.label to where the answer has the label"
        )
    return float(scores[0])


def _require_known(labels: list[Any], dataset: Dataset, positive: Selection) -> None:
    """Make sure that predicted labels are of the kind of the observed ones: else no metric means anything.

    Raises:
        JobError: not one of them is an observed label, or one that counts as positive.
    """
    if positive.bound is not None or dataset.label is None:
        return
    observed = {
        canonical(value) for value in dataset.frame[dataset.label].unique().to_list()
    } | positive.values
    predicted = {canonical(label) for label in labels if label is not None}
    if predicted and not predicted & observed:
        raise JobError(
            f"The predicted labels ({listed(sorted(map(written, predicted)))}) are none of column {dataset.label!r}"
            f" ({listed(sorted(map(written, observed)))}): set predictor.label_headers to the labels of the model's scores,"
            " or label_values_or_threshold to a value that is predicted"
        )
