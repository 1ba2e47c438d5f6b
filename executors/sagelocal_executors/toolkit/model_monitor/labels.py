"""Labels of a classification, as text that means the same however it was written."""

from __future__ import annotations

import polars as pl

from model_monitor.attributes import Attribute
from model_monitor.classification import Ints

_BINARY = {"0": 0, "1": 1, "false": 0, "true": 1}


def binary(attribute: Attribute) -> Ints:
    """1 for the positive label: 1 or true, however they are written.

    Raises:
        JobError: naming file and record, when a label is neither positive nor negative.
    """
    known = canonical(attribute.values).str.to_lowercase()
    labels = known.replace_strict(_BINARY, default=None, return_dtype=pl.Int64)
    attribute.refuse(labels.is_null(), "but labels of BinaryClassification are 0 and 1, or true and false")
    return labels.to_numpy()


def canonical(values: pl.Series) -> pl.Series:
    """``1.0`` and ``01`` are ``1``, when all are numbers without fractions."""
    numbers = values.cast(pl.Float64, strict=False)
    whole = numbers.is_finite() & (numbers == numbers.floor()) & (numbers.abs() < 2**53)
    if not whole.fill_null(value=False).all():
        return values
    return numbers.cast(pl.Int64).cast(pl.String)


def encoded(truth: Attribute, predicted: Attribute) -> tuple[list[str], Ints, Ints]:
    """All labels in order (by number when they are numbers), and what was true and predicted as indexes into them."""
    both = canonical(pl.concat([truth.values, predicted.values.rename(truth.values.name)]))
    names = sorted(both.unique().to_list(), key=_order)
    codes = both.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    return names, codes[: len(truth.values)], codes[len(truth.values) :]


def _order(label: str) -> tuple[bool, float, str]:
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label
