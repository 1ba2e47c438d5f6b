"""The values that a step declares to return, typed as declared (semantics 07 §7.2, 04)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping

from sagelocal.definition.parameters import ParameterType
from sagelocal.definition.steps import OutputParameter
from sagelocal.expressions import render
from sagelocal.kinds import with_article
from sagelocal.values import Json, JsonObject, Scalar
from sagelocal_executors.faults import client_error

PLACEHOLDERS: Mapping[ParameterType, Scalar] = {
    ParameterType.STRING: "",
    ParameterType.INTEGER: 0,
    ParameterType.FLOAT: 0.0,
    ParameterType.BOOLEAN: False,
}
_SHOWN = 60
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def typed(declared: tuple[OutputParameter, ...], returned: JsonObject) -> dict[str, Json]:
    """The declared outputs that were returned; one that is missing is only an error where it is read.

    An object or list becomes its JSON text. Texts that read as the declared type count as values of it, as those of
    callbacks must: the API knows only texts.

    Raises:
        JobError: a value is not of the declared type.
    """
    return dict(_each(declared, returned))


def _each(declared: tuple[OutputParameter, ...], returned: JsonObject) -> Iterator[tuple[str, Json]]:
    for output in declared:
        value = returned.get(output.name)
        if value is None:
            continue
        try:
            yield output.name, _CONVERT[output.type](value)
        except (ValueError, OverflowError):
            shown = json.dumps(value, ensure_ascii=False)
            shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
            message = f"The output {output.name!r} is declared as {output.type} but was returned as {with_article(value)}: {shown}"
            raise client_error(message) from None


def _integer(value: Json) -> int:
    number = _number(value)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError
    return int(number)


def _number(value: Json) -> int | float:
    match value:
        case bool():
            raise ValueError
        case int() | float():
            return value
        case str() if _NUMBER.fullmatch(value):
            return int(value) if value.lstrip("+-").isdigit() else float(value)
        case _:
            raise ValueError


def _float(value: Json) -> float:
    number = float(_number(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _boolean(value: Json) -> bool:
    text = value.lower() if isinstance(value, str) else value
    if isinstance(text, bool):
        return text
    if text in {"true", "false"}:
        return text == "true"
    raise ValueError


_CONVERT: Mapping[ParameterType, Callable[[Json], Scalar]] = {
    ParameterType.STRING: render,
    ParameterType.INTEGER: _integer,
    ParameterType.FLOAT: _float,
    ParameterType.BOOLEAN: _boolean,
}
