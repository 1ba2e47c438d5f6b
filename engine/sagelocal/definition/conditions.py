"""The kinds of condition, as data."""

from __future__ import annotations

from dataclasses import dataclass

from sagelocal.values import Json


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands, literal or expression.

    Attributes:
        type: ``Equals``, ``GreaterThan``, ``GreaterThanOrEqualTo``, ``LessThan`` or ``LessThanOrEqualTo``.
        left: the ``LeftValue``.
        right: the ``RightValue``.
    """

    type: str
    left: Json
    right: Json


@dataclass(frozen=True, slots=True)
class Membership:
    """``In``: whether `query` equals one of `values`."""

    query: Json
    values: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of `condition`; ``NotEquals`` and ``NotIn`` are read as this too."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Or:
    """Whether at least one of `conditions` holds, read from the left."""

    conditions: tuple[Condition, ...]


Condition = Comparison | Membership | Not | Or
