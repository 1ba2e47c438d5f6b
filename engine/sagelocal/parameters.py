"""The values that an execution starts with (semantics 01 §1.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sagelocal.definition.pipeline import Parameter, ParameterType
from sagelocal.errors import UsageError
from sagelocal.nearest import listed, nearest
from sagelocal.values import Scalar

_MAX_LENGTH = 1024


def bind(declared: Iterable[Parameter], given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The value of every declared parameter: the given one, converted to the declared type, else its default.

    Values may be strings, as the API and the SDK send them (``"True"``, ``"2"``), or already of the declared type.

    Raises:
        UsageError: a given name is not declared, a value is missing, ill-typed, empty, over-long or outside EnumValues;
            the text names every such parameter.
    """
    parameters = {parameter.name: parameter for parameter in declared}
    faults = [*_unknown(given, parameters)]
    values: dict[str, Scalar] = {}
    for name, parameter in parameters.items():
        if name not in given and not parameter.has_default:
            faults.append(
                f"Parameter '{name}' is undefined: it has no default, give a {parameter.type} value for it."
            )
            continue
        try:
            values[name] = _convert(parameter, given[name]) if name in given else parameter.default
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise UsageError("\n".join(faults))
    return values


def _unknown(given: Iterable[str], known: Mapping[str, Parameter]) -> Iterator[str]:
    for name in given:
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean '{meant}'?" if meant else f"the pipeline declares {listed(known)}."
            yield f"Unknown parameter '{name}': {hint}"


def _convert(parameter: Parameter, value: Scalar) -> Scalar:
    if value == "":
        message = f'Parameter {parameter.name}: [string "" is too short (length: 0, required minimum: 1)]'
        raise ValueError(message)
    try:
        converted = _CONVERTERS[parameter.type](value)
    except (TypeError, ValueError, KeyError):
        message = (
            f"Unexpected type for parameter '{parameter.name}'. Expected {parameter.type}, got {value!r}."
        )
        raise ValueError(message) from None
    if isinstance(converted, str) and len(converted) > _MAX_LENGTH:
        message = f"Parameter {parameter.name}: the value has {len(converted)} characters, at most {_MAX_LENGTH} are allowed."
        raise ValueError(message)
    if parameter.enum_values and converted not in parameter.enum_values:
        message = (
            f"Parameter {parameter.name}: {converted!r} is not one of {', '.join(parameter.enum_values)}."
        )
        raise ValueError(message)
    return converted


def _string(value: Scalar) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: Scalar) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return int(value)


def _float(value: Scalar) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return float(value)


def _boolean(value: Scalar) -> bool:
    if not isinstance(value, str | bool):
        raise TypeError
    # The SDK sends str(True), which is "True" (semantics 01 §1.2).
    return {"true": True, "false": False}[str(value).lower()]


_CONVERTERS: Mapping[ParameterType, Callable[[Scalar], Scalar]] = {
    ParameterType.STRING: _string,
    ParameterType.INTEGER: _integer,
    ParameterType.FLOAT: _float,
    ParameterType.BOOLEAN: _boolean,
}
