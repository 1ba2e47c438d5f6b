"""The hyperparameters to tune, each as a way from the unit interval to a text and back.

Every strategy works in the unit cube, so that a scale means the same to all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Values = Mapping[str, str]
"""Hyperparameters by name, as the training job gets them."""

_ORDERS_OF_MAGNITUDE = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """Where equal distances mean equal interest: `to` leads there, `back` from there."""

    to: Callable[[float], float]
    back: Callable[[float], float]


_LINEAR = Scale(float, float)
_LOGARITHMIC = Scale(math.log, math.exp)
_REVERSE = Scale(lambda value: -math.log1p(-value), lambda place: -math.expm1(-place))
SCALES = {"Linear": _LINEAR, "Logarithmic": _LOGARITHMIC, "ReverseLogarithmic": _REVERSE}


def scale_of(scaling: str, low: float, high: float) -> Scale:
    """The scale of that ScalingType; for Auto, logarithmic where the range spans two orders of magnitude."""
    if scaling == "Auto":
        return _LOGARITHMIC if low > 0 and high >= low * 10**_ORDERS_OF_MAGNITUDE else _LINEAR
    return SCALES[scaling]


class Range(Protocol):
    """One tunable hyperparameter."""

    @property
    def name(self) -> str: ...

    def at(self, share: float) -> str:
        """The value that far along the range, from 0 to 1."""

    def share(self, text: str) -> float | None:
        """How far along the range a value lies, so that `at` gives it again; None when it is outside."""


@dataclass(frozen=True, slots=True)
class Continuous:
    """ContinuousParameterRange."""

    name: str
    low: float
    high: float
    scale: Scale = field(repr=False)

    def at(self, share: float) -> str:
        return repr(min(max(_along(self.scale, self.low, self.high, share), self.low), self.high))

    def share(self, text: str) -> float | None:
        value = number(text)
        if value is None or not self.low <= value <= self.high:
            return None
        return _place(self.scale, self.low, self.high, value)


@dataclass(frozen=True, slots=True)
class Integer:
    """IntegerParameterRange: each value has the stretch from half below it to half above it."""

    name: str
    low: int
    high: int
    scale: Scale = field(repr=False)

    def at(self, share: float) -> str:
        value = math.floor(_along(self.scale, self.low - 0.5, self.high + 0.5, share) + 0.5)
        return str(min(max(value, self.low), self.high))

    def share(self, text: str) -> float | None:
        value = whole(text)
        if value is None or not self.low <= value <= self.high:
            return None
        return _place(self.scale, self.low - 0.5, self.high + 0.5, value)


@dataclass(frozen=True, slots=True)
class Categorical:
    """CategoricalParameterRange: each value has an equal stretch."""

    name: str
    values: Sequence[str]

    def at(self, share: float) -> str:
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def share(self, text: str) -> float | None:
        return (self.values.index(text) + 0.5) / len(self.values) if text in self.values else None


def number(text: str) -> float | None:
    """The finite number that the text says; None when it says none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """The whole number that the text says, ``8`` or ``8.0``; None when it says none."""
    try:
        return int(text)
    except ValueError:
        value = number(text)
    return int(value) if value is not None and value.is_integer() else None


def _along(scale: Scale, low: float, high: float, share: float) -> float:
    start, end = scale.to(low), scale.to(high)
    return scale.back(start + share * (end - start))


def _place(scale: Scale, low: float, high: float, value: float) -> float:
    start, end = scale.to(low), scale.to(high)
    return min(max((scale.to(value) - start) / (end - start), 0.0), 1.0)
