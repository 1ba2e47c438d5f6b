"""Explanations of a served model, from the configuration to the files."""

from __future__ import annotations

import csv
import io
import json
from itertools import permutations
from typing import Any

import numpy as np
import pytest


def near(expected: Any) -> Any:
    """Equal to the last digits that doubles have to spare."""
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


RANDOM = np.random.default_rng(7)
FEATURES = RANDOM.normal(size=(12, 3)).round(3)
ABSENT = [[0.5, -0.25, 1.0], [0.0, 0.75, -1.0]]
CONFIG: dict[str, Any] = {
    "dataset_type": "text/csv",
    "headers": ["y", "a", "b", "c"],
    "label": "y",
    "methods": {"shap": {"baseline": ABSENT, "save_local_shap_values": True}},
    "predictor": {"model_name": "m"},
}


def data() -> str:
    return "".join(f"{i % 2},{','.join(map(repr, row))}\n" for i, row in enumerate(FEATURES.tolist()))


def odds(rows: Any) -> Any:
    return rows[:, 0] * rows[:, 1] + np.maximum(rows[:, 2], 0)


def probability(rows: Any) -> Any:
    return 1 / (1 + np.exp(-odds(rows)))


def shapley(predict: Any, record: Any) -> list[float]:
    """By the definition: over all orders what each feature adds when it comes."""
    shares = np.zeros(3)
    for order in permutations(range(3)):
        rows = np.array(ABSENT)
        before = predict(rows)
        for feature in order:
            rows[:, feature] = record[feature]
            shares[feature] += predict(rows) - before
            before = predict(rows)
    return list(shares / 6)


def with_shap(**members: Any) -> dict[str, Any]:
    return {**CONFIG, "methods": {"shap": {**CONFIG["methods"]["shap"], **members}}}


def local(end: Any, columns: slice = slice(None)) -> Any:
    rows = list(csv.reader(io.StringIO(end.text("explanations_shap/out.csv"))))
    return np.array([[float(cell) for cell in row[columns]] for row in rows[1:]])


async def test_every_record_has_its_shapley_values(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())

    end = await clarify_job.run(CONFIG, csv_model(probability))

    expected = [shapley(lambda rows: probability(rows).mean(), record) for record in FEATURES]
    assert end.rows("explanations_shap/out.csv")[0] == ["a_label0", "b_label0", "c_label0"]
    assert local(end) == near(np.array(expected))
    explained = end.json()["explanations"]["kernel_shap"]["label0"]
    overall = dict(zip("abc", np.abs(expected).mean(axis=0), strict=True))
    assert explained["global_shap_values"] == near(overall)
    assert explained["expected_value"] == near(probability(np.array(ABSENT)).mean())
    assert end.rows("explanations_shap/baseline.csv") == [
        ["a", "b", "c"],
        ["0.5", "-0.25", "1.0"],
        ["0.0", "0.75", "-1.0"],
    ]


@pytest.mark.parametrize(
    ("method", "aggregate"),
    [
        ("mean_sq", lambda values: np.mean(values**2, axis=0)),
        ("median", lambda values: np.median(values, axis=0)),
    ],
)
async def test_other_aggregations(clarify_job: Any, csv_model: Any, method: str, aggregate: Any) -> None:
    clarify_job.data(data())

    end = await clarify_job.run(with_shap(agg_method=method), csv_model(probability))

    overall = end.json()["explanations"]["kernel_shap"]["label0"]["global_shap_values"]
    assert list(overall.values()) == near(aggregate(local(end)))


async def test_log_odds_are_explained_by_use_logit(clarify_job: Any, csv_model: Any) -> None:
    """The mean over the baseline is of probabilities, and the logit is taken of that."""
    clarify_job.data(data())

    end = await clarify_job.run(with_shap(use_logit=True), csv_model(probability))

    def logit_of_mean(rows: Any) -> float:
        mean = probability(rows).mean()
        return float(np.log(mean / (1 - mean)))

    expected = [shapley(logit_of_mean, record) for record in FEATURES]
    assert local(end) == near(np.array(expected))


async def test_log_odds_need_probabilities(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())

    end = await clarify_job.run(with_shap(use_logit=True), csv_model(odds))

    assert end.code == 1
    assert "methods.shap.use_logit needs probabilities; the model answers -" in end.message


async def test_each_output_of_the_model_is_explained(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())
    config = {**CONFIG, "predictor": {"model_name": "m", "label_headers": ["no", "yes"]}}

    end = await clarify_job.run(
        config, csv_model(lambda rows: np.stack([1 - probability(rows), probability(rows)], axis=1))
    )

    assert end.rows("explanations_shap/out.csv")[0] == ["a_no", "b_no", "c_no", "a_yes", "b_yes", "c_yes"]
    assert local(end, slice(0, 3)) == near(-local(end, slice(3, 6)))
    assert sorted(end.json()["explanations"]["kernel_shap"]) == ["no", "yes"]


async def test_the_identifier_stands_beside_the_values_and_is_no_feature(
    clarify_job: Any, csv_model: Any
) -> None:
    clarify_job.data("".join(f"r{i},{line}\n" for i, line in enumerate(data().splitlines())))
    config = {**CONFIG, "headers": ["id", "y", "a", "b", "c"], "joinsource_name_or_index": "id"}

    end = await clarify_job.run(config, csv_model(probability))

    rows = end.rows("explanations_shap/out.csv")
    assert rows[0] == ["id", "a_label0", "b_label0", "c_label0"]
    assert [row[0] for row in rows[1:]] == [f"r{i}" for i in range(12)]


async def test_named_features_alone_are_reported(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())

    end = await clarify_job.run(with_shap(features_to_explain=["c", 1]), csv_model(probability))

    expected = [shapley(lambda rows: probability(rows).mean(), record) for record in FEATURES]
    assert end.rows("explanations_shap/out.csv")[0] == ["a_label0", "c_label0"]
    assert local(end) == near(np.array(expected)[:, [0, 2]])


async def test_without_local_values_there_is_no_file_of_them(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())

    await clarify_job.run(with_shap(save_local_shap_values=False), csv_model(probability))

    folder = clarify_job.root / "processing/output/explanations_shap"
    assert [path.name for path in folder.iterdir()] == ["baseline.csv"]


async def test_texts_are_features_like_any_other(clarify_job: Any, replying: Any) -> None:
    """Rome is worth 2, ten of n are worth 1, and both together 1 more, which they share."""
    clarify_job.data("y,town,n\n1,rome,10\n0,oslo,10\n1,rome,0\n")

    def worth(request: Any) -> str:
        rows = list(csv.reader(request.body.decode().splitlines()))
        return "\n".join(str(2 * (t == "rome") + int(n) / 10 + (t == "rome") * int(n) / 10) for t, n in rows)

    end = await clarify_job.run(
        {**with_shap(baseline=[["nowhere", 0]]), "headers": ["y", "town", "n"]}, replying(worth)
    )

    assert end.code == 0, end.output
    assert local(end) == near(np.array([[2.5, 1.5], [0, 1], [2, 0]]))


async def test_a_baseline_in_json_lines_is_read_as_the_data_is(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(
        "".join(json.dumps({"d": {"f": row}, "y": 1}) + "\n" for row in FEATURES.tolist()), "d.jsonl"
    )
    config = {
        "dataset_type": "application/jsonlines",
        "features": "d.f",
        "methods": {
            "shap": {"baseline": [{"d": {"f": row}} for row in ABSENT], "save_local_shap_values": True}
        },
        "predictor": {"content_template": '{"f":$features}', "probability": "p"},
    }

    def answer(request: Any) -> str:
        rows = np.array([json.loads(line)["f"] for line in request.body.splitlines()])
        return "\n".join(json.dumps({"p": value}) for value in probability(rows).tolist())

    end = await clarify_job.run(config, replying(answer))

    expected = [shapley(lambda rows: probability(rows).mean(), record) for record in FEATURES]
    assert end.rows("explanations_shap/out.csv")[0] == [
        "column_0_label0",
        "column_1_label0",
        "column_2_label0",
    ]
    assert local(end) == near(np.array(expected))


async def test_a_baseline_may_be_an_object_in_s3(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())
    clarify_job.put("s3://bucket/base.csv", "".join(",".join(map(str, row)) + "\n" for row in ABSENT))

    by_uri = await clarify_job.run(with_shap(baseline="s3://bucket/base.csv"), csv_model(probability))
    values = local(by_uri)
    in_place = await clarify_job.run(CONFIG, csv_model(probability))

    assert values.tolist() == local(in_place).tolist()


async def test_a_computed_baseline_is_the_means_of_clusters(clarify_job: Any, replying: Any) -> None:
    rows = [(10 + i % 2, "a") for i in range(6)] + [(-10, "b"), (-12, "b"), (-11, "c")]
    clarify_job.data("n,t\n" + "".join(f"{n},{t}\n" for n, t in rows))
    config = {
        "dataset_type": "text/csv",
        "methods": {"shap": {"num_clusters": 2}},
        "predictor": {"model_name": "m"},
    }

    end = await clarify_job.run(
        config, replying(lambda request: "\n".join("1" for _ in request.body.splitlines()))
    )

    assert end.code == 0, end.output
    assert sorted(end.rows("explanations_shap/baseline.csv")[1:]) == [["-11.0", "b"], ["10.5", "a"]]


@pytest.mark.parametrize(("centres", "expected"), [([0.0], 1), ([-9.0, 0.0, 9.0], 3)])
async def test_without_a_number_there_are_as_many_clusters_as_can_be_seen(
    clarify_job: Any, csv_model: Any, centres: list[float], expected: int
) -> None:
    random = np.random.default_rng(1)
    points = np.concatenate([random.normal(centre, 1, size=(40, 2)) for centre in centres])
    clarify_job.data("a,b\n" + "".join(f"{a},{b}\n" for a, b in points))
    config = {"dataset_type": "text/csv", "methods": {"shap": {}}, "predictor": {"model_name": "m"}}

    end = await clarify_job.run(config, csv_model(lambda rows: rows[:, 0]))

    assert len(end.rows("explanations_shap/baseline.csv")) == 1 + expected


async def test_the_same_seed_gives_the_same_files(clarify_job: Any, csv_model: Any) -> None:
    random = np.random.default_rng(9)
    clarify_job.data("".join(",".join(map(repr, row)) + "\n" for row in random.normal(size=(4, 14)).tolist()))
    shap = {"num_clusters": 1, "num_samples": 60, "save_local_shap_values": True}
    config = {"dataset_type": "text/csv", "predictor": {"model_name": "m"}}

    texts = []
    for seed in (1, 1, 2):
        end = await clarify_job.run({**config, "methods": {"shap": {**shap, "seed": seed}}}, csv_model(odds))
        texts.append(end.text("explanations_shap/out.csv") + end.text("analysis.json"))

    assert texts[0] == texts[1] != texts[2]


async def test_partial_dependence_is_the_mean_over_the_data(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(data())
    config = {**CONFIG, "methods": {"pdp": {"features": ["b"], "grid_resolution": 5}}}

    end = await clarify_job.run(config, csv_model(probability))

    (curve,) = end.json()["explanations"]["pdp"]
    grid = np.linspace(FEATURES[:, 1].min(), FEATURES[:, 1].max(), 5)
    means = [
        probability(np.column_stack([FEATURES[:, 0], np.full(12, x), FEATURES[:, 2]])).mean() for x in grid
    ]
    nearest = [int(np.abs(grid - x).argmin()) for x in FEATURES[:, 1]]
    assert (curve["feature_name"], curve["data_type"], curve["label_headers"]) == (
        "b",
        "numerical",
        ["label0"],
    )
    assert curve["feature_values"] == near(grid)
    assert curve["model_predictions"] == [near(means)]
    assert curve["data_distribution"] == near([nearest.count(i) / 12 for i in range(5)])


async def test_partial_dependence_of_the_most_important_features(clarify_job: Any, replying: Any) -> None:
    clarify_job.data("t,n,m\na,1,0\nb,2,0\nb,3,1\nc,4,1\n")
    config = {
        "dataset_type": "text/csv",
        "methods": {"shap": {"baseline": [["a", 0, 0]]}, "pdp": {"top_k_features": 2, "grid_resolution": 4}},
        "predictor": {"model_name": "m"},
    }

    def worth(request: Any) -> str:
        rows = csv.reader(request.body.decode().splitlines())
        return "\n".join(str(10 * (t == "b") + int(n)) for t, n, _ in rows)

    end = await clarify_job.run(config, replying(worth))

    curves = {curve["feature_name"]: curve for curve in end.json()["explanations"]["pdp"]}
    assert list(curves) == ["t", "n"]
    assert curves["t"]["feature_values"] == ["a", "b", "c"]
    assert curves["t"]["model_predictions"] == [[2.5, 12.5, 2.5]]
    assert curves["t"]["data_distribution"] == [0.25, 0.5, 0.25]
    assert curves["n"]["model_predictions"] == [[6, 7, 8, 9]]


@pytest.mark.parametrize(
    ("shap", "said"),
    [
        (
            {"baseline": [[1, 2]]},
            "methods.shap.baseline has 2 values in a row, but the model is given 3 features (a, b, c)",
        ),
        ({"baseline": [[1, 2, 3], [1, 2]]}, "record 1 has 2 values, the first has 3"),
        ({"baseline": [1, 2, 3]}, "methods.shap.baseline[0] must be a list of values"),
        ({"baseline": [["x", 2, 3]]}, "feature 'a' is a number in the dataset, but 'x' there"),
        ({"baseline": "base.csv"}, "methods.shap.baseline must be an S3 URI"),
        ({"features_to_explain": ["y"]}, "column 'y' is not given to the model, whose features are a, b, c"),
        (
            {"features_to_explain": ["aa"]},
            "methods.shap.features_to_explain: there is no column 'aa' (did you mean a?)",
        ),
    ],
)
async def test_what_does_not_fit_the_features_is_refused(
    clarify_job: Any, csv_model: Any, shap: dict[str, Any], said: str
) -> None:
    clarify_job.data(data())

    end = await clarify_job.run(with_shap(**shap), csv_model(probability))

    assert end.code == 1
    assert said in end.message
    assert "Traceback" not in end.output
