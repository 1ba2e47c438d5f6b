"""Conditions, read from JSON (semantics 03 §3.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sagelocal.definition.conditions import Comparison, Condition, Membership, Not, Or
from sagelocal.definition.place import Place
from sagelocal.definition.read_expressions import check_operand
from sagelocal.values import Json, JsonObject

_COMPARISONS = ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo")
_NOTHING = Or(())
"""Stands where no condition could be read; a definition with such a fault is refused."""


def read_conditions(place: Place, value: Json) -> tuple[Condition, ...]:
    """Read a list of conditions; what is wrong is noted."""
    return tuple(read_condition(place / index, item) for index, item in enumerate(place.array(value)))


def read_condition(place: Place, value: Json) -> Condition:
    """Read one condition; Not conditions may nest as deeply as a definition can."""
    negations = 0
    # A loop, not a recursion: 250 nested Not conditions are legal and would exhaust the stack of a deep caller.
    while isinstance(value, Mapping) and value.get("Type") == "Not":
        value = place.members(value, ("Type", "Condition"), ("Condition",)).get("Condition")
        place /= "Condition"
        negations += 1
        if value is None:
            return _NOTHING
    condition = _read_plain(place, value)
    for _ in range(negations):
        condition = Not(condition)
    return condition


def _read_plain(place: Place, value: Json) -> Condition:
    found = place.object(value)
    if not isinstance(value, Mapping) or not found:
        return _NOTHING
    kind = found.get("Type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        (place / "Type").choice(kind, (*_READERS, "Not"), "ConditionType")
        return _NOTHING
    return read(place, found)


def _read_comparison(place: Place, value: JsonObject) -> Condition:
    _check_operands(place, value, ("LeftValue", "RightValue"))
    return Comparison(str(value["Type"]), value.get("LeftValue"), value.get("RightValue"))


def _read_not_equals(place: Place, value: JsonObject) -> Condition:
    return Not(_read_comparison(place, {**value, "Type": "Equals"}))


def _read_in(place: Place, value: JsonObject) -> Condition:
    _check_operands(place, value, ("QueryValue",), others=("Values",))
    inside = place / "Values"
    values = tuple(inside.array(value.get("Values")))
    for index, item in enumerate(values):
        check_operand(inside / index, item)
    return Membership(value.get("QueryValue"), values)


def _read_not_in(place: Place, value: JsonObject) -> Condition:
    return Not(_read_in(place, value))


def _read_or(place: Place, value: JsonObject) -> Condition:
    members = place.members(value, ("Type", "Conditions"), ("Conditions",))
    return Or(read_conditions(place / "Conditions", members.get("Conditions")))


def _check_operands(
    place: Place, value: JsonObject, operands: tuple[str, ...], others: tuple[str, ...] = ()
) -> None:
    place.members(value, ("Type", *operands, *others), others)
    for name in operands:
        # An operand may be null, but it must be there.
        if name in value:
            check_operand(place / name, value[name])
        else:
            (place / name).note(f"Model Validation failed: '{name}' is required.")


_READERS: Mapping[str, Callable[[Place, JsonObject], Condition]] = {
    **dict.fromkeys(_COMPARISONS, _read_comparison),
    "In": _read_in,
    "Or": _read_or,
    "NotEquals": _read_not_equals,
    "NotIn": _read_not_in,
}
