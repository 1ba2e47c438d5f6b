"""How conditions are decided."""

from __future__ import annotations

import pytest

from sagelocal.definition.conditions import Comparison, Condition, Membership, Not, Or
from sagelocal.errors import ExpressionError
from sagelocal.expressions import evaluate
from sagelocal.values import Json, ObjectText

YES: Condition = Comparison("Equals", 1, 1)
NO: Condition = Comparison("Equals", 1, 2)
BROKEN: Condition = Comparison("Equals", 1, "1")


class Values:
    """Parameters with these values, nothing else."""

    def __init__(self, **parameters: Json) -> None:
        self.parameters = parameters

    def find(self, namespace: str, name: str) -> Json | ObjectText:
        assert namespace == "Parameters"
        return self.parameters[name]


def decide(*conditions: Condition, **parameters: Json) -> bool:
    return evaluate(conditions, Values(**parameters))


@pytest.mark.parametrize(
    ("left", "comparison", "right", "expected"),
    [
        (3, "Equals", 3, True),
        (3, "Equals", 4, False),
        (6, "Equals", 6.0, True),
        (2**53 + 1, "Equals", float(2**53), False),
        ("a", "Equals", "a", True),
        (True, "Equals", True, True),
        (True, "Equals", False, False),
        (None, "Equals", None, True),
        ([1, 2], "Equals", [1, 2], True),
        (3, "GreaterThan", 2, True),
        (3, "GreaterThan", 3, False),
        (3, "GreaterThanOrEqualTo", 3.0, True),
        (2.5, "LessThan", 3, True),
        (3, "LessThan", 3, False),
        (3, "LessThanOrEqualTo", 3, True),
        ("1", "GreaterThan", "3", False),
        ("1", "GreaterThan", "0", True),
        ("10", "LessThan", "9", True),
        ("2020-12-01", "LessThan", "2020-12-02T00:00:00.000Z", True),
        (True, "GreaterThan", False, True),
    ],
)
def test_values_of_one_type_compare(left: Json, comparison: str, right: Json, expected: bool) -> None:
    assert decide(Comparison(comparison, left, right)) is expected


@pytest.mark.parametrize("comparison", ["Equals", "GreaterThan", "LessThanOrEqualTo"])
@pytest.mark.parametrize(
    ("left", "right", "names"),
    [
        ("3", 3, "LeftValue [3] of type [String] and RightValue [3] of type [Integer]"),
        (0.5, "0.5", "LeftValue [0.5] of type [Float] and RightValue [0.5] of type [String]"),
        (True, 1, "LeftValue [true] of type [Boolean] and RightValue [1] of type [Integer]"),
        ("true", True, "LeftValue [true] of type [String] and RightValue [true] of type [Boolean]"),
        (None, "x", "LeftValue [null] of type [Null] and RightValue [x] of type [String]"),
        ([1], 1, "LeftValue [[1]] of type [List] and RightValue [1] of type [Integer]"),
    ],
)
def test_values_of_different_types_do_not_compare(
    comparison: str, left: Json, right: Json, names: str
) -> None:
    with pytest.raises(ExpressionError) as refused:
        decide(Comparison(comparison, left, right))

    assert names in str(refused.value)


def test_a_mismatch_says_what_to_do() -> None:
    with pytest.raises(ExpressionError, match="declare the parameter or output as Integer"):
        decide(Comparison("GreaterThan", {"Get": "Parameters.Count"}, 3), Count="3")


def test_structures_have_no_order() -> None:
    with pytest.raises(ExpressionError, match=r"\[LessThan\] not supported between .*\[List\]"):
        decide(Comparison("LessThan", [1], [2]))


def test_operands_may_be_expressions() -> None:
    joined: Json = {"Std:Join": {"On": "-", "Values": ["v", {"Get": "Parameters.N"}]}}

    assert decide(Comparison("Equals", joined, "v-2"), N=2)


def test_membership_compares_without_minding_types() -> None:
    assert decide(Membership(6, (3, 6, 9)))
    assert decide(Membership("abc", ("x", {"Get": "Parameters.N"}, "abc")), N=6)
    assert decide(Membership(6, (6.0,)))
    assert not decide(Membership("6", (3, 6, 9)))
    assert not decide(Membership(True, (1, "true")))
    assert not decide(Membership(1, ()))


def test_all_conditions_must_hold() -> None:
    assert decide()
    assert decide(YES, YES)
    assert not decide(YES, NO)


def test_a_condition_that_does_not_hold_ends_the_list() -> None:
    assert not decide(NO, BROKEN)
    with pytest.raises(ExpressionError):
        decide(YES, BROKEN)


def test_or_needs_one_and_looks_no_further() -> None:
    assert decide(Or((NO, YES, BROKEN)))
    assert not decide(Or((NO, NO)))
    assert not decide(Or(()))


def test_not_turns_a_decision_round() -> None:
    assert decide(Not(NO))
    assert not decide(Not(YES))
    assert decide(Not(Membership(1, (2,))))
    assert not decide(Not(Or((YES,))))


def test_not_does_not_excuse_a_mismatch() -> None:
    with pytest.raises(ExpressionError):
        decide(Not(BROKEN))


def test_negations_nest_without_limit() -> None:
    condition = YES
    for _ in range(5001):
        condition = Not(condition)

    assert not decide(condition)


def test_alternatives_nest_as_deep_as_json_can() -> None:
    condition = YES
    for _ in range(250):
        condition = Or((NO, Not(Not(condition))))

    assert decide(condition)
