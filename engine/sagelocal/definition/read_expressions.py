"""Whether the expressions inside a value are well formed (semantics 03 §3.1-3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sagelocal.definition.place import Place, below, shown
from sagelocal.errors import ExpressionError
from sagelocal.references import FUNCTIONS, Reference, parse_reference
from sagelocal.values import Json

_VARIABLES = {
    "Execution": (
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "StartDateTime",
        "CurrentDateTime",
        "TrainingJobName",
        "ProcessingJobName",
    ),
    "PipelineExperimentConfig": ("ExperimentName", "TrialName"),
    "ForEach": ("CurrentItem",),
}
_OUTSIDE = {
    "ForEach": "ForEach.CurrentItem exists only in the steps of a ForEachBody",
    "IterationOutput": "IterationOutput exists only in the Selector.Field of a ForEach step",
}

_Trail = tuple["_Trail", str | int] | None
"""The way from `place` down to a value, spelled out only when something is wrong there."""
_Open = list[tuple[Json, _Trail]]
"""Values that are still to be looked at."""


def check_expressions(place: Place, value: Json) -> None:
    """Note every expression inside `value`, at any depth, that is not well formed; there is no limit to the depth."""
    waiting: _Open = [(value, None)]
    while waiting:
        item, trail = waiting.pop()
        if isinstance(item, dict) and (function := _function(item)):
            inside = _check_function(_at(place, trail), function, item, trail)
        else:
            children = (
                item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
            )
            inside = [(child, (trail, key)) for key, child in children if isinstance(child, dict | list)]
        # What stands first in the file is looked at first.
        waiting.extend(reversed(inside))


def check_operand(place: Place, value: Json) -> None:
    """Note what cannot be an operand: anything but a scalar or an expression."""
    if isinstance(value, Mapping) and _function(value):
        check_expressions(place, value)
    elif isinstance(value, Mapping | list):
        place.note(
            "Model Validation failed: expected a string, a number, a boolean or an expression.",
            f"got {shown(value)}",
        )


def check_text(place: Place, value: Json, *, longest: int) -> None:
    """Note what can be no text: anything but a literal string of at most `longest` characters or an expression."""
    if isinstance(value, Mapping) and _function(value):
        check_expressions(place, value)
    else:
        place.text(value, longest=longest)


def check_boolean(place: Place, value: Json) -> None:
    """Note what can be no boolean: anything but true, false or an expression."""
    if isinstance(value, Mapping) and _function(value):
        check_expressions(place, value)
    else:
        place.boolean(value)


def _function(item: Mapping[str, Json]) -> str:
    return next((key for key in item if key == "Get" or key.startswith("Std:")), "")


def _at(place: Place, trail: _Trail) -> Place:
    keys: list[str | int] = []
    while trail is not None:
        trail, key = trail
        keys.append(key)
    path = place.path
    for key in reversed(keys):
        path = below(path, key)
    return place.moved(path)


def _check_function(place: Place, function: str, item: Mapping[str, Json], trail: _Trail) -> _Open:
    """Note what is wrong with one expression itself; returns the values inside it that are still to be walked."""
    if len(item) > 1:
        extra = next(key for key in item if key != function)
        place.note(
            f"Cannot parse object, unknown property '{extra}'.", f"an expression has the one key {function}"
        )
        return []
    check = _CHECKS.get(function)
    if check is None:
        place.note(f"Cannot parse object, unknown function '{function}'.", f"known: {', '.join(FUNCTIONS)}")
        return []
    return check(place, item[function], (trail, function))


def _check_get(place: Place, operand: Json, _: _Trail) -> _Open:
    if not isinstance(operand, str):
        place.note("Get takes the text of a reference.", f"got {shown(operand)}")
        return []
    try:
        reference = parse_reference(operand)
    except ExpressionError as error:
        place.note(f"Model Validation failed: {error}")
        return []
    if reference.namespace not in place.namespaces:
        hint = _OUTSIDE.get(reference.namespace, f"allowed: {', '.join(sorted(place.namespaces))}")
        place.note(f"Model Validation failed: {operand} cannot be used here.", hint)
    elif reference.name not in _VARIABLES.get(reference.namespace, (reference.name,)):
        _note_unknown_variable(place, reference)
    return []


def _note_unknown_variable(place: Place, reference: Reference) -> None:
    message = f"Model Validation failed: there is no variable {reference.text}."
    place.note_unknown(message, reference.name, _VARIABLES[reference.namespace])


def _check_join(place: Place, operand: Json, trail: _Trail) -> _Open:
    inside = place / "Std:Join"
    members = inside.members(operand, ("On", "Values"), ("Values",))
    if "On" in members:
        (inside / "On").text(members["On"], longest=_LONGEST_SEPARATOR)
    values = (inside / "Values").array(members.get("Values"))
    for index, value in enumerate(values):
        if value is None or isinstance(value, list) or (isinstance(value, dict) and not _function(value)):
            message = "Model Validation failed: Std:Join takes strings, numbers, booleans and expressions."
            (inside / "Values" / index).note(message, f"got {shown(value)}")
    return [
        (value, ((trail, "Values"), index)) for index, value in enumerate(values) if isinstance(value, dict)
    ]


def _check_json_get(place: Place, operand: Json, trail: _Trail) -> _Open:
    inside = place / "Std:JsonGet"
    members = inside.members(operand, ("PropertyFile", "S3Uri", "Path"), ("Path",))
    if "Path" in members and not (inside / "Path").text(members["Path"], longest=_LONGEST_PATH).strip():
        (inside / "Path").note("Model Validation failed: Path is a literal string, not empty.")
    if isinstance(operand, dict) and ("PropertyFile" in members) == ("S3Uri" in members):
        inside.note(
            "Model Validation failed: give either PropertyFile or S3Uri.",
            "not both" if "S3Uri" in members else "",
        )
    if "PropertyFile" in members:
        _check_property_file(inside / "PropertyFile", members["PropertyFile"])
    uri = members.get("S3Uri", "")
    if isinstance(uri, dict) and _function(uri):
        return [(uri, (trail, "S3Uri"))]
    (inside / "S3Uri").text(uri, longest=_LONGEST_URI)
    return []


def _check_property_file(place: Place, value: Json) -> None:
    text = value.get("Get") if isinstance(value, dict) and len(value) == 1 else None
    try:
        is_property_file = isinstance(text, str) and parse_reference(text).property_file is not None
    except ExpressionError as error:
        place.note(f"Model Validation failed: {error}")
        return
    if not is_property_file:
        place.note(
            'Model Validation failed: expected {"Get": "Steps.<step>.PropertyFiles.<file>"}.',
            f"got {shown(value)}",
        )


_LONGEST_SEPARATOR = 1024
_LONGEST_PATH = 2048
_LONGEST_URI = 1024
_CHECKS: Mapping[str, Callable[[Place, Json, _Trail], _Open]] = {
    "Get": _check_get,
    "Std:Join": _check_join,
    "Std:JsonGet": _check_json_get,
}
