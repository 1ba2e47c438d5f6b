"""What Std:JsonGet finds in files."""

from __future__ import annotations

import json

import pytest

from sagelocal.errors import ExpressionError
from sagelocal.expressions import NeedsObject, resolve
from sagelocal.values import Json, ObjectText

REPORT: Json = {
    "regression_metrics": {"mse": {"value": 4.5, "standard_deviation": 2.1}, "r2": {"value": 1}},
    "a b": {"c": True},
    "folds": [{"mse": 3}, {"mse": 5}],
    "parent": {"where": "words that jsonpath-ng reserves"},
    "validation:auc": 0.5,
    "x.y": "dotted",
    "nothing": None,
}


class Files:
    """A scope that knows these files."""

    def __init__(self, files: dict[tuple[str, str], ObjectText]) -> None:
        self.files = files

    def find(self, namespace: str, name: str) -> Json | ObjectText:
        if namespace == "Objects" and (namespace, name) not in self.files:
            raise NeedsObject(name)
        return self.files[namespace, name]


WORLD = Files(
    {
        ("PropertyFiles", "Evaluate/report"): ObjectText("s3://bucket/eval/report.json", json.dumps(REPORT)),
        ("PropertyFiles", "Evaluate/broken"): ObjectText("s3://bucket/eval/broken.json", '{"a": '),
        ("PropertyFiles", "Evaluate/deep"): ObjectText("s3://bucket/eval/deep.json", "[" * 100_000),
        ("PropertyFiles", "Evaluate/gone"): ObjectText(
            "s3://bucket/eval/gone.json", None, "there is no such object"
        ),
        ("Objects", "s3://bucket/F/results.json"): ObjectText(
            "s3://bucket/F/results.json", '{"Result": [1, 2, 3]}'
        ),
    }
)


def json_get(path: str, file: str = "report") -> Json:
    return resolve(
        {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.Evaluate.PropertyFiles.{file}"}, "Path": path}},
        WORLD,
    )


def complaint(value: Json) -> str:
    with pytest.raises(ExpressionError) as refused:
        resolve(value, WORLD)
    return str(refused.value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("regression_metrics.mse.value", 4.5),
        ("$.regression_metrics.mse.value", 4.5),
        ("regression_metrics['mse'].value", 4.5),
        ("$['regression_metrics']['r2'].value", 1),
        ("['a b'].c", True),
        ('["a b"].c', True),
        ("folds[1].mse", 5),
        ("folds[-1].mse", 5),
        ("parent.where", "words that jsonpath-ng reserves"),
        ("validation:auc", 0.5),
        ("['x.y']", "dotted"),
        ("folds[0]", {"mse": 3}),
        ("$", REPORT),
        ("folds[*].mse", [3, 5]),
        ("$.folds[*].mse", [3, 5]),
        ("$..mse", [{"value": 4.5, "standard_deviation": 2.1}, 3, 5]),
        ("folds[0:1].mse", [3]),
        ("folds[?(@.mse > 4)].mse", [5]),
        ("folds[*].mae", []),
    ],
)
def test_a_json_path_finds_the_value_with_its_type(path: str, expected: Json) -> None:
    value = json_get(path)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("some.json.path[1].does.not['exist']", "Invalid json path 'some.json.path[1].does.not['exist']' in s3://bucket/eval"),
        ("regression_metrics.mae.value", "regression_metrics has no mae (did you mean mse?); it has mse, r2"),
        ("regression_metric", "the document has no regression_metric (did you mean regression_metrics?)"),
        ("folds[2].mse", "folds has 2 items, so there is no [2]"),
        ("folds.mse", "folds is a List of items without names: write [0]"),
        ("regression_metrics[0]", "regression_metrics has no [0]"),
        ("folds[-7]", "it finds nothing"),
        ("nothing", "the value at 'nothing' in s3://bucket/eval/report.json is null"),
        ("folds[", "Invalid json path 'folds['"),
        ("a b", "Invalid json path 'a b'"),
        ("", "the Path is empty"),
    ],
)  # fmt: skip
def test_a_json_path_that_leads_nowhere_names_file_and_place(path: str, expected: str) -> None:
    value: Json = {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.report"}, "Path": path}
    }

    assert expected in complaint(value)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "broken",
            "Contents of file s3://bucket/eval/broken.json are not in valid JSON format: Expecting value",
        ),
        ("deep", "Contents of file s3://bucket/eval/deep.json are nested too deeply"),
        ("gone", "error while reading file s3://bucket/eval/gone.json from S3: there is no such object"),
        ("absent", "Steps.Evaluate.PropertyFiles.absent is undefined"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(file: str, expected: str) -> None:
    value: Json = {
        "Std:JsonGet": {"PropertyFile": {"Get": f"Steps.Evaluate.PropertyFiles.{file}"}, "Path": "a"}
    }

    assert expected in complaint(value)


def test_an_object_is_read_by_its_uri() -> None:
    uri: Json = {"Std:Join": {"On": "/", "Values": ["s3://bucket/F", "results.json"]}}

    assert resolve({"Std:JsonGet": {"S3Uri": uri, "Path": "Result[1]"}}, WORLD) == 2
    assert resolve({"Std:JsonGet": {"S3Uri": "s3://bucket/F/results.json", "Path": "Result[1]"}}, WORLD) == 2


def test_an_object_not_fetched_yet_is_asked_for() -> None:
    with pytest.raises(NeedsObject) as needed:
        resolve({"x": {"Std:JsonGet": {"S3Uri": "s3://bucket/new.json", "Path": "a"}}}, WORLD)

    assert needed.value.uri == "s3://bucket/new.json"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"Path": "a"}, "either a PropertyFile or an S3Uri"),
        ({"S3Uri": "s3://bucket/x"}, "takes a Path"),
        ({"S3Uri": "s3://bucket/x", "PropertyFile": {}, "Path": "a"}, "either a PropertyFile or an S3Uri"),
        ([], "takes a Path"),
        ({"S3Uri": "s3://bucket/x", "Path": {"Std:Join": {"Values": ["a"]}}}, "Path must be literal text"),
        ({"S3Uri": "bucket/x", "Path": "a"}, "is not an S3 URI"),
        ({"S3Uri": 3, "Path": "a"}, "is not an S3 URI"),
        ({"PropertyFile": {"Get": "Steps.A.Outputs"}, "Path": "a"}, "PropertyFile must be"),
        ({"PropertyFile": "report", "Path": "a"}, "PropertyFile must be"),
    ],
)
def test_a_malformed_json_get_is_explained(arguments: Json, expected: str) -> None:
    assert expected in complaint({"Std:JsonGet": arguments})
