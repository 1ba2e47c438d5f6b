"""Who counts as sensitive and what as positive."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from clarify.groups import each_value, selection
from ml_contract import JobError


def chosen(values: list[Any], given: list[Any]) -> tuple[str, list[Any]]:
    """How the selection is called in reports, and which values it takes."""
    column = pl.Series("c", values)
    found = selection(column, given, "key")
    assert found.among(column).tolist() == found.holds(values, "key").tolist()
    return found.text, [value for value, taken in zip(values, found.among(column), strict=True) if taken]


@pytest.mark.parametrize(
    ("values", "given", "text", "expected"),
    [
        ([0, 1, 1, 0], [1], "1", [1, 1]),
        ([0.0, 1.0], [1], "1", [1.0]),
        ([0, 1], ["1"], "1", [1]),
        (["yes", "no"], ["yes"], "yes", ["yes"]),
        (["true", "false"], [True], "True", ["true"]),
        (["bird", "cat", "dog"], ["cat", "dog"], "cat,dog", ["cat", "dog"]),
        ([1, 2, 3, 4] * 30, [2, 3], "2,3", [2, 3] * 30),
        ([1, 2, 3, 4] * 30, [2], "2", [2] * 30),
    ],
)
def test_values_are_taken_as_they_are(
    values: list[Any], given: list[Any], text: str, expected: list[Any]
) -> None:
    assert chosen(values, given) == (text, expected)


@pytest.mark.parametrize(
    ("values", "given", "text", "expected"),
    [
        ([19, 40, 41, 75], [40], "(40, 75]", [41, 75]),
        ([0.1, 0.5, 0.9] * 30, [0.5], "(0.5, 0.9]", [0.9] * 30),
        ([1.5, 2.5, 9.0], [2], "(2.0, 9.0]", [2.5, 9.0]),
        ([0, 1], [0.5], "(0.5, 1]", [1]),
        (list(range(100)), [97], "(97, 99]", [98, 99]),
    ],
)
def test_one_number_is_the_exclusive_lower_bound_of_a_quantity(
    values: list[Any], given: list[Any], text: str, expected: list[Any]
) -> None:
    assert chosen(values, given) == (text, expected)


def test_without_a_value_each_one_is_sensitive_in_turn() -> None:
    column = pl.Series("c", ["b", "a", "b"])

    found = [(group.text, group.among(column).tolist()) for group in each_value(column, "key")]

    assert found == [("a", [False, True, False]), ("b", [True, False, True])]


def test_a_quantity_needs_a_threshold() -> None:
    with pytest.raises(JobError, match=r"facet\[0\]: column 'age' is continuous .* set value_or_threshold"):
        each_value(pl.Series("age", [1.5, 2.5, 3.5]), "facet[0]")


def test_a_value_that_the_data_does_not_have_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen(["male", "female"], ["femle"]) == ("femle", [])
    assert "key: column 'c' has no 'femle' (did you mean female?)" in capsys.readouterr().out


def test_predicted_labels_match_however_they_are_written() -> None:
    positive = selection(pl.Series("y", [0, 1]), [1], "key")

    assert positive.holds(["1", "1.0", 1, 1.0, "0", None, "x"], "key").tolist() == [True] * 4 + [False] * 3


def test_a_threshold_needs_numbers() -> None:
    positive = selection(pl.Series("y", [0.5, 1.5, 2.5]), [1], "key")

    with pytest.raises(JobError, match=r"the answers must be numbers, .* there is 'cat'"):
        positive.holds(["2", "cat"], "the answers")
