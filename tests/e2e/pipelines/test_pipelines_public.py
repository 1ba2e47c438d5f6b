"""Pipelines that the real SageMaker SDK builds and uploads, run as they are.

The SDK has a virtual environment of its own (``make setup_all``, or SAGELOCAL_SDK_PYTHON names its interpreter).
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sagelocal
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.settings import ImageRule

if TYPE_CHECKING:
    from tests.e2e.pipelines.conftest import Once, Ran, Run

ROOT = Path(__file__).parents[3]
SDK = Path(os.environ.get("SAGELOCAL_SDK_PYTHON", ROOT / ".venv-sdk/bin/python"))
BUILD = ROOT / "fixtures/scripts/public/build.py"
BUCKET = "s3://public-pipelines"
IMAGES = {
    "*/sagemaker-xgboost:*": ImageRule(docker="sagelocal-xgboost:local", family="xgboost"),
    "*": ImageRule(docker="sagelocal-sklearn:local"),
}


async def _build(folder: Path) -> None:
    async with Endpoint(ObjectStore(folder / "home/s3")) as endpoint:
        environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        process = await asyncio.create_subprocess_exec(
            *(str(SDK), str(BUILD), str(folder)), env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


@pytest.fixture(name="public")
def _public(once: Once, execute: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs one of the pipelines; what the SDK uploads lies in the state folder that they share."""

    def built(runtime: str) -> Path:
        if not SDK.exists():
            text = f"{SDK} is missing: make setup_all makes it, or SAGELOCAL_SDK_PYTHON names one"
            pytest.fail(text, pytrace=False)
        folder = tmp_path_factory.mktemp(f"{runtime}-public")
        asyncio.run(_build(folder))
        return folder

    def run(name: str, runtime: str, images: dict[str, ImageRule] = IMAGES) -> Ran:
        folder: Path = once((runtime, BUILD), lambda: built(runtime))
        settings = sagelocal.Settings(home=folder / "home", images=images)
        ran: Ran = once((folder, name), lambda: execute(folder / f"{name}.json", settings, runtime))
        return ran

    return run


@pytest.fixture(name="processors")
def _processors(public: Run, runtime: str) -> Ran:
    return public("processors", runtime)


@pytest.fixture(name="frameworks")
def _frameworks(public: Run, runtime: str) -> Ran:
    return public("frameworks", runtime)


@pytest.fixture(name="clusters")
def _clusters(public: Run, runtime: str) -> Ran:
    return public("clusters", runtime)


@pytest.fixture(name="functions")
def _functions(public: Run) -> Ran:
    """As a process only: an image with the SDK in it would take 400 MB."""
    return public("functions", "process", {"*": ImageRule(python=SDK, family="generic")})


def test_a_script_works_with_paths_from_the_root_folder_and_with_boto3(processors: Ran) -> None:
    facts = processors.json(f"{BUCKET}/facts/write.json")

    assert processors.view.status == "Succeeded", processors.reasons
    assert facts["cwd"] == "/"
    assert facts["notes"] == "hello"
    assert facts["resources"]["current_host"] == "algo-1"
    assert facts["resources"]["current_instance_type"] == "ml.m5.large"
    assert "in S3: ['facts/write.json']" in processors.log("Write")


def test_two_instances_share_the_objects_of_an_input(processors: Ran) -> None:
    scaled = processors.output("Scale", "scaled")

    assert processors.json(f"{scaled}/algo-1.json") == ["0.txt", "2.txt"]
    assert processors.json(f"{scaled}/algo-2.json") == ["1.txt", "3.txt"]


def test_a_framework_processor_runs_the_sdks_own_script(processors: Ran) -> None:
    joined = processors.output("Join", "joined")

    assert processors.arguments("Join")["AppSpecification"]["ContainerEntrypoint"][-1].endswith("runproc.sh")
    assert processors.object(f"{joined}/line.txt") == b"0+2+4+6"


def test_script_mode_fits_trees_for_the_xgboost_image(frameworks: Ran) -> None:
    assert frameworks.view.status == "Succeeded", frameworks.reasons
    assert "boosted.json" in frameworks.model("Boosted")


def test_script_mode_calls_the_script_with_its_hyperparameters(frameworks: Ran) -> None:
    seen = json.loads(frameworks.model("Torch")["model.json"])

    assert seen["arguments"] | {"model_dir": ""} == {
        "learning_rate": 0.5,
        "layers": [3, 2],
        "verbose": "True",
        "model_dir": "",
    }
    assert seen["rows"] == 40
    assert seen["cwd"] == "/opt/ml/code"
    assert seen["variables"]["SM_HP_LEARNING-RATE"] == "0.5"
    assert seen["variables"]["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert seen["variables"]["SM_CURRENT_INSTANCE_TYPE"] == "ml.m5.large"


def test_tensorflows_estimator_tells_its_script_a_place_in_s3(frameworks: Ran) -> None:
    seen = json.loads(frameworks.model("Tensor")["model.json"])

    assert seen["arguments"]["model_dir"].startswith("s3://")


def test_a_printed_metric_decides_and_the_model_is_repacked_by_the_sdks_script(frameworks: Ran) -> None:
    metrics = frameworks.properties("Torch")["FinalMetricDataList"]
    package = frameworks.properties("Register-RegisterModel")
    packed = frameworks.archive(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])

    assert [(metric["MetricName"], metric["Value"]) for metric in metrics] == [("loss", 0.25)]
    assert "TooBad" not in frameworks.statuses
    assert {"model.json", "code/inference.py", "code/fit.py"} <= packed.keys()


def test_two_hosts_find_one_another_by_name(clusters: Ran) -> None:
    model = clusters.model("Pair")

    assert clusters.view.status == "Succeeded", clusters.reasons
    assert model["greeting.txt"] == b"hello from algo-2"
    assert model["answer.txt"] == b"welcome"


def test_each_host_knows_its_instance_group(clusters: Ran) -> None:
    hosts = {name.removesuffix(".json"): json.loads(text) for name, text in clusters.model("Grouped").items()}

    assert {name: host["current_group_name"] for name, host in hosts.items()} == {
        "algo-1": "light",
        "algo-2": "heavy",
        "algo-3": "heavy",
    }
    assert hosts["algo-2"]["instance_groups"][1] == {
        "instance_group_name": "heavy",
        "instance_type": "ml.m5.4xlarge",
        "hosts": ["algo-2", "algo-3"],
    }
    assert {name for name, host in hosts.items() if host["has_rows"]} == {"algo-2", "algo-3"}


def test_files_and_pipes_give_the_same_bytes(clusters: Ran) -> None:
    seen = json.loads(clusters.model("Ways")["config.json"])

    assert seen["files"] == 4
    assert seen["hyperparameters"]["depth"] == "3"
    assert {name: channel["TrainingInputMode"] for name, channel in seen["inputdataconfig"].items()} == {
        "code": "File",
        "quick": "File",
        "piped": "Pipe",
    }


def test_checkpoints_are_kept(clusters: Ran) -> None:
    assert clusters.object(f"{BUCKET}/checkpoints/epoch-2") == b"half way"


def test_what_a_function_returns_is_what_the_next_gets(functions: Ran) -> None:
    assert [functions.statuses[name] for name in ("generate", "square", "total")] == ["Succeeded"] * 3, (
        functions.reasons
    )
    assert "adding 5 squares" in functions.log("total")


def test_a_condition_looks_at_what_a_function_returned(functions: Ran) -> None:
    results = functions.arguments("total")["OutputDataConfig"]["S3OutputPath"]

    assert functions.json(f"{results}/results.json")["Result"] == 30
    assert functions.statuses["check"] == "Succeeded"


def test_what_a_function_raises_is_the_reason(functions: Ran) -> None:
    assert functions.statuses["complain"] == "Failed"
    assert "30 is too much" in functions.reason("complain")


def test_public_jobs_leave_no_working_folders(processors: Ran, frameworks: Ran, clusters: Ran) -> None:
    for ran in (processors, frameworks, clusters):
        assert ran.left_behind == []
