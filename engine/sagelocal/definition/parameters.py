"""A pipeline's parameters: what may be given when it is started."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sagelocal.values import Scalar


class ParameterType(StrEnum):
    """The types a parameter, or an output of a Callback or Lambda step, may declare."""

    STRING = "String"
    INTEGER = "Integer"
    FLOAT = "Float"
    BOOLEAN = "Boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One declared parameter (semantics 01 §1.2).

    Attributes:
        name: as in ``{"Get": "Parameters.<name>"}``.
        type: what its values are.
        default: the value when none is given, of the declared type; None when one must be given.
        enum_values: the only values allowed, for String; empty when every value is.
        description: for people.
    """

    name: str
    type: ParameterType = ParameterType.STRING
    default: Scalar = None
    enum_values: tuple[str, ...] = ()
    description: str | None = None

    @property
    def has_default(self) -> bool:
        return self.default is not None
