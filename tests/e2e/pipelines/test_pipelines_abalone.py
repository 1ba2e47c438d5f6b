"""The abalone pipelines of AWS's examples, with scripts of our own, from data to registered model."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost

if TYPE_CHECKING:
    from tests.e2e.pipelines.conftest import Ran, Run

FIXTURES = Path(__file__).parents[3] / "fixtures"
BUCKET = "s3://sagemaker-us-east-1-111122223333"
REGISTERED = [
    "AbaloneProcess",
    "AbaloneTrain",
    "AbaloneEval",
    "AbaloneMSECond",
    "AbaloneCreateModel-CreateModel",
    "AbaloneRegisterModel-RegisterModel",
    "AbaloneTransform",
]


@pytest.fixture(name="abalone")
def _abalone(run: Run) -> Ran:
    return run("abalone/pipeline.json", TrainingInstanceType="ml.c5.xlarge")


@pytest.fixture(name="strict")
def _strict(run: Run) -> Ran:
    return run("abalone/pipeline.json", MseThreshold=1.0)


@pytest.fixture(name="selective")
def _selective(run: Run) -> Ran:
    return run("abalone-selective/definition.json", XGBNumRounds=20)


@pytest.fixture(name="framework")
def _framework(run: Run) -> Ran:
    return run("scripts/framework.json")


@pytest.fixture(name="repack")
def _repack(run: Run) -> Ran:
    return run("scripts/repack.json")


def test_a_good_model_is_registered_and_created(abalone: Ran) -> None:
    assert abalone.view.status == "Succeeded", abalone.reasons
    assert sorted(abalone.statuses) == sorted(REGISTERED)
    assert set(abalone.statuses.values()) == {"Succeeded"}


def test_each_step_ran_where_it_should(abalone: Ran, runtime: str) -> None:
    jobs = ["AbaloneProcess", "AbaloneTrain", "AbaloneEval", "AbaloneTransform"]

    assert all(abalone.where(step).startswith(runtime) for step in jobs)
    assert "xgboost" in abalone.where("AbaloneTrain")


def test_outputs_of_one_step_are_inputs_of_the_next(abalone: Ran) -> None:
    train = f"{BUCKET}/AbalonePipeline/{abalone.view.id}/AbaloneProcess/output/train"
    channel = abalone.arguments("AbaloneTrain")["InputDataConfig"][0]

    assert abalone.output("AbaloneProcess", "train") == train
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == train
    assert abalone.names(train) == ["train.csv"]


def test_a_parameter_reaches_the_arguments(abalone: Ran) -> None:
    assert abalone.arguments("AbaloneTrain")["ResourceConfig"]["InstanceType"] == "ml.c5.xlarge"
    assert abalone.view.parameters["TrainingInstanceType"] == "ml.c5.xlarge"


def test_the_model_predicts_ages(abalone: Ran) -> None:
    report = abalone.json(f"{abalone.output('AbaloneEval', 'evaluation')}/evaluation.json")

    assert "xgboost-model" in abalone.model("AbaloneTrain")
    assert 3 < report["regression_metrics"]["mse"]["value"] < 6


def test_the_package_holds_the_model_and_its_metrics(abalone: Ran) -> None:
    package = abalone.properties("AbaloneRegisterModel-RegisterModel")
    container = package["InferenceSpecification"]["Containers"][0]

    assert package["ModelPackageArn"].endswith(":model-package/abalonemodelpackagegroupname/1")
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert (
        container["ModelDataUrl"] == abalone.properties("AbaloneTrain")["ModelArtifacts"]["S3ModelArtifacts"]
    )


def test_the_batch_is_predicted_as_the_model_itself_predicts_it(abalone: Ran) -> None:
    rows = np.loadtxt(FIXTURES / "abalone/data/abalone-dataset-batch", delimiter=",")
    model = pickle.loads(abalone.model("AbaloneTrain")["xgboost-model"])
    written = abalone.object(f"{BUCKET}/AbaloneTransform/abalone-dataset-batch.out").decode().splitlines()

    assert len(written) == len(rows) == 60
    assert np.allclose([float(line) for line in written], model.predict(xgboost.DMatrix(rows)), rtol=1e-6)


def test_a_stricter_threshold_fails_the_execution_with_its_message(strict: Ran) -> None:
    assert strict.view.status == "Failed"
    assert strict.statuses["AbaloneMSECond"] == "Succeeded"
    assert strict.statuses["AbaloneMSEFail"] == "Failed"
    assert "1.0" in strict.reason("AbaloneMSEFail")
    assert not any("Register" in step or "Create" in step for step in strict.statuses)


def test_all_versions_of_the_caching_pipeline_train_a_model(run: Run) -> None:
    for version in ("v1", "v2", "v3"):
        ran = run(f"abalone-caching/{version}.json", home="caching")

        assert ran.statuses == {"AbaloneProcess": "Succeeded", "AbaloneTrain": "Succeeded"}, ran.reasons
        assert ran.model("AbaloneTrain")
        assert ran.left_behind == []


def test_hyperparameters_from_parameters_arrive_as_texts(selective: Ran) -> None:
    assert selective.view.status == "Succeeded", selective.reasons
    assert selective.arguments("Abalone-Train")["HyperParameters"]["num_round"] == "20"
    assert selective.properties("Abalone-Train")["HyperParameters"]["num_round"] == "20"


def test_an_output_without_execution_id_lies_where_the_definition_says(selective: Ran) -> None:
    uri = selective.output("Abalone-Evaluate", "evaluation")

    assert uri.startswith(f"{BUCKET}/abalone-postproc-")
    assert 3 < selective.json(f"{uri}/evaluation.json")["regression_metrics"]["mse"]["value"] < 8


def test_a_framework_processor_prepares_what_script_mode_trains_on(framework: Ran) -> None:
    metrics = framework.properties("Train")["FinalMetricDataList"]
    output = framework.properties("Train")["ModelArtifacts"]["S3ModelArtifacts"].replace("model.", "output.")

    assert framework.view.status == "Succeeded", framework.reasons
    assert "500 rows kept" in framework.log("Prepare")
    assert [metric["MetricName"] for metric in metrics] == ["r2"]
    assert 0 < metrics[0]["Value"] < 1
    assert "report.json" in framework.archive(output)


def test_a_model_is_registered_with_its_inference_script(repack: Ran) -> None:
    assert repack.view.status == "Succeeded", repack.reasons
    package = repack.properties("Register-RegisterModel")
    packed = repack.archive(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])

    assert {"model.joblib", "code/inference.py"} <= packed.keys()


def test_jobs_leave_no_working_folders(
    abalone: Ran, strict: Ran, selective: Ran, framework: Ran, repack: Ran
) -> None:
    for ran in (abalone, strict, selective, framework, repack):
        assert ran.left_behind == []
