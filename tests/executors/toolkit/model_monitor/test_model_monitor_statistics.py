"""Statistics agree with pandas, whatever the format of the data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

CSV = {"csv": {"header": True}}
JSON_LINES = {"json": {"lines": True}}


@pytest.fixture(name="frame", scope="module")
def _frame() -> pd.DataFrame:
    """Enough rows for the sketch to be compacted, and for more than one batch of JSON."""
    rng = np.random.default_rng(7)
    rows = 60_000
    return pd.DataFrame(
        {
            "age": rng.integers(0, 90, rows),
            "balance": np.round(rng.normal(-50, 1e6, rows), 2),
            "rate": np.where(rng.random(rows) < 0.1, np.nan, np.round(rng.random(rows) + 1, 5)),
            "state": rng.choice(["CA", "New York", 'the "rest", south'], rows, p=[0.6, 0.3, 0.1]),
            "id": [f"id-{index}" for index in range(rows)],
        }
    )


def features(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {feature["name"]: feature for feature in document["features"]}


def as_csv(monitor: Any, frame: pd.DataFrame) -> Mapping[str, object]:
    half = len(frame) // 2
    monitor.write("a/part-0.csv", frame[:half].to_csv(index=False))
    monitor.write("b/part-1.csv.gz", gzip.compress(frame[half:].to_csv(index=False).encode()))
    return CSV


def as_json_lines(monitor: Any, frame: pd.DataFrame) -> Mapping[str, object]:
    monitor.write("data.jsonl", frame.to_json(orient="records", lines=True, double_precision=15))
    return JSON_LINES


def as_parquet(monitor: Any, frame: pd.DataFrame) -> Mapping[str, object]:
    import polars as pl

    path: Path = monitor.write("data.parquet", b"")
    pl.DataFrame({name: frame[name].to_list() for name in frame}).write_parquet(path)
    return {"parquet": {}}


@pytest.mark.parametrize("write", [as_csv, as_json_lines, as_parquet])
def test_moments_and_counts_agree_with_pandas(
    monitor: Any, frame: pd.DataFrame, write: Callable[[Any, pd.DataFrame], Mapping[str, object]]
) -> None:
    reports = monitor.run(write(monitor, frame))

    statistics = features(reports["statistics"])
    assert reports["statistics"]["dataset"] == {"item_count": 60_000}
    for name, kind in {"age": "Integral", "balance": "Fractional", "rate": "Fractional"}.items():
        found, column = statistics[name]["numerical_statistics"], frame[name]
        assert statistics[name]["inferred_type"] == kind
        assert found["common"] == {"num_present": column.count(), "num_missing": column.isna().sum()}
        assert found["mean"] == pytest.approx(column.mean(), rel=1e-9)
        assert found["sum"] == pytest.approx(column.sum(), rel=1e-9)
        assert found["std_dev"] == pytest.approx(column.std(ddof=0), rel=1e-9)
        assert (found["min"], found["max"]) == (column.min(), column.max())
    texts = statistics["state"]["string_statistics"]
    assert texts["distinct_count"] == 3.0
    assert texts["distribution"]["categorical"]["buckets"] == [
        {"value": value, "count": count} for value, count in frame["state"].value_counts().items()
    ]
    assert statistics["id"]["string_statistics"]["distinct_count"] == 60_000
    assert statistics["id"]["string_statistics"]["distribution"]["categorical"]["buckets"] == []


def test_buckets_and_sketch_stay_within_the_stated_error(monitor: Any, frame: pd.DataFrame) -> None:
    statistics = features(monitor.run(as_csv(monitor, frame))["statistics"])

    for name in ("age", "balance", "rate"):
        values = frame[name].dropna().to_numpy()
        kll = statistics[name]["numerical_statistics"]["distribution"]["kll"]
        bounds = [kll["buckets"][0]["lower_bound"], *(bucket["upper_bound"] for bucket in kll["buckets"])]
        counts = [bucket["count"] for bucket in kll["buckets"]]
        assert bounds == pytest.approx(np.linspace(values.min(), values.max(), 11).tolist())
        assert sum(counts) == len(values)
        assert counts == pytest.approx(np.histogram(values, bounds)[0], abs=0.003 * len(values))
        assert kll["sketch"]["parameters"] == {"c": 0.64, "k": 2048.0}
        weights = [2**level * len(items) for level, items in enumerate(kll["sketch"]["data"])]
        assert sum(weights) == len(values)
        assert sum(map(len, kll["sketch"]["data"])) < 7000


def test_few_values_are_kept_as_they_are(monitor: Any) -> None:
    values = np.random.default_rng(1).integers(0, 50, 2000)
    monitor.write("data.csv", "x\n" + "\n".join(map(str, values)))

    kll = features(monitor.run()["statistics"])["x"]["numerical_statistics"]["distribution"]["kll"]

    assert sorted(kll["sketch"]["data"][0]) == sorted(values)
    expected = np.histogram(values, np.linspace(values.min(), values.max(), 11))[0]
    assert [bucket["count"] for bucket in kll["buckets"]] == expected.tolist()


def test_the_same_data_make_the_same_file(monitor: Any, frame: pd.DataFrame) -> None:
    first = monitor.run(as_csv(monitor, frame))["statistics"]

    assert monitor.run(as_csv(monitor, frame))["statistics"] == first


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "+3", "007"], "Integral"),
        (["1", "2.5"], "Fractional"),
        (["1.", ".5", "-0.0"], "Fractional"),
        (["1", "x"], "String"),
        (["true", "false"], "String"),
        (["1", "true"], "String"),
        (["0.5", "1e-5"], "String"),
        (["0.5", "nan"], "String"),
        (["1", "inf"], "String"),
        (["1", "-"], "String"),
        (["1" * 400, "2"], "String"),
        (["", "5", ""], "Integral"),
        (["", ""], "Unknown"),
    ],
)
def test_the_type_of_a_csv_column_is_read_from_its_text(monitor: Any, values: list[str], kind: str) -> None:
    monitor.write("data.csv", "x,y\n" + "".join(f"{value},k\n" for value in values))

    reports = monitor.run()

    assert features(reports["statistics"])["x"]["inferred_type"] == kind
    assert features(reports["constraints"])["x"]["inferred_type"] == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "Integral"),
        ([1, 2.5], "Fractional"),
        ([1e-7, 2.0], "Fractional"),
        ([1e300], "Fractional"),
        (["5", "6"], "Integral"),
        ([True, False], "String"),
        ([1, "x"], "String"),
        ([None, 3], "Integral"),
        ([float("nan"), 2.0], "Fractional"),
        ([None], "Unknown"),
    ],
)
def test_json_numbers_are_numbers_however_they_are_written(
    monitor: Any, values: list[object], kind: str
) -> None:
    monitor.json_lines([{"x": value} for value in values])

    assert features(monitor.run(JSON_LINES)["statistics"])["x"]["inferred_type"] == kind


def test_a_column_that_turns_out_to_be_text_late_is_counted_from_its_beginning(monitor: Any) -> None:
    rows = 450_000  # more than two batches
    monitor.write("data.csv", "code,n\n" + "".join(f"{row % 7},{row}\n" for row in range(rows)) + "A,0\n")

    statistics = features(monitor.run()["statistics"])["code"]

    assert statistics["inferred_type"] == "String"
    assert statistics["string_statistics"]["common"] == {"num_present": rows + 1, "num_missing": 0}
    buckets = statistics["string_statistics"]["distribution"]["categorical"]["buckets"]
    counts = {bucket["value"]: bucket["count"] for bucket in buckets}
    assert counts == {**{str(code): len(range(code, rows, 7)) for code in range(7)}, "A": 1}


def test_numbers_agree_over_many_batches(monitor: Any) -> None:
    values = np.random.default_rng(3).normal(1e9, 1e-3, 500_000).round(7)
    monitor.write("data.csv", "x\n" + "\n".join(f"{value:.7f}" for value in values))

    found = features(monitor.run()["statistics"])["x"]["numerical_statistics"]

    assert found["std_dev"] == pytest.approx(values.std(), rel=1e-6)  # 1e-12 of the values' size
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-12)


def test_nested_json_is_flattened_and_its_columns_sorted(monitor: Any) -> None:
    monitor.json_lines(
        [
            {"z": 1, "a": {"b": {"c": "x"}, "d": [1.5, 2]}},
            {"a": {"d": [3]}, "late": "y"},
            {},
        ]
    )

    reports = monitor.run(JSON_LINES)

    names = [feature["name"] for feature in reports["statistics"]["features"]]
    assert names == ["a_b_c", "a_d_0", "a_d_1", "late", "z"]
    assert reports["statistics"]["dataset"]["item_count"] == 3
    completeness = {name: it["completeness"] for name, it in features(reports["constraints"]).items()}
    assert completeness == pytest.approx(
        {"a_b_c": 1 / 3, "a_d_0": 2 / 3, "a_d_1": 1 / 3, "late": 1 / 3, "z": 1 / 3}
    )


def test_a_json_document_is_a_list_of_records(monitor: Any) -> None:
    monitor.write("data.json", json.dumps([{"x": 1}, {"x": 3}]))

    assert features(monitor.run({"json": {"lines": False}})["statistics"])["x"]["numerical_statistics"][
        "mean"
    ] == pytest.approx(2)


def test_captured_inferences_have_output_and_input_side_by_side(monitor: Any) -> None:
    def event(data: str, answer: str, encoding: str) -> Mapping[str, object]:
        return {
            "captureData": {
                "endpointInput": {"data": data, "encoding": encoding, "mode": "INPUT"},
                "endpointOutput": {"data": answer, "encoding": encoding, "mode": "OUTPUT"},
            },
            "eventMetadata": {"eventId": "1"},
        }

    monitor.json_lines([event("1,2\n3,4", "0.5\n0.25\n", "CSV"), event("5,6", "1.0", "CSV")])
    first = features(monitor.run({"sagemakerCaptureJson": {}})["statistics"])
    monitor.json_lines([event('{"age": 3}', '{"score": 0.5}', "JSON")])
    second = features(monitor.run({"sagemakerCaptureJson": {}})["statistics"])

    sums = {name: feature["numerical_statistics"]["sum"] for name, feature in first.items()}
    assert sums == {"_c0": 1.75, "_c1": 9.0, "_c2": 12.0}
    assert sorted(second) == ["age", "score"]
