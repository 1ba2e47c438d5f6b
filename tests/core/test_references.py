"""How the text of a Get is read, and where Gets are found."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sagelocal.errors import ExpressionError
from sagelocal.references import gets, is_expression, parse_reference, references, spell
from sagelocal.values import Json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Parameters.Count", ("Parameters", "Count", ())),
        ("Execution.PipelineName", ("Execution", "PipelineName", ())),
        ("PipelineExperimentConfig.TrialName", ("PipelineExperimentConfig", "TrialName", ())),
        ("Steps.Train-1.ModelArtifacts.S3", ("Steps", "Train-1", ("ModelArtifacts", "S3"))),
        ("Steps.A.Outputs['a.b'].S3Uri", ("Steps", "A", ("Outputs", "a.b", "S3Uri"))),
        ("Steps.A.Containers[12].Image", ("Steps", "A", ("Containers", 12, "Image"))),
        ('Steps.A.Env["k"]', ("Steps", "A", ("Env", "k"))),
        ("Steps.A.Env['it's']", ("Steps", "A", ("Env", "it's"))),
        ("Steps.A.Env['x]['].y[0]['z']", ("Steps", "A", ("Env", "x][", "y", 0, "z"))),
        ("Steps.A.Env['0']", ("Steps", "A", ("Env", "0"))),
        ("Steps.A.PropertyFiles.report.v2.json", ("Steps", "A", ("PropertyFiles", "report.v2.json"))),
        ("ForEach.CurrentItem['score']", ("ForEach", "CurrentItem", ("score",))),
        ("IterationOutput.Body", ("IterationOutput", "Body", ())),
    ],
)
def test_a_reference_is_namespace_name_and_path(text: str, expected: tuple[object, ...]) -> None:
    reference = parse_reference(text)

    assert (reference.namespace, reference.name, reference.path) == expected
    assert reference.text == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Step.A.B", "at character 1, before Step.A.B, expected one of Parameters, "),
        ("Step.A.B", "did you mean Steps?"),
        ("parameters.A", "did you mean Parameters?"),
        ("", "at its end, expected one of Parameters"),
        ("Steps", "at its end, expected a dot and a name"),
        ("Steps..B", "at character 6, before ..B, expected a dot and a name"),
        (
            "Parameters.A.B",
            "at character 13, before .B, expected the end, because Parameters.A has no members",
        ),
        ("Steps.A.B.", "at character 10, before ., expected a member's name after the dot"),
        ("Steps.A.B['k'.C", "at character 10, before ['k'.C, expected a key in quotes that ends with ']"),
        ("Steps.A.B[x]", "at character 10, before [x], expected a number or a key in quotes, then ]"),
        ("Steps.A.B[-1]", "expected a number or a key in quotes"),
        ("Steps.A.B]", "at character 10, before ], expected a dot, a [ or the end"),
        ("Steps.A.B['k']C", "expected a key in quotes that ends with ']"),
    ],
)
def test_what_is_no_reference_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_reference(text)

    assert complaint in str(refused.value)


@given(st.lists(st.text() | st.integers(0, 10**9 - 1), min_size=1))
def test_a_spelled_path_reads_back_whatever_its_keys(path: list[str | int]) -> None:
    # Nothing is escaped in a reference, so such keys cannot be written at all.
    assume(
        not any(isinstance(key, str) and ("']." in key or "'][" in key or key.endswith("']")) for key in path)
    )
    written = spell(path)

    reference = parse_reference(f"Steps.A{'' if written.startswith('[') else '.'}{written}")

    assume(path[0] != "PropertyFiles")
    assert list(reference.path) == path


def test_only_an_object_with_one_known_key_is_an_expression() -> None:
    assert is_expression({"Get": "Parameters.A"})
    assert is_expression({"Std:Join": {}})
    assert is_expression({"Std:JsonGet": {}})
    assert not is_expression({"Get": "Parameters.A", "Other": 1})
    assert not is_expression({"Other": 1})
    assert not is_expression({})
    assert not is_expression("Get")


def test_every_get_is_found_in_order_with_its_place() -> None:
    value: Json = {
        "Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.Bucket"}]}},
        "HyperParameters": {"max.depth": {"Get": "Parameters.Depth"}, "eta": "0.1"},
        "Args": [
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "a"}},
            {"Std:JsonGet": {"S3Uri": {"Std:Join": {"Values": [{"Get": "Steps.E.Uri"}]}}, "Path": "a"}},
        ],
    }

    assert [(path, reference.text) for path, reference in references(value)] == [
        ("Uri.Std:Join.Values[1]", "Parameters.Bucket"),
        ("HyperParameters['max.depth']", "Parameters.Depth"),
        ("Args[0].Std:JsonGet.PropertyFile", "Steps.E.PropertyFiles.R"),
        ("Args[1].Std:JsonGet.S3Uri.Std:Join.Values[0]", "Steps.E.Uri"),
    ]


def test_a_get_that_is_the_whole_value_has_an_empty_path() -> None:
    assert [path for path, _ in references({"Get": "Parameters.A"})] == [""]


def test_gets_are_listed_even_when_they_are_wrong() -> None:
    value: Json = [{"Get": "Nonsense"}, {"Get": 3}, {"Get": "Parameters.A"}]

    assert list(gets(value)) == [("[0]", "Nonsense"), ("[1]", 3), ("[2]", "Parameters.A")]
    with pytest.raises(ExpressionError, match="Nonsense is not a reference"):
        list(references(value))
    with pytest.raises(ExpressionError, match="Get takes the text of a reference"):
        list(references({"Get": 3}))


def test_references_are_found_however_deep_they_lie() -> None:
    value: Json = {"Get": "Parameters.A"}
    for _ in range(20_000):
        value = [value]

    assert [reference.name for _, reference in references(value)] == ["A"]


def test_values_without_references_have_none() -> None:
    value: Json = json.loads('{"a": [1, null, true, "Parameters.A", {"Get": "x", "b": 1}]}')

    assert not list(references(value))
