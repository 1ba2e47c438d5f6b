"""Whole searches over a few hundred abalones, each candidate a training job in a sandboxed process."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from sagelocal.cloud.endpoint import Endpoint
from sagelocal.jobs import Executor, Failed, Succeeded
from sagelocal.names import S3Uri
from sagelocal.settings import Settings
from sagelocal_executors.auto_ml.candidate import serving
from sagelocal_executors.containers.process import ProcessContainers

if TYPE_CHECKING:
    from tests.executors.auto_ml.conftest import Desk

    CheckShape = Callable[[str, Mapping[str, Any]], None]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

ABALONE = Path(__file__).parents[3] / "fixtures/abalone/data/abalone-dataset.csv"
NAMES = ["sex", "length", "diameter", "height", "whole", "shucked", "viscera", "shell", "rings"]


@pytest.fixture(name="abalones", scope="module")
def _abalones() -> pd.DataFrame:
    return pd.read_csv(ABALONE, names=NAMES)


@pytest.fixture(name="training")
async def _training(desk: Desk, tmp_path: Path) -> AsyncIterator[Executor]:
    """Real training jobs, which get their programs from a real S3 endpoint."""
    async with Endpoint(desk.world.store) as endpoint:

        async def reach(_address: str) -> str:
            return endpoint.url

        containers = ProcessContainers(Settings(python=Path(sys.executable)), tmp_path / "scratch", reach)
        yield desk.world.training(containers)
        await containers.close()


def channel(name: str, target: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}"}
    return {"DataSource": {"S3DataSource": source}, "TargetAttributeName": target, "ChannelType": name}


def most(candidates: int) -> dict[str, Any]:
    return {"CompletionCriteria": {"MaxCandidates": candidates}}


def unpacked(desk: Desk, answer: Any, folder: Path) -> Path:
    """The best candidate's model, as a serving container gets it."""
    uri = answer["BestCandidate"]["InferenceContainers"][0]["ModelDataUrl"]
    with tarfile.open(fileobj=io.BytesIO(desk.world.get(uri))) as archive:
        archive.extractall(folder, filter="data")
    return folder


async def test_a_regression_from_data_to_a_model_that_serves(
    desk: Desk, training: Executor, abalones: pd.DataFrame, tmp_path: Path, check_shape: CheckShape
) -> None:
    held_back = abalones[300:400]
    desk.world.put("s3://bucket/training/a.csv", abalones[:200].to_csv(index=False))
    desk.world.put("s3://bucket/training/b.csv", abalones[200:300].to_csv(index=False))
    desk.world.put("s3://bucket/validation/c.csv", held_back.to_csv(index=False))
    channels = [channel(name, "rings") for name in ("training", "validation")]
    outcome = await desk.executor(training).run(desk.job(most(3), InputDataConfig=channels))

    assert isinstance(outcome, Succeeded), desk.world.log()
    answer: Any = dict(outcome.properties)
    reports = answer.pop("BestCandidateProperties")
    check_shape("DescribeAutoMLJobResponse", answer)
    assert answer["ResolvedAttributes"]["ProblemType"] == "Regression"

    model = serving.model_fn(str(unpacked(desk, answer, tmp_path / "model")))
    body = held_back.drop(columns="rings").to_csv(index=False, header=False)
    records = serving.predict_fn(serving.input_fn(body, "text/csv"), model)
    text, _ = serving.output_fn(records, "text/csv")
    predicted = np.array([float(line) for line in text.splitlines()])
    squares = metrics.mean_squared_error(held_back["rings"], predicted)
    assert answer["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"] == pytest.approx(
        squares, rel=1e-9
    )

    insights = json.loads(desk.world.get(reports["ModelInsightsJsonReportPath"]))["regression_metrics"]
    assert insights["mse"]["value"] == pytest.approx(squares, rel=1e-9)
    assert insights["r2"]["value"] == pytest.approx(metrics.r2_score(held_back["rings"], predicted), rel=1e-9)
    shares = json.loads(desk.world.get(reports["ExplainabilityJsonReportPath"]))["explanations"]
    assert set(shares["permutation_importance"]["global_importance"]) == set(NAMES[:-1])
    assert (tmp_path / "model/code/inference.py").is_file()


async def test_a_classification_whose_type_the_data_tells(
    desk: Desk, training: Executor, abalones: pd.DataFrame, check_shape: CheckShape
) -> None:
    table = abalones[:400].assign(adult=(abalones["sex"] != "I").map({True: "yes", False: "no"}))
    packed = gzip.compress(table.drop(columns="sex").to_csv(index=False).encode())
    desk.world.store.put_bytes(S3Uri("bucket", "training/a.csv.gz"), packed)
    source = {**channel("training", "adult"), "CompressionType": "Gzip"}
    outcome = await desk.executor(training).run(desk.job(most(1), InputDataConfig=[source]))

    assert isinstance(outcome, Succeeded), desk.world.log()
    answer: Any = dict(outcome.properties)
    reports = answer.pop("BestCandidateProperties")
    check_shape("DescribeAutoMLJobResponse", answer)
    assert answer["ResolvedAttributes"]["ProblemType"] == "BinaryClassification"
    assert answer["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["MetricName"] == "F1"
    insights = json.loads(desk.world.get(reports["ModelInsightsJsonReportPath"]))
    assert insights["dataset"]["item_count"] == 80
    found = insights["binary_classification_metrics"]
    assert found["f1"]["value"] == answer["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"]
    assert sum(sum(row.values()) for row in found["confusion_matrix"].values()) == 80


async def test_what_is_wrong_with_the_data_is_the_reason(
    desk: Desk, training: Executor, abalones: pd.DataFrame
) -> None:
    desk.world.put("s3://bucket/training/a.csv", abalones[:20].to_csv(index=False))
    outcome = await desk.executor(training).run(desk.job(InputDataConfig=[channel("training", "ring")]))

    assert isinstance(outcome, Failed)
    assert outcome.reason == (
        "ClientError: AlgorithmError: TargetAttributeName: the data has no column 'ring'; it has"
        f" {', '.join(NAMES)}; did you mean 'rings'?, exit code: 1"
    )
