"""One column, looked at batch by batch: what types its values are of, its numbers, its texts.

Types are told as Deequ's ``DataType`` tells them from text; see the package. Most columns are one thing throughout, so the cheap
question is asked first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, inf, nan, sqrt

import polars as pl

from model_monitor.distinct import DistinctCount
from model_monitor.histogram import Histogram
from model_monitor.kll import Sketch

INTEGRAL, FRACTIONAL, STRING, UNKNOWN = "Integral", "Fractional", "String", "Unknown"
NUMERIC = frozenset({INTEGRAL, FRACTIONAL})
_INTEGRAL = r"^[-+]? ?[0-9]+$"
_FRACTIONAL = r"^[-+]? ?(?:[0-9]+\.[0-9]*|\.[0-9]+)$"


class Numbers:
    """Moments, extremes and sketch of a stream of finite numbers."""

    def __init__(self) -> None:
        self.count = 0
        self._mean = 0.0
        self.least, self.greatest = inf, -inf
        self.sketch = Sketch()
        self._squares = 0.0  # of the distances from the mean
        self._sums: list[float] = []

    def add(self, values: pl.Series) -> None:
        count = len(values)
        if not count:
            return
        total = float(values.sum())
        apart = total / count - self._mean if self.count else 0.0
        together = self.count + count
        # Chan, Golub, LeVeque: two batches' moments are put together without the square of a large number.
        self._squares += _variance(values) * count + apart * apart * self.count * count / together
        self._mean = self._mean + apart * count / together if self.count else total / count
        self.count = together
        self._sums.append(total)
        self.least = min(self.least, float(values.min()))  # type: ignore[arg-type]  # not empty, and numbers
        self.greatest = max(self.greatest, float(values.max()))  # type: ignore[arg-type]  # likewise
        self.sketch.add(values.to_numpy())

    @property
    def total(self) -> float:
        try:
            return fsum(self._sums)
        except (OverflowError, ValueError):  # more than a float can hold, in both directions
            return nan

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def deviation(self) -> float:
        """The population's standard deviation, as Deequ's (StandardDeviation is ``stddev_pop``)."""
        return sqrt(self._squares / self.count)


def _variance(values: pl.Series) -> float:
    """The population's; infinite when a float cannot hold it."""
    variance = values.var(ddof=0)
    return float(variance) if isinstance(variance, float) else 0.0


class Texts:
    """Distinct values and histogram of a stream of texts."""

    def __init__(self, wanted: Iterable[str] = ()) -> None:
        self.distinct = DistinctCount()
        self.histogram = Histogram(wanted)

    def add(self, values: pl.Series) -> None:
        self.distinct.add(values)
        self.histogram.add(values)


@dataclass(frozen=True)
class Expected:
    """What a baseline asks about a column: its type there, and the texts whose counts are needed."""

    type: str = UNKNOWN
    texts: tuple[str, ...] = ()


class Column:
    """One column so far.

    Attributes:
        present: values that are not missing.
        integral, fractional: how many of them read as such; no longer counted once the column is text, unless that is `Expected`.
        numbers: None when a value was no number.
        texts: None while all values are numbers and nobody asked.
        late: earlier values are not in `texts`: whoever needs them must pass them again, by `add_texts`.
        odd: the first value that is no number, and came after numbers.
    """

    def __init__(self, name: str, expected: Expected | None = None, *, keep_texts: bool = False) -> None:
        self.name = name
        self.present = self.integral = self.fractional = 0
        self.numbers: Numbers | None = Numbers()
        self._expected = expected or Expected()
        self._keep = keep_texts or self._expected.type == STRING or bool(self._expected.texts)
        self.texts = Texts(self._expected.texts) if self._keep else None
        self.late = False
        self.odd = ""

    @property
    def type(self) -> str:
        if not self.present:
            return UNKNOWN
        if self.numbers is None:
            return STRING
        return FRACTIONAL if self.fractional else INTEGRAL

    def add(self, values: pl.Series) -> None:
        """Take the values of one batch, as text; null and the empty text are missing."""
        values = _present(values)
        if self.numbers is not None or self._expected.type in NUMERIC:
            self._add_numbers(values)
        self.present += len(values)
        if self.texts is not None and not self.late:
            self.texts.add(values)

    def _add_numbers(self, values: pl.Series) -> None:
        integral, fractional, numbers = _read(values, likely_fractional=self.fractional > 0)
        self.integral += integral
        self.fractional += fractional
        if self.numbers is None:
            return
        if numbers is not None:
            self.numbers.add(numbers)
            return
        self.numbers = None
        if integral or fractional or self.present:
            self.odd = next(iter(values.filter(~_matches(values)).head(1)), str(values[0]))
        if self.texts is None:
            self.texts = Texts(self._expected.texts)
            self.late = self.present > 0

    def add_texts(self, values: pl.Series) -> None:
        """Take the values of a batch again, for the texts only."""
        assert self.texts is not None
        self.texts.add(_present(values))


def _present(values: pl.Series) -> pl.Series:
    return values.filter(values != "")


def _matches(values: pl.Series) -> pl.Series:
    return values.str.contains(_INTEGRAL) | values.str.contains(_FRACTIONAL)


def _read(values: pl.Series, *, likely_fractional: bool) -> tuple[int, int, pl.Series | None]:
    """How many are Integral, how many Fractional, and all as numbers when they all are."""
    if not likely_fractional:
        whole = values.cast(pl.Int64, strict=False)
        if not whole.null_count():
            return len(values), 0, whole.cast(pl.Float64)
    fractional = int(values.str.contains(_FRACTIONAL).sum())
    integral = 0
    if fractional < len(values):
        integral = int(values.str.contains(_INTEGRAL).sum())
    if integral + fractional < len(values):
        return integral, fractional, None
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count():
        numbers = values.str.replace(" ", "", literal=True).cast(pl.Float64)
    # So many digits that a float cannot hold them are no number to anybody downstream.
    return integral, fractional, numbers if numbers.is_finite().all() else None
