"""Answers cut to what their shapes allow: texts of jobs may be longer, names from expressions may be odd."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.shapes import Shape, faults
from sagelocal.values import Json, JsonObject


def fitted(shape: Shape, value: JsonObject) -> dict[str, Json]:
    """The members that the structure knows and that fit: long texts and lists are cut, the rest that does not fit is left out."""
    fit = {
        name: _fitted(shape.member(name), each)
        for name, each in value.items()
        if name in shape.members and each is not None
    }
    return {name: each for name, each in fit.items() if each is not None}


def _fitted(shape: Shape, value: Json) -> Json:
    if shape.type == "structure" and isinstance(value, Mapping):
        return fitted(shape, value)
    if shape.type == "list" and isinstance(value, list | tuple):
        items = [_fitted(shape.element, each) for each in value[: shape.traits.get("max")]]
        return [each for each in items if each is not None]
    if shape.type == "string" and isinstance(value, str):
        value = value[: shape.traits.get("max")]
    return None if any(faults(shape, value)) else value
