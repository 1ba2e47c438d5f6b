"""The Arguments of a ForEach step, read from JSON (semantics 02 §2.16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sagelocal.definition.place import Place, shown
from sagelocal.definition.read_expressions import check_expressions, check_operand
from sagelocal.definition.steps import Selector, Step, StepType
from sagelocal.errors import ExpressionError
from sagelocal.references import is_expression, parse_reference
from sagelocal.values import Json

_MAX_ITEMS = 100
_MAX_CONCURRENCY = 50
_FORBIDDEN = (StepType.CONDITION, StepType.FAIL, StepType.FOR_EACH)

ReadSteps = Callable[[Place, Json], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Loop:
    """What the Arguments say."""

    iterable_items: Json
    max_concurrency: int
    selector: Selector | None
    body: tuple[Step, ...]


def read_for_each(place: Place, value: Json, read_steps: ReadSteps) -> Loop:
    """Read the Arguments; `read_steps` reads the body, which may hold any step but Condition, Fail and ForEach."""
    required = ("IterableItems", "MaxConcurrency", "ForEachBody")
    members = {} if value is None else place.members(value, (*required, "Selector"), required)
    items = members.get("IterableItems")
    if items is not None:
        _check_items(place / "IterableItems", items)
    body = _read_body(place / "ForEachBody", members.get("ForEachBody"), read_steps)
    concurrency = members.get("MaxConcurrency", 1)
    return Loop(
        items,
        (place / "MaxConcurrency").whole(concurrency, 1, _MAX_CONCURRENCY),
        _read_selector(place / "Selector", members.get("Selector"), [step.name for step in body]),
        body,
    )


def _check_items(place: Place, value: Json) -> None:
    if is_expression(value):
        check_expressions(place, value)
        return
    items = place.array(value)
    if isinstance(value, list) and not 1 <= len(items) <= _MAX_ITEMS:
        place.note(f"Model Validation failed: {len(items)} items, a list has 1 to {_MAX_ITEMS}.")
    for index, item in enumerate(items):
        if item is None:
            (place / index).note("Model Validation failed: an item is a scalar or an expression, not null.")
        check_operand(place / index, item)


def _read_body(place: Place, value: Json, read_steps: ReadSteps) -> tuple[Step, ...]:
    if isinstance(value, list) and not value:
        place.note("Model Validation failed: the body needs at least one step.")
    types = [item.get("Type") if isinstance(item, Mapping) else None for item in place.array(value)]
    for index, kind in enumerate(types):
        if kind in _FORBIDDEN:
            (place / index / "Type").note(
                f"Model Validation failed: a {kind} step cannot stand in a ForEachBody.",
                "put it after the ForEach step, or into the branch of a Condition around it",
            )
    return read_steps(place.seeing(place.namespaces | {"ForEach"}), value)


def _read_selector(place: Place, value: Json, body: list[str]) -> Selector | None:
    if value is None:
        return None
    members = place.members(value, ("Pick", "Field"), ("Pick", "Field"))
    if "Field" in members:
        _check_field(place / "Field", members["Field"], body)
    pick = members.get("Pick", "MaxBy")
    return Selector((place / "Pick").choice(pick, ("MaxBy", "MinBy"), "SelectorPick"), members.get("Field"))


def _check_field(place: Place, value: Json, body: list[str]) -> None:
    text = value.get("Get") if isinstance(value, Mapping) and len(value) == 1 else None
    try:
        reference = parse_reference(text) if isinstance(text, str) else None
    except ExpressionError as error:
        place.note(f"Model Validation failed: {error}")
        return
    if reference is None or reference.namespace != "IterationOutput" or not reference.path:
        message = (
            "Model Validation failed: Selector.Field must be an IterationOutput reference, "
            "IterationOutput.<body step>.<member>; others are constant across iterations."
        )
        place.note(message, f"got {shown(value)}")
    elif body and reference.name not in body:
        place.note_unknown(
            f"Model Validation failed: the body has no step '{reference.name}'.", reference.name, body
        )
