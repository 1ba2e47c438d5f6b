"""What SageMaker calls the type of a JSON value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# In this order, because Python's bool is an int.
_KINDS: Final[Mapping[type, str]] = {
    str: "String",
    bool: "Boolean",
    int: "Integer",
    float: "Float",
    type(None): "Null",
    Mapping: "Structure",
}


def kind(value: object) -> str:
    """Name the type: String, Integer, Float, Boolean, Null, Structure or List."""
    return next((name for type_, name in _KINDS.items() if isinstance(value, type_)), "List")


def with_article(value: object) -> str:
    """Name the type for a sentence: ``a String``, ``an Integer``, ``null``."""
    name = kind(value)
    return "null" if value is None else f"an {name}" if name[0] in "AEIOU" else f"a {name}"
