"""What the SageMaker SDK does with jobs, models and experiments works as it is.

The SDK has a virtual environment of its own (``make setup_all``, or SAGELOCAL_SDK_PYTHON names its interpreter).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sagelocal.api import SERVICES
from sagelocal.engine import Engine
from sagelocal.settings import Settings

ROOT = Path(__file__).parents[3]
SDK = Path(os.environ.get("SAGELOCAL_SDK_PYTHON", ROOT / ".venv-sdk/bin/python"))

# Only its patience is shortened: it looks every 5 or 10 seconds.
BEGINNING = """
import time

sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.2))

import boto3
from sagemaker.session import Session
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

ROLE = "arn:aws:iam::000000000000:role/jobs"
ONE = {"instance_count": 1, "instance_type": "ml.m5.large"}
session = Session(default_bucket="bucket")
client = session.sagemaker_client
boto3.client("s3").create_bucket(Bucket="bucket")
boto3.client("s3").put_object(Bucket="bucket", Key="rows/a.csv", Body=b"1,2\\n3,4\\n5,6\\n")
METRICS = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
"""

STUBBED = (
    BEGINNING
    + """
from sagemaker.analytics import ExperimentAnalytics
from sagemaker.estimator import Estimator
from sagemaker.experiments.run import Run, list_runs
from sagemaker.lineage.artifact import Artifact
from sagemaker.processing import Processor

estimator = Estimator("mine:1", ROLE, output_path="s3://bucket/out", metric_definitions=METRICS, sagemaker_session=session, **ONE)
estimator.fit({"train": "s3://bucket/rows"}, logs=False)
assert estimator.model_data.endswith("/output/model.tar.gz")

tuner = HyperparameterTuner(
    estimator, "loss", {"eta": ContinuousParameter(0.1, 0.9)}, METRICS, strategy="Random", max_jobs=2, objective_type="Minimize"
)
tuner.fit({"train": "s3://bucket/rows"})
assert len(tuner.analytics().dataframe()) == 2
assert tuner.best_training_job() in set(tuner.analytics().dataframe()["TrainingJobName"])

predictor = estimator.deploy(1, "ml.m5.large")
assert session.endpoint_in_service_or_not(predictor.endpoint_name)
predictor.delete_model()
predictor.delete_endpoint()

package = estimator.create_model().register(
    content_types=["text/csv"], response_types=["text/csv"], inference_instances=["ml.m5.large"],
    transform_instances=["ml.m5.large"], model_package_group_name="group",
)
package.update_approval_status("Approved")
approved = client.list_model_packages(ModelPackageGroupName="group", ModelApprovalStatus="Approved")
assert [each["ModelPackageArn"] for each in approved["ModelPackageSummaryList"]] == [package.model_package_arn]

with Run(experiment_name="Wine", run_name="first", sagemaker_session=session) as run:
    run.log_parameter("depth", 3)
    estimator.fit({"train": "s3://bucket/rows"}, logs=False)
[found] = list_runs("wine", sagemaker_session=session)
assert found.run_name == "first"
table = ExperimentAnalytics(experiment_name="wine", sagemaker_session=session).dataframe()
assert set(table["loss - Last"].dropna()) == {0.25}, table

data = Artifact.create(source_uri="s3://bucket/rows", artifact_type="DataSet", sagemaker_session=session)
assert [each.artifact_arn for each in Artifact.list(source_uri="s3://bucket/rows", sagemaker_session=session)] == [data.artifact_arn]
print("all is well")
"""
)

REAL = (
    BEGINNING
    + """
from sagemaker.sklearn import SKLearn, SKLearnModel, SKLearnProcessor

processor = SKLearnProcessor("1.2-1", ROLE, sagemaker_session=session, **ONE)
processor.run(
    code="double.py",
    inputs=[ProcessingInput(source="s3://bucket/rows", destination="/opt/ml/processing/in")],
    outputs=[ProcessingOutput(source="/opt/ml/processing/out", destination="s3://bucket/doubled", output_name="out")],
)
estimator = SKLearn(
    "train.py", framework_version="1.2-1", role=ROLE, output_path="s3://bucket/models", metric_definitions=METRICS,
    sagemaker_session=session, **ONE,
)
estimator.fit({"train": "s3://bucket/doubled"})
[metric] = estimator.latest_training_job.describe()["FinalMetricDataList"]
assert metric["Value"] == 24.0, metric
transformer = estimator.transformer(1, "ml.m5.large", strategy="SingleRecord", assemble_with="Line")
transformer.transform("s3://bucket/rows", content_type="text/csv", split_type="Line")
path = transformer.output_path.removeprefix("s3://bucket/") + "/a.csv.out"
print("predicted", boto3.client("s3").get_object(Bucket="bucket", Key=path)["Body"].read())
"""
)
DOUBLE = """
rows = [line.split(",") for line in open("/opt/ml/processing/in/a.csv").read().split()]
open("/opt/ml/processing/out/b.csv", "w").writelines(f"{2 * int(a)},{2 * int(b)}\\n" for a, b in rows)
print("doubled", len(rows))
"""
TRAIN = """
import os

if __name__ == "__main__":
    folder = os.environ["SM_CHANNEL_TRAIN"]
    rows = [line.split(",") for name in os.listdir(folder) for line in open(f"{folder}/{name}").read().split()]
    total = sum(int(b) for _, b in rows)
    print(f"loss={total}")
    open(os.path.join(os.environ["SM_MODEL_DIR"], "total"), "w").write(str(total))


def model_fn(folder):
    return int(open(f"{folder}/total").read())


def predict_fn(rows, model):
    return rows.sum(axis=1) + model
"""


@pytest.fixture(name="sdk")
def _sdk(tmp_path: Path) -> Any:
    """Runs a program with the SDK against an endpoint; what it prints."""
    if not SDK.exists():
        text = f"{SDK} is missing: make setup_all makes it, or SAGELOCAL_SDK_PYTHON names one"
        pytest.fail(text, pytrace=False)

    async def run(program: str, url: str) -> str:
        environment = {
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        }
        process = await asyncio.create_subprocess_exec(
            *(str(SDK), "-W", "ignore", "-c", program),
            env=environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed.decode()
        return printed.decode()

    return run


async def test_jobs_models_and_experiments_of_the_sdk(sage: Any, sdk: Any) -> None:
    assert "all is well" in await sdk(STUBBED, sage.url)


@pytest.fixture(name="real")
async def _real(tmp_path: Path) -> AsyncIterator[str]:
    settings = Settings(home=tmp_path / "home", runtime="process", python=Path(sys.executable))
    async with Engine(settings, services=SERVICES, port=0) as engine:
        yield await engine.url()


async def test_what_the_sdk_runs_really_runs(real: str, sdk: Any, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(DOUBLE)
    (tmp_path / "train.py").write_text(TRAIN)
    printed = await sdk(REAL, real)
    # What jobs print comes by CloudWatch Logs.
    assert "doubled 3" in printed
    assert "loss=24" in printed
    assert "Training job completed" in printed
    assert "predicted b'[27.0]\\n[31.0]\\n[35.0]\\n'" in printed
