"""The rows of the training and of the validation part, cleaned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .question import DataError, Question
from .splitting import split
from .tables import no_column, read_channel

Array = Any
"""A numpy array: newer stubs want parameters that older numpys do not know."""


@dataclass(frozen=True)
class Rows:
    """Features, what is true of them, and how much each row counts.

    Attributes:
        frame: the features as texts.
        truth: numbers for a regression, else the index of the class.
        weights: None when all count alike.
    """

    frame: pd.DataFrame
    truth: Array
    weights: Array | None

    def at(self, where: Array) -> Rows:
        """Those of the given positions."""
        weights = None if self.weights is None else self.weights[where]
        return Rows(self.frame.iloc[where].reset_index(drop=True), self.truth[where], weights)

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Parts:
    """What a candidate may learn from, what it is judged by, and the classes in the order of their indices."""

    training: Rows
    validation: Rows
    classes: tuple[str, ...]


def bring(question: Question, data: Path) -> Parts:
    """Read the channels below `data`; a lone training channel is split.

    Raises:
        DataError: from the files, or because they do not fit the question.
    """
    training, validation = channels(question, data)
    classes = ordered(training[question.target]) if question.classifies else ()
    rows = _rows(training, question, classes)
    if validation is not None:
        return Parts(rows, _rows(validation, question, classes), classes)
    kept, held_back = split(rows.truth, question.fraction, question.seed, stratified=question.classifies)
    return Parts(rows.at(kept), rows.at(held_back), classes)


def channels(question: Question, data: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The tables of the training and of the validation channel, without the rows that cannot count."""
    training = _usable(read_channel(data / "training"), question)
    held_back = data / "validation"
    return training, _usable(read_channel(held_back), question) if held_back.is_dir() else None


def ordered(labels: pd.Series) -> tuple[str, ...]:
    """The classes by number when all are numbers, else by text; of two classes the last is the positive one."""
    texts = sorted({str(label) for label in labels})
    try:
        return tuple(sorted(texts, key=float))
    except ValueError:
        return tuple(texts)


def _usable(table: pd.DataFrame, question: Question) -> pd.DataFrame:
    """The rows that have a target, and a weight that is a number from 0 on."""
    columns = [str(name) for name in table.columns]
    if question.target not in columns:
        raise no_column(question.target, columns, "TargetAttributeName")
    usable = table[question.target].notna()
    if question.weight:
        if question.weight not in columns:
            raise no_column(question.weight, columns, "SampleWeightAttributeName")
        usable &= pd.to_numeric(table[question.weight], errors="coerce") >= 0
    if not usable.any():
        raise DataError(f"no row has a value of {question.target!r} that could be learnt from")
    return table[usable].reset_index(drop=True)


def _rows(table: pd.DataFrame, question: Question, classes: tuple[str, ...]) -> Rows:
    target = table[question.target]
    truth = _indices(target, classes, question) if question.classifies else _numbers(target, question)
    weights = pd.to_numeric(table[question.weight]).to_numpy(dtype=float) if question.weight else None
    features = table.drop(columns=[name for name in (question.target, question.weight) if name])
    return Rows(features, truth, weights)


def _numbers(target: pd.Series, question: Question) -> Array:
    numbers = pd.to_numeric(target, errors="coerce")
    bad = target[~np.isfinite(numbers.to_numpy(dtype=float))]
    if len(bad):
        raise DataError(
            f"the target {question.target!r} of a regression holds {str(bad.iloc[0])!r}, which is no number"
        )
    return numbers.to_numpy(dtype=float)


def _indices(target: pd.Series, classes: tuple[str, ...], question: Question) -> Array:
    index = {label: number for number, label in enumerate(classes)}
    unknown = sorted({str(label) for label in target} - index.keys())
    if unknown:
        raise DataError(
            f"the validation channel has classes of {question.target!r} that the training channel lacks: {unknown[:5]}"
        )
    return np.array([index[str(label)] for label in target], dtype=int)
