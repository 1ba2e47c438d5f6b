"""Transform jobs for real: the built-in XGBoost algorithm serves a model, in a sandbox and in Docker."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.jobs import Failed, Succeeded
from sagelocal.names import S3Uri
from sagelocal.settings import Settings
from sagelocal_executors.containers.docker import DockerContainers
from sagelocal_executors.containers.process import ProcessContainers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
LOCAL = "sagelocal-xgboost:local"
EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"


@pytest.fixture(name="booster", scope="module")
def _booster() -> Any:
    random = np.random.default_rng(7)
    rows = random.normal(size=(200, 3))
    matrix = xgboost.DMatrix(rows, label=rows @ [1.0, -2.0, 0.5])
    return xgboost.train({"max_depth": 3, "nthread": 1}, matrix, num_boost_round=5)


@pytest.fixture(name="process")
async def _process(tmp_path: Path) -> AsyncIterator[tuple[Any, str]]:
    containers = ProcessContainers(Settings(python=Path(sys.executable)), tmp_path / "scratch")
    yield containers, IMAGE
    await containers.close()


@pytest.fixture(name="docker")
async def _docker(tmp_path: Path) -> AsyncIterator[tuple[Any, str]]:
    containers = DockerContainers(Settings(), tmp_path / "scratch")
    if not await containers.has(LOCAL):
        await containers.close()
        pytest.skip(f"the image {LOCAL} is missing: make images")
    yield containers, LOCAL
    assert await containers.leftovers(f"sagelocal.execution={EXECUTION}") == []
    await containers.close()


@pytest.fixture(name="place", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def _place(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """Each runtime in turn, and what the image is called there."""
    found: tuple[Any, str] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(name="served")
def _served(transforming: Any, booster: Any, place: tuple[Any, str], tmp_path: Path) -> Any:
    """Runs a job with that model in that runtime."""
    containers, image = place
    file = tmp_path / "xgboost-model"
    booster.save_model(file.with_suffix(".ubj"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(file.with_suffix(".ubj"), "xgboost-model")
    world = transforming.world
    world.store.put_bytes(S3Uri.parse("s3://bucket/model.tar.gz"), packed.getvalue())
    container = {"Image": image, "ModelDataUrl": "s3://bucket/model.tar.gz"}
    model: dict[str, Any] = {"ModelName": "boosted", "PrimaryContainer": container}
    world.catalog.put(Entity(Kind.MODEL, "boosted", 0.0, model))

    async def run(**changes: Any) -> Any:
        job = transforming.job(ModelName="boosted", **changes)
        return await transforming.executor(containers).run(job)

    return run


def rows(count: int, seed: int) -> Any:
    return np.round(np.random.default_rng(seed).normal(size=(count, 3)), 4)


def csv(values: Any, first: int | None = None) -> str:
    """The rows as CSV; with ids before them that count from `first`."""
    ids = ["" if first is None else f"id-{first + number}," for number in range(len(values))]
    return "".join(f"{name}{','.join(map(str, row))}\n" for name, row in zip(ids, values, strict=True))


async def test_predictions_are_those_of_the_model(transforming: Any, served: Any, booster: Any) -> None:
    features = {f"part-{number}.csv": rows(7, number) for number in range(3)}
    for number, (name, values) in enumerate(features.items()):
        transforming.put(name, csv(values, first=10 * number))

    outcome = await served(InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")

    assert isinstance(outcome, Succeeded), transforming.log()
    outputs = transforming.outputs()
    assert list(outputs) == [f"{name}.out" for name in features]
    for number, (name, values) in enumerate(features.items()):
        found = [line.split(",") for line in outputs[f"{name}.out"].decode().splitlines()]
        assert [row[0] for row in found] == [f"id-{10 * number + at}" for at in range(7)]
        expected = booster.predict(xgboost.DMatrix(values))
        assert np.allclose([float(row[1]) for row in found], expected, rtol=1e-6)


async def test_a_bare_request_sends_the_whole_file(transforming: Any, served: Any, booster: Any) -> None:
    values = rows(5, 3)
    transforming.put("data.csv", csv(values))

    outcome = await served(ContentType=None, Accept=None, SplitType=None, AssembleWith=None)

    assert isinstance(outcome, Succeeded), transforming.log()
    found = transforming.outputs()["data.csv.out"].decode().replace(",", "\n").split()
    assert np.allclose([float(value) for value in found], booster.predict(xgboost.DMatrix(values)), rtol=1e-6)


async def test_what_the_model_cannot_read_fails_its_file(transforming: Any, served: Any) -> None:
    transforming.put("bad.csv", "1,2,3\n1,two,3\n")
    transforming.put("good.csv", "1,2,3\n")

    outcome = await served(BatchStrategy="SingleRecord")

    assert isinstance(outcome, Failed)
    assert "1 of 2 files failed: bucket/in/bad.csv" in outcome.reason
    assert "record 2: ClientError: 4" in outcome.reason
    assert list(transforming.outputs()) == ["good.csv.out"]
