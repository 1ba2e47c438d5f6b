"""The values that an execution starts with."""

from __future__ import annotations

import pytest

from sagelocal.definition.pipeline import Parameter, ParameterType
from sagelocal.errors import UsageError
from sagelocal.parameters import bind
from sagelocal.values import Scalar


def declared(kind: ParameterType, default: Scalar = None, enum: tuple[str, ...] = ()) -> Parameter:
    return Parameter(name="V", type=kind, default=default, enum_values=enum, description=None)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (ParameterType.STRING, "x", "x"),
        (ParameterType.INTEGER, "2", 2),
        (ParameterType.INTEGER, 2, 2),
        (ParameterType.FLOAT, "2.5", 2.5),
        (ParameterType.FLOAT, 2, 2.0),
        (ParameterType.BOOLEAN, "True", True),
        (ParameterType.BOOLEAN, "false", False),
        (ParameterType.BOOLEAN, True, True),
    ],
)
def test_values_become_what_is_declared(kind: ParameterType, given: Scalar, value: Scalar) -> None:
    bound = bind([declared(kind)], {"V": given})["V"]
    assert (type(bound), bound) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (ParameterType.INTEGER, "two"),
        (ParameterType.INTEGER, "1.5"),
        (ParameterType.INTEGER, True),
        (ParameterType.FLOAT, "x"),
        (ParameterType.BOOLEAN, "yes"),
        (ParameterType.STRING, 3),
    ],
)
def test_values_of_another_type_are_refused_by_name(kind: ParameterType, given: Scalar) -> None:
    with pytest.raises(UsageError, match=rf"Unexpected type for parameter 'V'. Expected {kind}"):
        bind([declared(kind)], {"V": given})


def test_the_default_stands_in_for_a_value_that_is_not_given() -> None:
    assert bind([declared(ParameterType.INTEGER, 7)], {}) == {"V": 7}


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(UsageError, match="Parameter 'V' is undefined"):
        bind([declared(ParameterType.STRING)], {})


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"Unknown parameter 'v': did you mean 'V'\?"):
        bind([declared(ParameterType.STRING, "x")], {"v": "y"})


def test_an_empty_string_is_too_short() -> None:
    with pytest.raises(UsageError, match=r'\[string "" is too short \(length: 0, required minimum: 1\)\]'):
        bind([declared(ParameterType.STRING, "x")], {"V": ""})


def test_a_value_outside_the_enum_is_refused() -> None:
    with pytest.raises(UsageError, match="'c' is not one of a, b"):
        bind([declared(ParameterType.STRING, "a", ("a", "b"))], {"V": "c"})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        bind([declared(ParameterType.INTEGER)], {"V": "x", "W": "y"})
    assert len(str(raised.value).splitlines()) == 2
