"""Data as they come: odd, broken, empty. Whatever cannot be read is refused in words that say where."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

HEADERLESS = {"csv": {"header": False}}
JSON_LINES = {"json": {"lines": True}}


def columns(monitor: Any, form: Mapping[str, object] | None = None) -> dict[str, tuple[int, int]]:
    """Per feature, how many values are there and how many are missing."""
    reports = monitor.run(*([form] if form else []))
    found = {}
    for feature in reports["statistics"]["features"]:
        common = (feature.get("numerical_statistics") or feature["string_statistics"])["common"]
        found[feature["name"]] = (common["num_present"], common["num_missing"])
    return found


def test_quoted_commas_quotes_and_newlines_belong_to_the_value(monitor: Any) -> None:
    monitor.write("data.csv", 'text,n\n"a, b",1\n"line\nbreak",2\n"say ""so""",3\n')

    (text, _) = monitor.run()["statistics"]["features"]

    buckets = text["string_statistics"]["distribution"]["categorical"]["buckets"]
    assert [bucket["value"] for bucket in buckets] == ["a, b", "line\nbreak", 'say "so"']


def test_an_empty_field_is_missing_whether_quoted_or_not(monitor: Any) -> None:
    monitor.write("data.csv", 'a,b\n"",1\n,2\nx,\n')

    assert columns(monitor) == {"a": (1, 2), "b": (2, 1)}


def test_blank_lines_are_no_records(monitor: Any) -> None:
    monitor.write("data.csv", "a,b\r\n1,2\r\n\r\n3,\r\n,\r\n\r\n\r\n")
    monitor.write("single/data.csv", "a,b\n5,6\n")

    assert columns(monitor) == {"a": (3, 1), "b": (2, 2)}


def test_without_a_header_columns_are_numbered(monitor: Any) -> None:
    monitor.write("data.csv", "1,x\n2,y\n")

    assert columns(monitor, HEADERLESS) == {"_c0": (2, 0), "_c1": (2, 0)}


def test_names_may_be_in_any_script_empty_or_there_twice(monitor: Any) -> None:
    monitor.write("data.csv", "\ufeffGröße,名前,,x,X,x\n1,2,3,4,5,6\n")

    assert list(columns(monitor)) == ["Größe", "名前", "_c2", "x3", "X4", "x5"]


def test_a_name_may_have_a_line_break_and_a_file_any_name(monitor: Any) -> None:
    monitor.write("[a]*?.csv", '"line\nbreak",b\n1,\n2,3\n')

    assert columns(monitor) == {"line\nbreak": (2, 0), "b": (1, 1)}


def test_one_record_is_enough(monitor: Any) -> None:
    monitor.write("data.csv", "a,b\n5,x")

    (number, _) = monitor.run()["statistics"]["features"]

    found = number["numerical_statistics"]
    assert (found["mean"], found["std_dev"], found["min"], found["max"]) == (5.0, 0.0, 5.0, 5.0)
    assert [bucket["count"] for bucket in found["distribution"]["kll"]["buckets"]] == [0] * 9 + [1]


def test_huge_integers_are_numbers(monitor: Any) -> None:
    monitor.write("data.csv", f"a,b\n{2**63},{10**30}\n1,-{10**30}\n")

    (first, second) = monitor.run()["statistics"]["features"]

    assert first["inferred_type"] == second["inferred_type"] == "Integral"
    assert first["numerical_statistics"]["max"] == float(2**63)
    assert second["numerical_statistics"]["sum"] == 0.0


def test_numbers_near_the_end_of_floats_do_not_break_the_report(monitor: Any) -> None:
    monitor.json_lines([{"x": 1.5e308}, {"x": -1.5e308}, {"x": 1.7e308}])

    (feature,) = monitor.run(JSON_LINES)["statistics"]["features"]

    assert feature["numerical_statistics"]["std_dev"] == "Infinity"
    assert feature["numerical_statistics"]["max"] == 1.7e308


def test_a_column_of_nothing_is_unknown(monitor: Any) -> None:
    monitor.write("data.csv", "a,b,c\n1,,2\n3,,4\n")

    feature = monitor.run()["statistics"]["features"][1]

    assert feature["inferred_type"] == "Unknown"
    assert feature["string_statistics"]["common"] == {"num_present": 0, "num_missing": 2}


def test_marks_of_other_tools_are_no_data(monitor: Any) -> None:
    monitor.write("part/data.csv", "a\n1\n")
    monitor.write("part/_SUCCESS", "")
    monitor.write(".hidden.csv", "b\n1\n")

    assert columns(monitor) == {"a": (1, 0)}


def test_the_source_may_be_one_file(monitor: Any) -> None:
    monitor.write("data.csv", "a\n1\n")
    monitor.write("other.csv", "b\n1\n")

    reports = monitor.run(dataset_source="/opt/ml/processing/input/baseline_dataset_input/data.csv")

    assert [feature["name"] for feature in reports["statistics"]["features"]] == ["a"]


def test_empty_files_are_passed_over(monitor: Any) -> None:
    monitor.write("a.csv", "")
    monitor.write("b.csv", "a,b\n1,2\n")
    monitor.write("c.csv", "a,b\n")

    assert columns(monitor) == {"a": (1, 0), "b": (1, 0)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,c\n1,2,3\n1,2\n4,5,6\n", "data.csv, line 3: 2 field(s), but the header has 3"),
        ("a,b,c\n1,2\n4,5,6\n", "data.csv, line 2: 2 field(s), but the header has 3"),
        ("a,b,c\n1,2,3\n1,2,3,4\n", "data.csv, line 3: 4 field(s), but the header has 3"),
        ("a,b,c\n1,2,3,4\n", "data.csv, line 2: 4 field(s), but the header has 3"),
        ('a,b,c\n1,"x\ny",3\n"p,q",2\n', "data.csv, line 4: 2 field(s), but the header has 3"),
        ('a,b\n1,"open\n2,3\n', "data.csv, line 2: not CSV"),
        ('a,b\n1,2\n"x"y,3\n', "data.csv, line 3: not CSV"),
        (b"a,b\n1,2\n3,caf\xe9\n", "data.csv, line 3: not UTF-8"),
        (gzip.compress(b"a,b\n1,2\n")[:-9], "data.csv: begins like a gzip file, but cannot be unpacked"),
        ("\n\na,b\n1,2\n", "data.csv: begins with a blank line"),
        ("a,b\n", "no data: there is not a single record"),
        ("", "no data: all 1 file(s) are empty"),
    ],
)
def test_broken_csv_is_refused_by_file_and_line(monitor: Any, content: str | bytes, words: str) -> None:
    monitor.write("data.csv", content)

    assert words in monitor.refusal()


def test_a_short_record_without_a_header_is_refused_too(monitor: Any) -> None:
    monitor.write("data.csv", "1,2,3\n4,5\n")

    assert "data.csv, line 2: 2 field(s), but the first record of the data set has 3" in monitor.refusal(
        HEADERLESS
    )


def test_a_record_that_is_short_far_down_is_found(monitor: Any) -> None:
    monitor.write("data.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 250_000 + b"3\n" + b"1,2\n" * 10))

    assert "data.csv.gz, line 250002: 1 field(s)" in monitor.refusal()


def test_files_of_one_data_set_need_one_header(monitor: Any) -> None:
    monitor.write("a.csv", "a,b\n1,2\n")
    monitor.write("b.csv", "b,a\n1,2\n")

    assert "b.csv: its header 'b, a' differs from that of a.csv, 'a, b'" in monitor.refusal()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1}\n{"a": \n', "data.jsonl, line 2, column"),
        ('{"a": 1}\n\n[1, 2]\n', "data.jsonl, line 3: a record must be a JSON object, not '1'"),
        ('"text"\n', "data.jsonl, line 1: a record must be a JSON object"),
        (b'{"a": "\xff"}\n', "data.jsonl, line 1: not UTF-8"),
        ('{"a":' * 200_000 + "1" + "}" * 200_000, "data.jsonl, line 1: nested too deeply"),
        ("\n\n", "no data: there is not a single record"),
    ],
)
def test_broken_json_is_refused_by_file_and_line(monitor: Any, content: str | bytes, words: str) -> None:
    monitor.write("data.jsonl", content)

    assert words in monitor.refusal(JSON_LINES)


def test_what_is_no_parquet_is_refused_by_file(monitor: Any) -> None:
    monitor.write("data.parquet", "a,b\n1,2\n")

    assert "data.parquet: not Parquet" in monitor.refusal({"parquet": {}})


def test_no_file_at_all_is_refused(monitor: Any) -> None:
    assert "dataset_source: there is no" in monitor.refusal()
    monitor.source.mkdir(parents=True)
    assert "dataset_source: no data: there is no file below" in monitor.refusal()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"dataset_format": ""}, "dataset_format is missing"),
        ({"dataset_format": "csv"}, 'it must be JSON like {"csv": {"header": true}}'),
        ({"dataset_format": '{"xml": {}}'}, "dataset_format is"),
        ({"output_path": ""}, "output_path is missing"),
        ({"analysis_type": "BIAS"}, "analysis_type is 'BIAS'; it can be DATA_QUALITY or MODEL_QUALITY"),
        ({"analysis_type": "MODEL_QUALITY"}, "problem_type is missing"),
        (
            {"analysis_type": "MODEL_QUALITY", "problem_type": "Ranking"},
            "problem_type is 'Ranking'; it can be Regression, BinaryClassification, MulticlassClassification",
        ),
        ({"baseline_constraints": "/opt/ml/processing/nowhere.json"}, "baseline_constraints is"),
        ({"record_preprocessor_script": "/opt/ml/processing/x.py"}, "there is no such file"),
    ],
)
def test_variables_that_make_no_sense_are_refused(
    monitor: Any, variables: dict[str, str], words: str
) -> None:
    monitor.write("data.csv", "a\n1\n")

    assert words in monitor.refusal(**variables)


def test_the_program_of_the_image_runs_as_a_process(container: Any) -> None:
    container.write("processing/input/baseline_dataset_input/data.csv", "a,b\n1,x\n2,y\n")
    variables = {
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Disabled",
        "dataset_format": json.dumps({"csv": {"header": True, "output_columns_position": "START"}}),
        "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
    }

    good = container.run("model-monitor", "process", **variables)
    container.write("processing/input/baseline_dataset_input/data.csv", "a,b\n1\n")
    bad = container.run("model-monitor", "process", **variables)

    assert good.returncode == 0, good.stderr
    assert sorted(path.name for path in (container.root / "processing/output").iterdir()) == [
        "constraints.json",
        "statistics.json",
    ]
    assert bad.returncode == 1
    assert "line 2: 1 field(s), but the header has 2" in container.failure
    assert "Traceback" not in bad.stderr


def test_a_missing_package_is_named_with_what_to_do(container: Any) -> None:
    hidden = container.write("hidden/polars.py", "raise ModuleNotFoundError('gone', name='polars')")

    run = container.run("model-monitor", "process", PYTHONPATH=str(hidden.parent))

    assert "has no package 'polars'" in container.failure
    assert "sagelocal[checks]" in container.failure
    assert "Traceback" not in run.stderr
