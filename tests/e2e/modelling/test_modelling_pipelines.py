"""Models that are searched, checked, registered and asked, in pipelines that the SageMaker SDK built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn import metrics

from sagelocal_executors.auto_ml.candidate import serving

if TYPE_CHECKING:
    from tests.e2e.modelling.conftest import Ran, Run

FIXTURES = Path(__file__).parents[3] / "fixtures"
BUCKET = "s3://sagelocal-modelling"
FIRST: dict[str, bool] = json.loads((FIXTURES / "modelling/gate/first.json").read_text())
CHECKS = [
    "CheckDataQuality",
    "CheckDataBias",
    "CheckModelQuality",
    "CheckModelBias",
    "CheckModelExplainability",
]
REGISTER = "Register-RegisterModel"


@pytest.fixture(name="tuned")
def _tuned(run: Run) -> Ran:
    return run("tuning")


@pytest.fixture(name="found")
def _found(run: Run) -> Ran:
    return run("automl", MaxCandidates=3)


@pytest.fixture(name="first")
def _first(run: Run) -> Ran:
    """The execution that has nothing to be compared with, and registers baselines."""
    return run("gate", **FIRST)


@pytest.fixture(name="second")
def _second(first: Ran, run: Run) -> Ran:
    """The same data again, compared with the baselines."""
    assert first.view.status == "Succeeded", first.reasons
    return run("gate")


@pytest.fixture(name="drifted")
def _drifted(second: Ran, run: Run) -> Ran:
    """Other data, compared with the baselines."""
    assert second.view.status == "Succeeded", second.reasons
    return run("gate", InputData=f"{BUCKET}/drifted/drifted.csv")


def models(ran: Ran) -> list[str]:
    """The model data of what was registered and of what was created."""
    package = ran.properties(REGISTER)["InferenceSpecification"]["Containers"][0]
    return [package["ModelDataUrl"], ran.properties("Create-CreateModel")["PrimaryContainer"]["ModelDataUrl"]]


def trees(folder: Path) -> xgboost.Booster:
    """The model of the built-in algorithm, whose file says by no suffix what it is."""
    return xgboost.Booster(model_file=bytearray((folder / "xgboost-model").read_bytes()))


def sources(value: Any) -> list[str]:
    """Every S3Uri in what was registered."""
    if isinstance(value, dict):
        own = [value["S3Uri"]] if "S3Uri" in value else []
        return own + [uri for member in value.values() for uri in sources(member)]
    return []


# Tuning


def test_eight_trials_find_a_model_that_is_registered_created_and_asked(tuned: Ran, runtime: str) -> None:
    assert tuned.view.status == "Succeeded", tuned.reasons
    assert tuned.properties("Tune")["TrainingJobStatusCounters"]["Completed"] == 8
    assert all(tuned.where(step).startswith(runtime) for step in ("Prepare", "Tune", "Predict"))
    assert tuned.left_behind == []


def test_the_summaries_are_sorted_and_the_first_is_the_best(tuned: Ran) -> None:
    summaries = tuned.properties("Tune")["TrainingJobSummaries"]
    errors = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in summaries]

    assert len(errors) == 8
    assert errors == sorted(errors)
    assert tuned.properties("Tune")["BestTrainingJob"]["TrainingJobName"] == summaries[0]["TrainingJobName"]


def test_the_best_model_is_the_one_that_its_error_says(tuned: Ran, tmp_path: Path) -> None:
    best = tuned.properties("Tune")["BestTrainingJob"]
    (uri,) = set(models(tuned))
    booster = trees(tuned.unpacked(uri, tmp_path))
    held_back = tuned.table(f"{tuned.output('Prepare', 'validation')}/validation.csv", header=None)
    predicted = booster.predict(xgboost.DMatrix(held_back.iloc[:, 1:].to_numpy()))
    error = metrics.root_mean_squared_error(held_back[0], predicted)

    assert uri == f"{BUCKET}/tuning/models/{best['TrainingJobName']}/output/model.tar.gz"
    # The algorithm prints five decimals, and the metric is read from what it prints.
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(error, abs=1e-5)


def test_the_batch_is_predicted_by_that_model(tuned: Ran, tmp_path: Path) -> None:
    booster = trees(tuned.unpacked(models(tuned)[0], tmp_path))
    batch = tuned.table(f"{tuned.output('Prepare', 'batch')}/batch.csv", header=None)
    joined = tuned.table(f"{BUCKET}/tuning/predictions/batch.csv.out", header=None)

    assert list(joined[0]) == list(batch[0])
    np.testing.assert_allclose(
        joined[1], booster.predict(xgboost.DMatrix(batch.iloc[:, 1:].to_numpy())), rtol=1e-6
    )


# AutoML


def test_the_best_candidate_is_registered_created_and_asked(found: Ran, runtime: str) -> None:
    best = found.properties("Search")["BestCandidate"]

    assert found.view.status == "Succeeded", found.reasons
    assert set(models(found)) == {best["InferenceContainers"][0]["ModelDataUrl"]}
    assert all(found.where(step).startswith(runtime) for step in ("Search", "Predict"))
    assert found.left_behind == []


def test_its_reports_are_registered_with_it(found: Ran) -> None:
    quality = found.properties(REGISTER)["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    explained = found.properties(REGISTER)["ModelMetrics"]["Explainability"]["Report"]["S3Uri"]
    best = found.properties("Search")["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"]

    assert found.json(quality)["regression_metrics"]["mse"]["value"] == pytest.approx(best, rel=1e-12)
    assert (
        max(found.json(explained)["explanations"]["permutation_importance"]["global_importance"].values()) > 0
    )


def test_it_predicts_what_nobody_showed_it(found: Ran) -> None:
    abalones = pd.read_csv(FIXTURES / "abalone/data/abalone-dataset.csv", header=None)[600:700]
    predicted = found.table(f"{BUCKET}/automl/predictions/batch.csv.out", header=None)[0]

    assert metrics.r2_score(abalones[8], predicted) > 0.3


@pytest.mark.parametrize("runtime", ["process"], indirect=True)
def test_a_transform_says_what_the_model_says(found: Ran, tmp_path: Path) -> None:
    """Only where our own interpreter made the model: a pickle is for the versions that wrote it."""
    model = serving.model_fn(str(found.unpacked(models(found)[0], tmp_path)))
    body = (FIXTURES / "modelling/automl/data/batch.csv").read_text()
    said = [
        record["predicted_label"] for record in serving.predict_fn(serving.input_fn(body, "text/csv"), model)
    ]
    predicted = found.table(f"{BUCKET}/automl/predictions/batch.csv.out", header=None)[0]

    np.testing.assert_allclose(predicted, said, rtol=1e-12)


# Checks that gate a registration


def test_the_first_execution_registers_its_own_baselines(first: Ran, runtime: str) -> None:
    package = first.properties(REGISTER)

    assert first.view.status == "Succeeded", first.reasons
    assert package["ModelPackageVersion"] == 1
    assert len(sources(package["DriftCheckBaselines"])) == 9
    assert all(first.path(uri).is_file() for uri in sources(package["DriftCheckBaselines"]))
    assert all(first.path(uri).is_file() for uri in sources(package["ModelMetrics"]))
    assert all(first.where(step).startswith(runtime) for step in CHECKS)
    assert first.left_behind == []


def test_data_quality_agrees_with_pandas(first: Ran) -> None:
    table = first.table(f"{first.output('Prepare', 'table')}/table.csv")
    report = first.json(first.properties("CheckDataQuality")["CalculatedBaselineStatistics"])

    assert report["dataset"]["item_count"] == len(table)
    for feature in report["features"]:
        column, found = table[feature["name"]], feature["numerical_statistics"]
        assert found["mean"] == pytest.approx(column.mean(), rel=1e-9)
        assert found["std_dev"] == pytest.approx(column.std(ddof=0), rel=1e-9)
        assert (found["min"], found["max"]) == (column.min(), column.max())


def test_data_bias_agrees_with_counting(first: Ran) -> None:
    table = first.table(f"{first.output('Prepare', 'train')}/train.csv", header=None)
    report = first.json(first.properties("CheckDataBias")["CalculatedBaselineConstraints"])
    (facet,) = report["pre_training_bias_metrics"]["facets"]["infant"]
    values = {metric["name"]: metric["value"] for metric in facet["metrics"]}
    infants, others = table[table[1] == 1], table[table[1] == 0]

    assert values["CI"] == pytest.approx((len(others) - len(infants)) / len(table), abs=1e-9)
    assert values["DPL"] == pytest.approx(others[0].mean() - infants[0].mean(), abs=1e-9)


def test_model_quality_agrees_with_scikit_learn(first: Ran) -> None:
    predictions = first.properties("Predict")["TransformOutput"]["S3OutputPath"]
    table = first.table(f"{predictions}/test.csv.out", header=None)
    report = first.json(first.properties("CheckModelQuality")["CalculatedBaselineStatistics"])
    found = report["binary_classification_metrics"]

    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(table[0], table[1]), abs=1e-9)
    assert found["recall"]["value"] == pytest.approx(metrics.recall_score(table[0], table[1] > 0.5), abs=1e-9)


def test_model_bias_is_that_of_the_predictions(first: Ran) -> None:
    test = first.table(f"{first.output('Prepare', 'test')}/test.csv", header=None)
    predictions = first.properties("Predict")["TransformOutput"]["S3OutputPath"]
    old = first.table(f"{predictions}/test.csv.out", header=None)[1] > 0.5
    report = first.json(first.properties("CheckModelBias")["CalculatedBaselineConstraints"])
    (facet,) = report["post_training_bias_metrics"]["facets"]["infant"]
    values = {metric["name"]: metric["value"] for metric in facet["metrics"]}
    infant = test[1] == 1

    assert values["DPPL"] == pytest.approx(old[~infant].mean() - old[infant].mean(), abs=1e-9)
    assert values["DI"] == pytest.approx(old[infant].mean() / old[~infant].mean(), abs=1e-9)


def test_explanations_name_every_feature(first: Ran) -> None:
    report = first.json(first.properties("CheckModelExplainability")["CalculatedBaselineConstraints"])
    shares = report["explanations"]["kernel_shap"]["label0"]["global_shap_values"]

    assert set(shares) == {"infant", "length", "diameter", "height", "whole", "shucked", "viscera", "shell"}
    assert max(shares, key=lambda name: shares[name]) == "shell"


def test_the_same_data_passes_and_is_compared_with_the_first(first: Ran, second: Ran) -> None:
    assert second.properties(REGISTER)["ModelPackageVersion"] == 2
    for check in CHECKS:
        used = second.properties(check)["BaselineUsedForDriftCheckConstraints"]
        assert used == first.properties(check)["CalculatedBaselineConstraints"]
        assert used != second.properties(check)["CalculatedBaselineConstraints"]


def test_drifted_data_fails_at_the_check_and_nothing_is_registered(drifted: Ran) -> None:
    assert drifted.view.status == "Failed"
    assert drifted.statuses["CheckDataQuality"] == "Failed"
    assert {"Train", "Create-CreateModel", REGISTER}.isdisjoint(drifted.statuses)
    uri = f"{BUCKET}/gate/{drifted.view.id}/data-quality/constraint_violations.json"
    assert (
        drifted.reason("CheckDataQuality") == f"ClientError: Quality check failed. See violation report {uri}"
    )


def test_the_violations_are_those_that_were_made(drifted: Ran) -> None:
    uri = f"{BUCKET}/gate/{drifted.view.id}/data-quality/constraint_violations.json"
    found = {
        (each["feature_name"], each["constraint_check_type"]) for each in drifted.json(uri)["violations"]
    }

    assert ("whole", "completeness_check") in found
    assert {(name, "baseline_drift_check") for name in ("length", "diameter", "height")} <= found
    assert not {name for name, _ in found} & {"shell", "viscera", "shucked"}
