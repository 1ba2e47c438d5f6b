"""What is said about a text that is no definition, and how deep and long one may be."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sagelocal.definition import ConditionStep, Not, PipelineDefinition, parse
from sagelocal.definition.durations import duration_seconds
from sagelocal.errors import DefinitionError

EQUAL = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}


def refusal(text: str | bytes) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    return str(caught.value)


def deciding(condition: Any) -> str:
    arguments = {"Conditions": [condition], "IfSteps": [], "ElseSteps": []}
    return json.dumps({"Steps": [{"Name": "C", "Type": "Condition", "Arguments": arguments}]})


def with_arguments(text: str) -> str:
    return (
        '{"Steps": [{"Name": "A", "Type": "Lambda", "FunctionArn": "f", "Arguments": {"x": ' + text + "}}]}"
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"Steps": [],}', ("line 1, column 14 (character 13)", "a comma before the closing bracket")),
        ("{'Steps': []}", ("line 1, column 2 (character 1)", "json.dumps")),
        ('{"Steps":\n [True]}', ("line 2, column 3 (character 12)", "json.dumps")),
        ('{"Steps": [] // none\n}', ("character 13", "JSON has no comments")),
        ('{"Steps": ${steps}}', ("character 10", "template")),
        ("<html>", ("character 0", "HTML")),
        ('{"Steps": []} {}', ("character 14", "Extra data")),
        ("", ("empty",)),
        (" \n", ("empty",)),
        (with_arguments("NaN"), ("NaN",)),
        (with_arguments("1e999"), ("too large",)),
        (with_arguments('"\\ud800"'), ("surrogate",)),
        ("[]", ("Expecting start of Json Object.",)),
        ("null", ("Expecting start of Json Object.",)),
    ],
)
def test_a_malformed_text_is_refused_with_place_and_cause(text: str, parts: tuple[str, ...]) -> None:
    message = refusal(text)

    assert all(part in message for part in parts), message


def test_bytes_that_are_no_utf8_are_refused() -> None:
    assert "byte 1 is 0xff" in refusal(b"{\xff}")


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b'\xef\xbb\xbf{"Steps": []}') == parse('{"Steps": []}')


@pytest.mark.parametrize("depth", [500, 900, 5000, 100_000])
def test_a_text_nested_too_deeply_is_refused(depth: int) -> None:
    assert "nested too deeply" in refusal(with_arguments("[" * depth + "]" * depth))


def test_250_negations_are_read() -> None:
    condition: Any = EQUAL
    for _ in range(250):
        condition = {"Type": "Not", "Condition": condition}
    found = parse(deciding(condition)).steps[0]

    assert isinstance(found, ConditionStep)
    inner: Any = found.conditions[0]
    depth = 0
    while isinstance(inner, Not):
        inner, depth = inner.condition, depth + 1
    assert depth == 250


def test_a_nearly_exhausted_stack_is_a_refusal_not_a_crash() -> None:
    condition: Any = EQUAL
    for _ in range(150):
        condition = {"Type": "Or", "Conditions": [condition]}
    text = deciding(condition)

    def dig(levels: int) -> str:
        return dig(levels - 1) if levels else refusal(text)

    assert "nested too deeply" in dig(sys.getrecursionlimit() // 2)


def test_expressions_may_nest_as_deeply_as_a_text_may() -> None:
    expression: Any = {"Get": "Execution.Nothing"}
    for _ in range(120):
        expression = {"Std:Join": {"On": "", "Values": [expression]}}

    assert "Execution.Nothing" in refusal(with_arguments(json.dumps(expression)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P30D", 30 * 86400),
        ("p30d", 30 * 86400),
        ("30d", 30 * 86400),
        ("P4DT12H", 4 * 86400 + 12 * 3600),
        ("PT1H", 3600),
        ("T12H", 12 * 3600),
        ("T30m", 30 * 60),
        ("30m", 30 * 30 * 86400),
        ("5y", 5 * 365 * 86400),
        ("30dT5h", 30 * 86400 + 5 * 3600),
        ("PT45S", 45),
        ("P1W", 7 * 86400),
    ],
)
def test_durations_are_read_as_leniently_as_the_service_does(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "T", "1 hour", "-P1D", "P1DT", "P1.5D", "30", "1h", "P1D ", "P٣D", "9" * 99 + "d"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration_seconds(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Get", "Std:Join", "Std:JsonGet", "Values", "On", "Path", "Type", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
WHOLE: dict[str, Any] = {
    "Version": "2020-12-01",
    "Metadata": {},
    "Parameters": [{"Name": "P", "Type": "String", "DefaultValue": "x", "EnumValues": ["x"]}],
    "PipelineExperimentConfig": {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": "t"},
    "MlflowConfig": {"MlflowResourceArn": "a", "MlflowExperimentName": "e"},
    "Steps": [
        {
            "Name": "A",
            "Type": "Processing",
            "Arguments": {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "o"}]}},
            "DependsOn": ["B", {"Step": "C", "Trigger": "Any"}],
            "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"},
            "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3}],
            "PropertyFiles": [{"PropertyFileName": "F", "OutputName": "o", "FilePath": "f.json"}],
        },
        {
            "Name": "B",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [EQUAL, {"Type": "In", "QueryValue": 1, "Values": [1]}, {"Type": "Not", "Condition": EQUAL}],
                "IfSteps": [{"Name": "C", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
                "ElseSteps": [],
            },
        },
        {
            "Name": "D",
            "Type": "ForEach",
            "Arguments": {
                "IterableItems": ["a"],
                "MaxConcurrency": 2,
                "ForEachBody": [{"Name": "E", "Type": "Lambda", "FunctionArn": "f", "OutputParameters": [{"OutputName": "n", "OutputType": "Float"}]}],
                "Selector": {"Pick": "MaxBy", "Field": {"Get": "IterationOutput.E.x"}},
            },
        },
    ],
}  # fmt: skip


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def test_the_sample_that_is_mutated_is_right() -> None:
    assert len(parse(json.dumps(WHOLE)).steps) == 3


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(WHOLE)), JSON)
def test_a_mutated_definition_is_read_or_refused_with_problems(path: tuple[str | int, ...], new: Any) -> None:
    outcome = read(json.dumps(replaced(WHOLE, path, new)))

    assert isinstance(outcome, PipelineDefinition) or (outcome and all(outcome))


def read(text: str) -> PipelineDefinition | list[str]:
    try:
        return parse(text)
    except DefinitionError as error:
        return [problem.message for problem in error.problems]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60))
@example("9" * 5000)
def test_no_text_makes_the_parser_crash(text: str | bytes) -> None:
    with pytest.raises(DefinitionError):
        parse(text)
