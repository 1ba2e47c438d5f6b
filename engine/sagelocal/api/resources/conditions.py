"""Whether a record satisfies a SearchExpression (API: Search)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sagelocal.api.requests import Request
from sagelocal.values import Json, JsonObject

_IS_NUMBER: Final = re.compile(r"^[-+\d]+\.\d+$|^\d{4}-\d\d-\d\dT")


def satisfies(record: JsonObject, expression: Request) -> bool:
    """Whether all that the expression says holds for the record, or any of it by the operator Or; nothing said holds."""
    tests = [
        *(_holds(record, each) for each in expression.get("Filters", ())),
        *(_nested(record, each) for each in expression.get("NestedFilters", ())),
        *(satisfies(record, each) for each in expression.get("SubExpressions", ())),
    ]
    return any(tests) if tests and expression.get("Operator") == "Or" else all(tests)


def names(expression: Request) -> Iterator[str]:
    """The properties that the expression looks at."""
    for each in expression.get("Filters", ()):
        yield each["Name"]
    for each in expression.get("NestedFilters", ()):
        yield each["NestedPropertyName"]
        yield from (inner["Name"] for inner in each["Filters"])
    for each in expression.get("SubExpressions", ()):
        yield from names(each)


def values(record: Json, path: Sequence[str]) -> Iterator[Json]:
    """What a record has at a path, in every element of the lists on the way.

    Names may have dots themselves, and their case does not matter.
    """
    if isinstance(record, list | tuple):
        for each in record:
            yield from values(each, path)
    elif not path:
        if record is not None:
            yield record
    elif isinstance(record, Mapping):
        for length in range(1, len(path) + 1):
            name = _spelled(record, ".".join(path[:length]))
            if name is not None:
                yield from values(record[name], path[length:])


def _spelled(record: JsonObject, name: str) -> str | None:
    """A member of that name as it is spelled; the SDK's documentation sorts by ``metrics.test:accuracy.max``."""
    if name in record:
        return name
    return next((each for each in record if each.lower() == name.lower()), None)


def number(value: Json) -> float | None:
    """What can be compared as a number: also a moment, also when it is written as text."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    try:
        found = float(text)
    except ValueError:
        return _moment(text)
    return found if math.isfinite(found) else None


def _moment(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _nested(record: JsonObject, nested: Request) -> bool:
    """Whether one element of a list satisfies all filters, which name its members by their whole path."""
    prefix = nested["NestedPropertyName"]
    filters = [{**each, "Name": each["Name"].removeprefix(f"{prefix}.")} for each in nested["Filters"]]
    elements = (each for each in values(record, prefix.split(".")) if isinstance(each, Mapping))
    return any(all(_holds(element, each) for each in filters) for element in elements)


def _holds(record: JsonObject, condition: Request) -> bool:
    found = [each for each in values(record, condition["Name"].split(".")) if not isinstance(each, Mapping)]
    has = bool(found) or any(True for _ in values(record, condition["Name"].split(".")))
    operator, wanted = condition.get("Operator", "Equals"), condition.get("Value", "")
    match operator:
        case "Exists":
            return has
        case "NotExists":
            return not has
        case "NotEquals":
            return not any(_equals(each, wanted) for each in found)
    return any(_OPERATORS[operator](each, wanted) for each in found)


def _equals(value: Json, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted.lower() == str(value).lower()
    if str(value) == wanted:
        return True
    # The texts 1 and 01 are two, yet 0.5 and 0.50 are one, and so are two ways to write a moment.
    if isinstance(value, str) and not _IS_NUMBER.search(value):
        return False
    one, other = number(value), number(wanted)
    return one is not None and one == other


def _compared(test: Callable[[float, float], bool]) -> Callable[[Json, str], bool]:
    def compare(value: Json, wanted: str) -> bool:
        one, other = number(value), number(wanted)
        return one is not None and other is not None and test(one, other)

    return compare


_OPERATORS: Final[Mapping[str, Callable[[Json, str], bool]]] = {
    "Equals": _equals,
    "GreaterThan": _compared(lambda one, other: one > other),
    "GreaterThanOrEqualTo": _compared(lambda one, other: one >= other),
    "LessThan": _compared(lambda one, other: one < other),
    "LessThanOrEqualTo": _compared(lambda one, other: one <= other),
    "Contains": lambda value, wanted: wanted in str(value),
    "In": lambda value, wanted: any(_equals(value, each.strip()) for each in wanted.split(",")),
}
