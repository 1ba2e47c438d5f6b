"""Who belongs to a sensitive group, and which labels are positive (SDK: BiasConfig)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from ml_contract import JobError

from clarify.wording import did_you_mean, listed

if TYPE_CHECKING:
    from clarify.config import Value

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

_CONTINUOUS = 0.05
"""From this share of distinct values on, whole numbers are quantities and not codes; published nowhere, so chosen here."""


@dataclass(frozen=True)
class Selection:
    """Some values of a column: those listed, or all above an exclusive bound.

    Attributes:
        text: as analysis.json calls it: ``1``, ``cat,dog``, or ``(40, 75]`` up to the column's largest value.
        given: as the configuration calls it: ``1``, ``cat,dog``, ``40``.
    """

    text: str
    given: str
    values: frozenset[object]
    bound: float | None = None

    def among(self, column: pl.Series) -> Mask:
        """For each row of a column without missing values whether it is selected."""
        if self.bound is not None:
            return (column > self.bound).to_numpy().astype(bool)
        there = column.unique()
        chosen = there.filter(
            pl.Series([canonical(value) in self.values for value in there.to_list()], dtype=pl.Boolean)
        )
        return column.is_in(chosen.implode()).to_numpy().astype(bool)

    def holds(self, items: Iterable[Any], key: str) -> Mask:
        """For each predicted label whether it is selected.

        Raises:
            JobError: it should be compared with a bound, and is no number.
        """
        if self.bound is None:
            return np.array([canonical(item) in self.values for item in items], dtype=bool)
        return numbers(items, key) > self.bound


def numbers(items: Iterable[Any], key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = list(items)
    try:
        return np.array([float(item) for item in values], dtype=float)
    except (TypeError, ValueError):
        wrong = next(item for item in values if not isinstance(canonical(item), float))
        raise JobError(
            f"{key} must be numbers, as they are compared with a threshold; there is {wrong!r}"
        ) from None


def canonical(value: object) -> object:
    """The same for 1, 1.0 and "1", as configurations, files and models write them; and for true and "True"."""
    if isinstance(value, bool) or str(value).strip().lower() in {"true", "false"}:
        return str(value).strip().lower()
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return str(value).strip()


def codes(column: pl.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The values of a column as numbers from zero; a missing one counts as a value."""
    return column.rank("dense").fill_null(0).to_numpy().astype(np.int64)


def written(value: Any) -> str:
    """A value as a report names it: a whole number has no fraction."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else f"{value}"


def selection(column: pl.Series, given: Sequence[Value], key: str) -> Selection:
    """The values that the configuration gives for a column, or what lies above its threshold.

    A single number is a threshold where the column is continuous, or where it is a fraction that the column does not
    have. Otherwise it is a value, as each of several is.
    """
    name = ",".join(written(value) for value in given)
    if len(given) == 1 and _is_threshold(column, given[0]):
        bound = given[0] if column.dtype.is_integer() else float(given[0])
        largest: Any = column.max()
        return Selection(f"({bound}, {largest}]", name, frozenset(), float(given[0]))
    _note_missing(column, given, key)
    return Selection(name, name, frozenset(canonical(value) for value in given))


def each_value(column: pl.Series, key: str) -> list[Selection]:
    """Every value of the column in turn.

    Raises:
        JobError: it is a quantity, so that it needs a threshold.
    """
    if column.dtype.is_numeric() and is_continuous(column):
        raise JobError(
            f"{key}: column {column.name!r} is continuous ({column.n_unique()} distinct numbers):"
            " set value_or_threshold to the exclusive lower bound of the sensitive group"
        )
    values = column.unique().sort().to_list()
    return [Selection(written(value), written(value), frozenset([canonical(value)])) for value in values]


def is_continuous(column: pl.Series) -> bool:
    """Whether numbers are quantities: more than two, with fractions among them, or too many to be codes."""
    distinct = column.n_unique()
    if distinct <= 2:
        return False
    if column.dtype.is_float() and bool((column != column.floor()).any()):
        return True
    return distinct >= _CONTINUOUS * column.len()


def _is_threshold(column: pl.Series, value: Value) -> bool:
    if not column.dtype.is_numeric() or isinstance(canonical(value), str):
        return False
    number = float(value)
    return is_continuous(column) or not (number.is_integer() or bool((column == number).any()))


def _note_missing(column: pl.Series, given: Sequence[Value], key: str) -> None:
    """Say which values the data does not have: it may have lost them, or they may be misspelt."""
    there = {canonical(value): value for value in column.unique().sort().to_list()}
    for value in given:
        if canonical(value) not in there:
            print(
                f"note: {key}: column {column.name!r} has no {value!r}{did_you_mean(value, there.values())};"
                f" it has {listed(there.values())}",
                flush=True,
            )
