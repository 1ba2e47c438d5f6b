"""How two resolved operands of a condition compare (semantics 03 §3.6)."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Any, Final

from sagelocal.errors import ExpressionError
from sagelocal.kinds import kind
from sagelocal.values import Json

_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
# Integer and Float are one family. Boolean is not part of it, although Python's True equals 1.
_FAMILIES: Final = {"Integer": "number", "Float": "number"}
_WITHOUT_ORDER: Final = {"Null", "List", "Structure"}


def compare(comparison: str, left: Json, right: Json) -> bool:
    """Decide ``Equals`` or one of the orderings: numbers by size, strings by code point, false before true.

    Raises:
        ExpressionError: the operands are of different types, or of one that has no order (semantics 13, U15).
    """
    if _family(left) != _family(right):
        raise ExpressionError(_mismatch(comparison, left, right))
    if comparison == "Equals":
        return left == right
    if _family(left) in _WITHOUT_ORDER:
        raise ExpressionError(f"{_unsupported(comparison, left, right)}: compare a single value inside it")
    return _ORDERINGS[comparison](left, right)


def equal(left: Json, right: Json) -> bool:
    """Decide whether two values are the same; values of different types are not."""
    return _family(left) == _family(right) and left == right


def _family(value: Json) -> str:
    name = kind(value)
    return _FAMILIES.get(name, name)


# Both texts begin as those of the SDK's local mode do, so that they are found when searched for.
def _mismatch(comparison: str, left: Json, right: Json) -> str:
    if comparison != "Equals":
        return f"{_unsupported(comparison, left, right)}. {_remedy(left, right)}"
    return f"{_sides(left, right)} are not of the same type. {_remedy(left, right)}"


def _unsupported(comparison: str, left: Json, right: Json) -> str:
    return f"Condition of type [{comparison}] not supported between {_sides(left, right)}"


def _sides(left: Json, right: Json) -> str:
    return f"LeftValue [{_shown(left)}] of type [{kind(left)}] and RightValue [{_shown(right)}] of type [{kind(right)}]"


def _shown(value: Json) -> str:
    return shorten(value if isinstance(value, str) else json.dumps(value), 100)


def _remedy(left: Json, right: Json) -> str:
    kinds = {kind(left), kind(right)}
    if "String" in kinds and kinds & {"Integer", "Float", "Boolean"}:
        other = (kinds - {"String"}).pop()
        return (
            f"A String is not converted: declare the parameter or output as {other}, "
            f"write the literal without quotes, or turn the {other} into text with Std:Join"
        )
    return "Compare values of one type; only Integer and Float mix"
