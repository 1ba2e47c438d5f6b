"""Event patterns: which events a rule wants."""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.values import Json

Holds = Callable[[Any], bool]
"""Whether a condition holds for the values at its place in an event: a list, empty when there is nothing."""

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}


class PatternError(ValueError):
    """A pattern that EventBridge would refuse, with its reason."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that has been read.

    What it names must be in the event; fields of a pattern are joined by *and*, the items of a list by *or*, and an
    event's list matches when one of its items does (EventBridge user guide, "Event patterns").
    """

    _holds: Holds

    def matches(self, event: Mapping[str, Json]) -> bool:
        return self._holds([event])


def parse_pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        PatternError: it is no JSON object, or has operators that do not exist.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        message = "Invalid JSON"
        raise PatternError(message) from None
    if not isinstance(content, dict):
        message = "Filter is not an object"
        raise PatternError(message)
    return Pattern(_object(content))


def _object(content: Mapping[str, Any]) -> Holds:
    if not content:
        message = "Empty objects are not allowed"
        raise PatternError(message)
    fields = [_field(name, wanted) for name, wanted in content.items()]
    # One and the same object must have all of them.
    return lambda found: any(all(field(each) for field in fields) for each in found)


def _field(name: str, wanted: Any) -> Holds:
    if name == "$or" and isinstance(wanted, list) and all(isinstance(each, dict) for each in wanted):
        if len(wanted) < 2:
            message = "There must have at least 2 Objects in $or relationship"
            raise PatternError(message)
        choices = [_object(each) for each in wanted]
        return lambda event: any(choice([event]) for choice in choices)
    if isinstance(wanted, dict):
        inner = _object(wanted)
    elif isinstance(wanted, list):
        inner = _list(wanted)
    else:
        message = f'"{name}" must be an object or an array'
        raise PatternError(message)
    return lambda event: inner(list(_values(event, name)))


def _values(event: Any, name: str) -> Iterator[Any]:
    """What the field holds; the items of a list."""
    if isinstance(event, Mapping) and name in event:
        found = event[name]
        if isinstance(found, list | tuple):
            yield from found
        else:
            yield found


def _list(wanted: list[Any]) -> Holds:
    if not wanted:
        message = "Empty arrays are not allowed"
        raise PatternError(message)
    choices = [_item(each) for each in wanted]
    return lambda found: any(choice(found) for choice in choices)


def _item(wanted: Any) -> Holds:
    if not isinstance(wanted, dict):
        if isinstance(wanted, list):
            message = "Match value must be String, number, true, false, or null"
            raise PatternError(message)
        return _some(_equals(wanted))
    if len(wanted) != 1:
        message = "Only one key allowed in match expression"
        raise PatternError(message)
    [(name, operand)] = wanted.items()
    if name == "exists":
        if not isinstance(operand, bool):
            message = "exists match pattern must be either true or false."
            raise PatternError(message)
        # Only leaves exist in this sense: not an object that has further fields.
        return lambda found: any(not isinstance(each, Mapping) for each in found) is operand
    if name not in _OPERATORS:
        message = f"Unrecognized match type {name}"
        raise PatternError(message)
    return _some(_OPERATORS[name](operand))


def _some(holds: Holds) -> Holds:
    return lambda found: any(holds(each) for each in found)


def _equals(wanted: Any) -> Holds:
    # To Python true is 1, to JSON it is not.
    return lambda value: value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _text(operand: Any, name: str) -> str:
    if not isinstance(operand, str):
        message = f"{name} match pattern must be a string"
        raise PatternError(message)
    return operand


def _affix(name: str, holds: Callable[[str, str], bool]) -> Callable[[Any], Holds]:
    """An operator on the beginning or end of a text, which may also be asked for whatever its case."""

    def operator_of(operand: Any) -> Holds:
        if isinstance(operand, dict) and list(operand) == ["equals-ignore-case"]:
            folded = _text(operand["equals-ignore-case"], name).casefold()
            return lambda value: isinstance(value, str) and holds(value.casefold(), folded)
        wanted = _text(operand, name)
        return lambda value: isinstance(value, str) and holds(value, wanted)

    return operator_of


def _ignoring_case(operand: Any) -> Holds:
    folded = _text(operand, "equals-ignore-case").casefold()
    return lambda value: isinstance(value, str) and value.casefold() == folded


def _wildcard(operand: Any) -> Holds:
    text = _text(operand, "wildcard")
    if "**" in text:
        message = "Consecutive wildcard characters"
        raise PatternError(message)
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", text)
    pattern = "".join(".*" if part == "*" else re.escape(re.sub(r"^\\(?=[*\\])", "", part)) for part in parts)
    compiled = re.compile(pattern, re.DOTALL)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _numeric(operand: Any) -> Holds:
    pairs = list(zip(operand[::2], operand[1::2], strict=False)) if isinstance(operand, list) else []
    if not pairs or len(operand) % 2 or len(pairs) > 2:
        message = "Value of numeric must be an array of one or two comparisons"
        raise PatternError(message)
    for sign, number in pairs:
        if sign not in _COMPARE:
            message = f"Unrecognized numeric range operator: {sign}"
            raise PatternError(message)
        if not _is_number(number):
            message = f"Value of {sign} must be numeric"
            raise PatternError(message)
    return lambda value: _is_number(value) and all(_COMPARE[sign](value, number) for sign, number in pairs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(operand: Any) -> Holds:
    try:
        network = ipaddress.ip_network(_text(operand, "cidr"), strict=False)
    except ValueError as error:
        message = f"Malformed CIDR: {error}"
        raise PatternError(message) from None

    def inside(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return inside


def _anything_but(operand: Any) -> Holds:
    """Any value but those: a text, a number, a list of them, or what one of four operators means."""
    if isinstance(operand, dict):
        if len(operand) != 1 or next(iter(operand)) not in _BUT:
            message = f"Unsupported anything-but pattern: {', '.join(operand)}"
            raise PatternError(message)
        [(name, wanted)] = operand.items()
        unwanted = [_OPERATORS[name](each) for each in (wanted if isinstance(wanted, list) else [wanted])]
    else:
        values = operand if isinstance(operand, list) else [operand]
        if not values or not all(isinstance(each, str) or _is_number(each) for each in values):
            message = "Inside anything-but list, either all values are number or string"
            raise PatternError(message)
        unwanted = [_equals(each) for each in values]
    return lambda value: not any(holds(value) for holds in unwanted)


_OPERATORS: Mapping[str, Callable[[Any], Holds]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _ignoring_case,
    "numeric": _numeric,
    "prefix": _affix("prefix", str.startswith),
    "suffix": _affix("suffix", str.endswith),
    "wildcard": _wildcard,
}
_BUT = ("equals-ignore-case", "prefix", "suffix", "wildcard")
