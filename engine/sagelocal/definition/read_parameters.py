"""Parameter declarations, read from JSON (semantics 01 §1.2)."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.definition.parameters import Parameter, ParameterType
from sagelocal.definition.place import Place, shown
from sagelocal.definition.read_step_keys import note_duplicates
from sagelocal.references import is_expression
from sagelocal.values import Json, JsonObject, Scalar

_KEYS = ("Name", "Type", "DefaultValue", "EnumValues", "Description")
_NAME = r"[A-Za-z0-9\-_]{1,256}"
_MAX_PARAMETERS = 200
_LONGEST_TEXT = 4096
_PYTHON_TYPES: Mapping[ParameterType, type | tuple[type, ...]] = {
    ParameterType.STRING: str,
    ParameterType.INTEGER: int,
    ParameterType.FLOAT: (int, float),
    ParameterType.BOOLEAN: bool,
}


def read_parameters(place: Place, value: Json) -> tuple[Parameter, ...]:
    """Read ``Parameters``; no name may stand there twice."""
    items = place.array(value)
    if len(items) > _MAX_PARAMETERS:
        place.note(
            f"Model Validation failed: {len(items)} parameters, at most {_MAX_PARAMETERS} are allowed."
        )
    parameters = tuple(_read_parameter(place / index, item) for index, item in enumerate(items))
    note_duplicates(place, [parameter.name for parameter in parameters], "Name")
    return parameters


def _read_parameter(place: Place, value: Json) -> Parameter:
    members = place.members(value, _KEYS, ("Name",))
    name = members.get("Name")
    # A declaration without a type is one of a String.
    kind = ParameterType(
        (place / "Type").choice(
            members.get("Type", ParameterType.STRING.value), tuple(ParameterType), "ParameterType"
        )
    )
    choices = _read_enum_values(place / "EnumValues", kind, members)
    return Parameter(
        name="" if name is None else (place / "Name").text(name, longest=256, pattern=_NAME),
        type=kind,
        default=_read_default(place / "DefaultValue", kind, members.get("DefaultValue"), choices),
        enum_values=choices,
        description=(place / "Description").optional_text(members.get("Description"), longest=_LONGEST_TEXT),
    )


def _read_enum_values(place: Place, kind: ParameterType, members: JsonObject) -> tuple[str, ...]:
    if "EnumValues" not in members:
        return ()
    if kind is not ParameterType.STRING:
        place.note(f"Model Validation failed: only a String parameter has EnumValues, not {kind}.")
    items = place.array(members["EnumValues"])
    return tuple((place / index).text(item, longest=_LONGEST_TEXT) for index, item in enumerate(items))


def _read_default(place: Place, kind: ParameterType, value: Json, choices: tuple[str, ...]) -> Scalar:
    if value is None:
        return None
    if is_expression(value):
        place.note(
            "Model Validation failed: a default is a literal, not an expression.", f"got {shown(value)}"
        )
        return None
    if not _is_a(kind, value):
        place.note(f"Model Validation failed: the default {shown(value)} does not match the type {kind}.")
        return None
    if isinstance(value, str):
        place.text(value, longest=_LONGEST_TEXT)
        if choices and value not in choices:
            place.note_unknown(
                f"Model Validation failed: {shown(value)} is not one of EnumValues.", value, choices
            )
    assert value is None or isinstance(value, str | int | float), "every declared type is a scalar"
    return float(value) if kind is ParameterType.FLOAT else value


def _is_a(kind: ParameterType, value: Json) -> bool:
    # To Python a boolean is an integer, to JSON it is not.
    return isinstance(value, _PYTHON_TYPES[kind]) and (
        kind is ParameterType.BOOLEAN or not isinstance(value, bool)
    )
