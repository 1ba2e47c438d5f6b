"""What expressions are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagelocal.errors import ExpressionError
from sagelocal.expressions import as_text, render, resolve
from sagelocal.values import Json, ObjectText

TRAINED: Json = {
    "TrainingJobName": "job-1",
    "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
    "HyperParameters": {"max.depth": "6", "it's": "odd"},
    "Environment": {"max-depth": "10"},
    "FinalMetricDataList": [
        {"MetricName": "validation:auc", "Value": 0.9, "Timestamp": "2026-01-31T12:34:56.789Z"},
        {"MetricName": "mse", "Value": 24},
    ],
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/train"}}}
    ],
    "EnableNetworkIsolation": False,
    "FailureReason": None,
    "Tags": ["a", "b"],
}
PROCESSED: Json = {
    "ProcessingInputs": [{"InputName": "raw", "S3Input": {"S3Uri": "s3://bucket/raw"}}],
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "train.v1", "S3Output": {"S3Uri": "s3://bucket/train.v1"}},
            {"OutputName": "test", "S3Output": {"S3Uri": "s3://bucket/test"}},
        ]
    },
}


@dataclass
class World:
    """A scope over plain dictionaries."""

    values: Mapping[tuple[str, str], Json | ObjectText] = field(default_factory=dict)

    def find(self, namespace: str, name: str) -> Json | ObjectText:
        return self.values[namespace, name]


WORLD = World(
    {
        ("Parameters", "Name"): "Abalone",
        ("Parameters", "Count"): 3,
        ("Parameters", "Rate"): 0.1,
        ("Parameters", "Flag"): True,
        ("Execution", "PipelineName"): "MyPipeline",
        ("PipelineExperimentConfig", "ExperimentName"): "experiment",
        ("ForEach", "CurrentItem"): {"name": "a", "score": 0.5},
        ("IterationOutput", "Body"): {"OutputParameters": {"n": 7}},
        ("Steps", "Train"): TRAINED,
        ("Steps", "Process"): PROCESSED,
        ("Steps", "Check"): {"Outcome": False},
        ("Steps", "Job"): {"JobConfigDocument": '{"model": {"layers": [3, 4]}}', "Note": '{"a": 1}'},
        ("PropertyFiles", "Evaluate/report"): ObjectText(
            "s3://bucket/eval/report.json", '{"a b": {"c": true}}'
        ),
    }
)


def get(text: str) -> Json:
    return resolve({"Get": text}, WORLD)


def join(separator: str, *values: Json) -> Json:
    return resolve({"Std:Join": {"On": separator, "Values": values}}, WORLD)


def complaint(value: Json) -> str:
    with pytest.raises(ExpressionError) as refused:
        resolve(value, WORLD)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Parameters.Name", "Abalone"),
        ("Parameters.Count", 3),
        ("Parameters.Rate", 0.1),
        ("Parameters.Flag", True),
        ("Execution.PipelineName", "MyPipeline"),
        ("PipelineExperimentConfig.ExperimentName", "experiment"),
        ("ForEach.CurrentItem.score", 0.5),
        ("ForEach.CurrentItem['name']", "a"),
        ("IterationOutput.Body.OutputParameters['n']", 7),
        ("Steps.Check.Outcome", False),
        ("Steps.Train.TrainingJobName", "job-1"),
        ("Steps.Train.ModelArtifacts.S3ModelArtifacts", "s3://bucket/model.tar.gz"),
        ("Steps.Train.Environment['max-depth']", "10"),
        ("Steps.Train.HyperParameters['max.depth']", "6"),
        ("Steps.Train.HyperParameters['it's']", "odd"),
        ("Steps.Train.FinalMetricDataList[1].Value", 24),
        ("Steps.Train.FinalMetricDataList['validation:auc'].Value", 0.9),
        ("Steps.Train.InputDataConfig['train'].DataSource.S3DataSource.S3Uri", "s3://bucket/train"),
        ("Steps.Process.ProcessingInputs['raw'].S3Input.S3Uri", "s3://bucket/raw"),
        ("Steps.Process.ProcessingInputs[0].InputName", "raw"),
        ("Steps.Process.ProcessingOutputConfig.Outputs['train.v1'].S3Output.S3Uri", "s3://bucket/train.v1"),
        ("Steps.Process.ProcessingOutputConfig.Outputs[1].OutputName", "test"),
        ("Steps.Job.JobConfigDocument.model.layers[1]", 4),
        ("Steps.Job.JobConfigDocument", '{"model": {"layers": [3, 4]}}'),
    ],
)
def test_a_reference_has_the_value_and_type_it_stands_for(text: str, expected: Json) -> None:
    value = get(text)

    assert value == expected
    assert type(value) is type(expected)


def test_a_structure_is_returned_as_it_is() -> None:
    assert resolve([{"Get": "Steps.Train"}], WORLD) == [TRAINED]


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        (
            "Steps.Train.ModelArtifact.S3",
            ["Steps.Train has no ModelArtifact (did you mean ModelArtifacts?); it has Tr"],
        ),
        (
            "Steps.Train.FinalMetricDataList[3].Value",
            ["FinalMetricDataList[3]", "has 2 items, so there is no [3]"],
        ),
        (
            "Steps.Train.FinalMetricDataList['mae'].Value",
            ["has no mae (did you mean mse?); it has validation:auc, mse"],
        ),
        ("Steps.Train.Tags['a']", ["Steps.Train.Tags is a List of items without names: write [0]"]),
        (
            "Steps.Train.TrainingJobName.x",
            ["Steps.Train.TrainingJobName is a String, so nothing is below it"],
        ),
        (
            "Steps.Train.TrainingJobName[0]",
            ["Steps.Train.TrainingJobName is a String, so nothing is below it"],
        ),
        (
            "Steps.Train.HyperParameters[0]",
            ["Steps.Train.HyperParameters has no [0]; it has max.depth, it's"],
        ),
        ("Steps.Train.FailureReason", ["Steps.Train.FailureReason is undefined: its value is null"]),
        ("Steps.Job.Note.a", ["Steps.Job.Note is a String"]),
        ("Steps.Nowhere.x", ["Steps.Nowhere.x is undefined: nothing is known of 'Nowhere'"]),
        ("Parameters.Nope", ["Parameters.Nope is undefined"]),
        (
            "Execution.PipelineNam",
            ["no execution variable (did you mean PipelineName?); there are PipelineName, "],
        ),
        ("Steps.Evaluate.PropertyFiles.report", ["read a value in it with Std:JsonGet"]),
        ("Step.Train.x", ["did you mean Steps?"]),
    ],
)
def test_a_reference_to_nothing_says_what_is_there_instead(text: str, complaints: list[str]) -> None:
    said = complaint({"Get": text})

    assert text in said
    assert [part for part in complaints if part not in said] == []


def test_only_ten_of_many_names_are_listed() -> None:
    many = World({("Steps", "A"): {f"Member{number}": 0 for number in range(14)}})

    with pytest.raises(ExpressionError, match=r"Member9 and 4 more$"):
        resolve({"Get": "Steps.A.Zzz"}, many)


@pytest.mark.parametrize(
    ("expected", "joined"),
    [
        ("a-b", ["-", "a", "b"]),
        ("", [""]),
        ("3", ["", {"Get": "Parameters.Count"}]),
        ("1,2.5,true,0.1,false", [",", 1, 2.5, {"Get": "Parameters.Flag"}, {"Get": "Parameters.Rate"}, False]),
        ("returns: false", [" ", "returns:", {"Get": "Steps.Check.Outcome"}]),
        ("blah-test.MyPipeline.test-blah",
         ["-", "blah", {"Std:Join": {"On": ".", "Values": ["test", {"Get": "Execution.PipelineName"}, "test"]}}, "blah"]),
        ("s3://bucket/a", ["/", "s3:/", "bucket", "a"]),
        ("s3://bucket/", ["/", "s3:/", "bucket", ""]),
        ('x:["a","b"]', [":", "x", {"Get": "Steps.Train.Tags"}]),
    ],
)  # fmt: skip
def test_join_makes_one_text(expected: str, joined: list[Json]) -> None:
    separator, *values = joined

    assert join(str(separator), *values) == expected


def test_join_without_on_puts_nothing_between() -> None:
    assert resolve({"Std:Join": {"Values": ["a", "b"]}}, WORLD) == "ab"


def test_joins_nest_as_deep_as_json_can() -> None:
    value: Json = "x"
    for _ in range(250):
        value = {"Std:Join": {"On": "", "Values": [value]}}

    assert resolve(value, WORLD) == "x"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"On": "/"}, "Std:Join takes"),
        ("a", "Std:Join takes"),
        ({"On": "/", "Values": {"Get": "Steps.Train.Tags"}}, "Std:Join takes"),
        ({"On": 1, "Values": []}, "On must be text"),
        ({"On": "", "Values": [None]}, "null has no text"),
        ({"On": "", "Values": ["a", {"Get": "Steps.Train.FailureReason"}]}, "FailureReason is undefined"),
    ],
)
def test_a_join_that_makes_no_text_is_refused(arguments: Json, expected: str) -> None:
    assert expected in complaint({"Std:Join": arguments})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (1e-5, "0.00001"),
        (1.25e-7, "0.000000125"),
        (1e16, "10000000000000000.0"),
        (-0.0, "-0.0"),
        (float("nan"), "NaN"),
    ],
)
def test_floats_have_a_point_and_no_exponent(number: float, text: str) -> None:
    assert render(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_rendered_float_reads_back_as_itself(number: float) -> None:
    text = render(number)

    assert float(text) == number
    assert "e" not in text.lower()


@given(st.text(), st.lists(st.text() | st.integers() | st.booleans(), min_size=1))
def test_a_join_is_its_rendered_members_with_the_separator_between(
    separator: str, values: list[Json]
) -> None:
    assert join(separator, *values) == separator.join(as_text(value) for value in values)


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(LITERALS)
def test_a_value_without_expressions_resolves_to_an_equal_one(value: Json) -> None:
    assert resolve(value, World()) == value


def test_expressions_are_found_in_every_corner_and_the_original_stays() -> None:
    original: Json = {
        "Get": 1,
        "b": [{"c": ({"Get": "Parameters.Count"},)}],
        "Parameters.Name": {"Get": "Parameters.Name"},
    }
    before = json.dumps(original)

    assert resolve(original, WORLD) == {"Get": 1, "b": [{"c": [3]}], "Parameters.Name": "Abalone"}
    assert json.dumps(original) == before


def test_structures_nest_without_limit() -> None:
    value: Json = {"Get": "Parameters.Count"}
    for _ in range(20_000):
        value = [value]

    resolved = resolve(value, WORLD)

    while isinstance(resolved, list):
        resolved = resolved[0]
    assert resolved == 3


def test_a_get_of_something_else_than_text_is_explained() -> None:
    assert "Get takes the text of a reference" in complaint({"Get": 3})


def test_json_gets_and_joins_go_into_one_another() -> None:
    value: Json = {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.report"}, "Path": "a b.c"}
    }
    plain: Json = {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.report"}, "Path": "['a b'].c"}
    }

    assert join("=", "c", plain) == "c=true"
    assert "a b.c" in complaint({"Std:Join": {"On": "", "Values": [value]}})
