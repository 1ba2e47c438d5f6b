"""Where the data comes from, and what its columns are."""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl
import pytest

DPL = {"pre_training_bias": {"methods": ["DPL"]}}
FACET = [{"name_or_index": "s", "value_or_threshold": [1]}]
CONFIG: dict[str, Any] = {
    "dataset_type": "text/csv",
    "label": "y",
    "label_values_or_threshold": [1],
    "facet": FACET,
    "methods": DPL,
}
ROWS = [(1, 0, 5), (1, 0, 6), (0, 0, 7), (0, 0, 8), (1, 1, 9), (0, 1, 1), (0, 1, 2), (0, 1, 3)]
VALUE = 0.5 - 0.25
"""The difference of the proportions of positive labels of ROWS: y, s, x."""


def lines(rows: Any = ROWS) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


async def value_of(job: Any, config: Any, facet: str = "s") -> float | None:
    end = await job.run(config)
    assert end.code == 0, end.output
    found: float | None = end.metrics("pre_training", facet)["DPL"]
    return found


async def test_headers_of_the_file_name_the_columns(clarify_job: Any) -> None:
    clarify_job.data("y,s,x\n" + lines())

    assert await value_of(clarify_job, CONFIG) == VALUE


async def test_configured_headers_name_the_columns(clarify_job: Any) -> None:
    clarify_job.data(lines())

    assert await value_of(clarify_job, {**CONFIG, "headers": ["y", "s", "x"]}) == VALUE


async def test_a_row_that_repeats_the_configured_headers_is_no_data(clarify_job: Any) -> None:
    clarify_job.data("y,s,x\n" + lines())

    assert await value_of(clarify_job, {**CONFIG, "headers": ["y", "s", "x"]}) == VALUE


async def test_columns_without_names_are_found_by_index(clarify_job: Any) -> None:
    clarify_job.data(lines())
    facet = [{"name_or_index": 1, "value_or_threshold": [1]}]

    assert await value_of(clarify_job, {**CONFIG, "label": 0, "facet": facet}, "column_1") == VALUE


async def test_headers_above_texts_are_known_by_the_names_that_are_used(clarify_job: Any) -> None:
    clarify_job.data("y,s\nyes,m\nno,m\nyes,f\nyes,f\n")
    facet = [{"name_or_index": "s", "value_or_threshold": ["m"]}]

    value = await value_of(clarify_job, {**CONFIG, "label_values_or_threshold": ["yes"], "facet": facet})

    assert value == 0.5


async def test_several_files_are_one_table(clarify_job: Any) -> None:
    clarify_job.data("y,s,x\n" + lines(ROWS[:3]), "part-0.csv")
    clarify_job.data("y,s,x\n" + lines(ROWS[3:]), "deep/part-1.csv")
    clarify_job.data("not data", "_SUCCESS")

    assert await value_of(clarify_job, CONFIG) == VALUE


async def test_json_lines_are_read_by_jmespath(clarify_job: Any) -> None:
    records = [{"data": {"f": [s, x]}, "label": y} for y, s, x in ROWS]
    clarify_job.data("\n".join(map(json.dumps, records)), "d.jsonl")
    config = {**CONFIG, "dataset_type": "application/jsonlines", "features": "data.f", "label": "label"}

    assert await value_of(clarify_job, {**config, "headers": ["s", "x", "y"]}) == VALUE
    assert (
        await value_of(
            clarify_job, {**config, "facet": [{"name_or_index": 0, "value_or_threshold": [1]}]}, "column_0"
        )
        == VALUE
    )


async def test_json_documents_are_read_by_jmespath(clarify_job: Any) -> None:
    document = {"rows": [{"f": [s, x], "label": y} for y, s, x in ROWS]}
    clarify_job.data(json.dumps(document), "d.json")
    paths = {"features": "rows[*].f", "label": "rows[*].label", "headers": ["s", "x", "y"]}

    assert await value_of(clarify_job, {**CONFIG, "dataset_type": "application/json", **paths}) == VALUE


async def test_parquet_brings_its_own_names(clarify_job: Any) -> None:
    buffer = io.BytesIO()
    pl.DataFrame(ROWS, schema=["y", "s", "x"], orient="row").write_parquet(buffer)
    clarify_job.data(buffer.getvalue(), "d.parquet")

    assert await value_of(clarify_job, {**CONFIG, "dataset_type": "application/x-parquet"}) == VALUE


async def test_the_dataset_uri_comes_before_the_input(clarify_job: Any) -> None:
    clarify_job.data("y,s\n0,0\n1,1\n")
    clarify_job.put("s3://bucket/some folder/a.csv", "y,s,x\n" + lines(ROWS[:4]))
    clarify_job.put("s3://bucket/some folder/b.csv", "y,s,x\n" + lines(ROWS[4:]))
    clarify_job.put("s3://bucket/some folder-2/c.csv", "y,s,x\n1,1,1\n")

    assert await value_of(clarify_job, {**CONFIG, "dataset_uri": "s3://bucket/some folder"}) == VALUE


async def test_facets_of_their_own_dataset_stand_beside_the_rows(clarify_job: Any) -> None:
    clarify_job.data("y,x\n" + lines((y, x) for y, _, x in ROWS))
    clarify_job.put("s3://bucket/facets.csv", lines((s,) for _, s, _ in ROWS))
    uris = {"facet_dataset_uri": "s3://bucket/facets.csv", "facet_headers": ["s"]}

    assert await value_of(clarify_job, {**CONFIG, **uris}) == VALUE
    by_index = [{"name_or_index": 0, "value_or_threshold": [1]}]
    assert await value_of(clarify_job, {**CONFIG, **uris, "facet": by_index}) == VALUE


async def test_an_identifier_joins_predicted_labels_in_any_order(clarify_job: Any) -> None:
    clarify_job.data("id,y,s\n" + lines((i, y, s) for i, (y, s, _) in enumerate(ROWS)))
    predictions = list(reversed([(i, 1 - y) for i, (y, _, _) in enumerate(ROWS)]))
    clarify_job.put("s3://bucket/predicted.csv", lines(predictions))
    config = {
        **CONFIG,
        "joinsource_name_or_index": "id",
        "predicted_label_dataset_uri": "s3://bucket/predicted.csv",
        "predicted_label_headers": ["id", "predicted_label"],
        "methods": {"post_training_bias": {"methods": ["DPPL"]}},
    }

    end = await clarify_job.run(config)

    assert end.metrics("post_training", "s") == {"DPPL": 0.5 - 0.75}


async def test_rows_without_label_or_facet_are_left_out(clarify_job: Any) -> None:
    clarify_job.data("y,s,x\n" + lines(ROWS) + ",1,1\n1,,1\nNaN,0,1\n")

    end = await clarify_job.run(CONFIG)

    assert end.metrics("pre_training", "s")["DPL"] == VALUE
    assert "facet s (1): 3 rows without label or facet value are left out" in end.output


@pytest.mark.parametrize(
    ("data", "change", "said"),
    [
        ("", {}, "The dataset has no rows (data.csv)"),
        ("y,s,x\n", {}, "The dataset has no rows"),
        ("y,s,x\n1,2,3,4\n", {}, "data.csv is no CSV table"),
        ("y,s\n1,1\n0,0\n", {"label": "lable"}, "label: there is no column 'lable'"),
        ("yy,s\n1,1\n0,0\n", {}, "label: there is no column 'y' (did you mean yy?); there are yy, s"),
        ("1,1\n0,0\n", {"label": 2}, "label: there is no column 2; the 2 columns are 0 to 1"),
        ("y,s,s\n1,1,1\n", {}, "data.csv has several columns called s"),
        ("1,1\n0,0\n", {"headers": ["y"]}, "headers has 1 names (y), but the data has 2 columns"),
        ("1,1\n0,0\n", {"headers": ["y", "y"]}, "headers must be distinct"),
        ("y,s\n1,1\n0,0\n", {"group_variable": "g"}, "group_variable: there is no column 'g'"),
        (
            "y,s\n1,1\n0,0\n",
            {"facet": [{"name_or_index": "t"}]},
            "facet[0].name_or_index: there is no column 't'",
        ),
        ("y,s\n1,1\n0,0\n", {"excluded_columns": ["t"]}, "excluded_columns: there is no column 't'"),
        ("y,s\n1,1\n0,0\n", {"dataset_uri": "file:x"}, "dataset_uri must be an S3 URI"),
        (
            "y,s\n1,1\n0,0\n",
            {"dataset_uri": "s3://bucket/none"},
            "dataset_uri: there is no object s3://bucket/none",
        ),
        ("y,s\n1,1\n0,0\n", {"dataset_type": "application/x-parquet"}, "data.csv is not Parquet"),
        (
            "{}",
            {"dataset_type": "application/jsonlines", "features": "f"},
            "features ('f') must be a list of values",
        ),
        (
            "nope",
            {"dataset_type": "application/jsonlines", "features": "f"},
            "data.csv, line 1: this is no JSON",
        ),
        (
            "{}",
            {"dataset_type": "application/json", "features": "f"},
            "features ('f') must be a list of lists",
        ),
        ('{"f":[1]}', {"dataset_type": "application/jsonlines", "features": "f["}, "'f[' is no JMESPath"),
    ],
)
async def test_data_that_does_not_fit_is_refused_in_words(
    clarify_job: Any, data: str, change: dict[str, Any], said: str
) -> None:
    clarify_job.put("s3://bucket/other", "x")
    clarify_job.data(data)

    end = await clarify_job.run({**CONFIG, **change})

    assert end.code == 1
    assert said in end.message
    assert "Traceback" not in end.output


async def test_files_of_different_shape_are_refused(clarify_job: Any) -> None:
    clarify_job.data("y,s\n1,1\n", "a.csv")
    clarify_job.data("y,s,x\n1,1,1\n", "b.csv")

    end = await clarify_job.run(CONFIG)

    assert "different columns: a.csv has y, s, b.csv has y, s, x" in end.message


async def test_a_facet_dataset_of_another_length_needs_an_identifier(clarify_job: Any) -> None:
    clarify_job.data("y,x\n1,1\n0,0\n")
    clarify_job.put("s3://bucket/facets.csv", "s\n1\n")

    end = await clarify_job.run({**CONFIG, "facet_dataset_uri": "s3://bucket/facets.csv"})

    assert "facet_dataset_uri: 1 rows beside 2 of the dataset; set joinsource_name_or_index" in end.message
