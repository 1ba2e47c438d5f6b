"""What the bias metrics of one sensitive group are computed from, in the notation of AWS's guide: facets a and d."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Codes = np.ndarray[Any, np.dtype[np.int64]]

EMPTY_FACET = "Facet set is empty"
EMPTY_REST = "Negated facet set is empty"


class UndefinedError(Exception):
    """The metric has no value here; the text says why, and stands in the report."""


class Confusion(NamedTuple):
    """How often the predicted labels of a facet are right and wrong."""

    tp: int
    fp: int
    tn: int
    fn: int


@dataclass(frozen=True)
class Sample:
    """The rows that have a label and a facet value.

    Attributes:
        sensitive: facet d, the group whose disadvantage is measured; all other rows are facet a.
        positive: whose observed label is positive.
        labels: the observed labels as numbers of categories: of each value, or of whether it is above the threshold.
        group: the number of the subgroup for the conditional metrics.
        predicted: whose predicted label is positive.
        features: for the nearest neighbours of the flip test, without the facet itself.
    """

    sensitive: Mask
    positive: Mask
    labels: Codes
    group: Codes | None = None
    predicted: Mask | None = None
    features: pl.DataFrame | None = None

    @property
    def other(self) -> Mask:
        return ~self.sensitive

    def require_both(self) -> None:
        if not self.sensitive.any():
            raise UndefinedError(EMPTY_FACET)
        if self.sensitive.all():
            raise UndefinedError(EMPTY_REST)

    def confusion(self, facet: Mask) -> Confusion:
        assert self.predicted is not None, "only metrics of predictions ask for their quality"
        y, guess = self.positive[facet], self.predicted[facet]
        return Confusion(count(y & guess), count(~y & guess), count(~y & ~guess), count(y & ~guess))


def count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def ratio(part: float, whole: float, what: str) -> float:
    """Infinite when only the denominator is zero, as the limit is.

    Raises:
        UndefinedError: both are zero; says that there is no `what`.
    """
    if whole:
        return part / whole
    if part:
        return float("inf")
    raise UndefinedError(f"Undefined, 0/0: there are no {what}")


def difference(first: float, second: float) -> float:
    """Raise UndefinedError for the difference of two infinities."""
    if first == second == float("inf"):
        raise UndefinedError("Undefined: the difference of two infinite ratios")
    return first - second


def demographic_disparity(sample: Sample, positive: Mask) -> float:
    """The conditional demographic disparity: that of each subgroup, weighted by its number of rows.

    The share of a facet in the outcomes of a subgroup that has no such outcome is taken as zero.

    Raises:
        UndefinedError: there are no subgroups, or only one kind of outcome.
    """
    if sample.group is None:
        raise UndefinedError("Group variable is empty or not provided")
    sample.require_both()
    if not positive.any():
        raise UndefinedError("No positive labels in set")
    if positive.all():
        raise UndefinedError("No negative labels in set")
    rejected, accepted = (_shares(sample, outcome) for outcome in (~positive, positive))
    return float(np.average(rejected - accepted, weights=np.bincount(sample.group)))


def _shares(sample: Sample, outcome: Mask) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of facet d among the rows of each subgroup that have this outcome."""
    assert sample.group is not None, "the caller has looked"
    subgroups = int(sample.group.max()) + 1
    of_d = np.bincount(sample.group[outcome & sample.sensitive], minlength=subgroups)
    return of_d / np.maximum(np.bincount(sample.group[outcome], minlength=subgroups), 1)
