"""What a job sees of its surroundings, the same in both runtimes but for what is listed here (semantics 08 §8.1, §8.2)."""

from __future__ import annotations

import getpass
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sagelocal
from sagelocal.settings import ImageRule

if TYPE_CHECKING:
    from tests.e2e.pipelines.conftest import Once, Ran, Run

PROBE = Path(__file__).parents[3] / "fixtures/scripts/probe.py"
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/custom:2.5-1-cpu"
ROLE = "arn:aws:iam::111122223333:role/SageMakerExecutionRole"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
ARGUMENTS = ["--flag", "two words"]
JOB_FACTS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "000000000000",
    "AWS_SECRET_ACCESS_KEY": "sagelocal",
    "AWS_EC2_METADATA_DISABLED": "true",
    "COLOUR": "blue",
    "HOSTNAME": "algo-1",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "SAGELOCAL_IMAGE": IMAGE,
    "SAGELOCAL_FAMILY_VERSION": "2.5-1",
    "SAGELOCAL_PIP_TARGET": "environment",
}
PER_JOB = {"_JOB_NAME", "_JOB_ARN"}
PER_RUNTIME = {
    "AWS_ENDPOINT_URL": "another address of this machine",
    "HOME": "the image's user has one of its own",
    "PATH": "where the interpreter lies",
    "PWD": "the sandbox sets it, Docker does not",
    "PYTHONUSERBASE": "packages of this machine's user",
    "PIP_DISABLE_PIP_VERSION_CHECK": "set by our image",
    "PIP_ROOT_USER_ACTION": "set by our image",
    "SAGELOCAL_FAMILY": "set by our image",
}
"""Variables that may be there or differ, and why."""
RESOURCES = {
    "current_host": "algo-1",
    "current_instance_type": "ml.m5.large",
    "current_group_name": "homogeneousCluster",
    "hosts": ["algo-1"],
    "instance_groups": [
        {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
    ],
    "network_interface_name": "eth0",
}


def _s3_input(name: str, uri: str) -> dict[str, Any]:
    place = f"/opt/ml/processing/input/{name}"
    source = {"S3Uri": uri, "LocalPath": place, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": source}


def _output(name: str, place: str) -> dict[str, Any]:
    s3 = {"S3Uri": f"s3://probe/{name}", "LocalPath": place, "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": s3}


def _processing(name: str, command: list[str], inputs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    arguments = {
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": command,
            "ContainerArguments": ARGUMENTS,
        },
        "ProcessingInputs": inputs,
        **more,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix"}}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": source}


def _training(command: list[str]) -> dict[str, Any]:
    arguments = {
        "RoleArn": ROLE,
        "ResourceConfig": CLUSTER,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": command,
            "ContainerArguments": ARGUMENTS,
        },
        "Environment": {"COLOUR": "blue"},
        "HyperParameters": {"depth": "3"},
        "CheckpointConfig": {"S3Uri": "s3://probe/checkpoints"},
        "InputDataConfig": [_channel("code", "s3://probe/code"), _channel("data", "s3://probe/data")],
        "OutputDataConfig": {"S3OutputPath": "s3://probe/models"},
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


def _definition() -> str:
    outputs = [_output("report", "/opt/ml/processing/report"), _output("none", "/opt/ml/processing/deep/er")]
    process = _processing(
        "Process",
        ["python3", "/opt/ml/processing/input/code/probe.py", "/opt/ml/processing/report"],
        [_s3_input("code", "s3://probe/code/probe.py"), _s3_input("data", "s3://probe/data")],
        Environment={"COLOUR": "blue"},
        ProcessingOutputConfig={"Outputs": outputs},
    )
    train = _training(["python3", "/opt/ml/input/data/code/probe.py", "/opt/ml/model"])
    install = "pip install --no-index /opt/ml/processing/input/wheels/*.whl && python -c 'import tiny; print(tiny.SIZE)'"
    wheels = [_s3_input("wheels", "s3://probe/wheels")]
    steps = [
        process,
        train,
        _processing("Install", ["bash", "-c", install], wheels),
        _processing("Lack", ["python3", "-c", "import tiny"], wheels),
    ]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps})


def _wheel(path: Path) -> None:
    """A package in the form that pip installs without a network."""
    about = "tiny-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "SIZE = 'very small'\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.fixture(name="probed")
def _probed(runtime: str, once: Once, execute: Run, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    def probe() -> Ran:
        return _probe(tmp_path_factory.mktemp(f"{runtime}-probe"), execute, runtime)

    ran: Ran = once((runtime, PROBE), probe)
    return ran


def _probe(folder: Path, execute: Run, runtime: str) -> Ran:
    (folder / "probe.json").write_text(_definition(), encoding="utf-8")
    (folder / "a.csv").write_text("1,2\n", encoding="utf-8")
    _wheel(folder / "tiny-1.0-py3-none-any.whl")
    settings = sagelocal.Settings(
        home=folder / "home",
        s3={
            "s3://probe/code/probe.py": PROBE,
            "s3://probe/data/a.csv": folder / "a.csv",
            "s3://probe/wheels/tiny-1.0-py3-none-any.whl": folder / "tiny-1.0-py3-none-any.whl",
        },
        images={"*": ImageRule(docker="sagelocal-sklearn:local", family="generic")},
        start_after_failure=True,
    )
    return execute(folder / "probe.json", settings, runtime)


@pytest.fixture(name="process")
def _process(probed: Ran) -> Any:
    """What the processing job saw."""
    return probed.json("s3://probe/report/probe.json")


@pytest.fixture(name="train")
def _train(probed: Ran) -> Any:
    """What the training job saw."""
    return json.loads(probed.model("Train")["probe.json"])


def _variables(seen: Any) -> dict[str, str]:
    """The variables that must be the same everywhere."""
    return {
        name: value
        for name, value in seen["environment"].items()
        if name not in PER_RUNTIME and not name.endswith(tuple(PER_JOB))
    }


def test_both_kinds_of_job_see_the_same_machine(process: Any, train: Any, runtime: str) -> None:
    for seen in (process, train):
        assert seen["arguments"] == ARGUMENTS
        assert seen["cwd"] == "/"
        assert seen["user"] == (getpass.getuser() if runtime == "process" else "root")
        assert seen["host"] == "algo-1"
        assert seen["stdin"] == ""
        assert seen["tty"] is False
        assert all(seen["programs"].values())
        assert seen["writable"] == ["/", "/tmp", "/opt", "/opt/ml", "/dev/shm", "~"]


def test_the_environment_is_the_jobs_and_ours_and_nothing_of_this_machines_user(
    process: Any, train: Any
) -> None:
    assert _variables(process) == JOB_FACTS
    assert _variables(train) == JOB_FACTS


def test_a_job_knows_its_name_and_arn(probed: Ran, process: Any, train: Any) -> None:
    for seen, step, kind in ((process, "Process", "Processing"), (train, "Train", "Training")):
        name = probed.properties(step)[f"{kind}JobName"]

        assert seen["environment"][f"{kind.upper()}_JOB_NAME"] == name
        assert seen["environment"][f"{kind.upper()}_JOB_ARN"] == probed.properties(step)[f"{kind}JobArn"]


def test_a_processing_job_finds_these_files(process: Any) -> None:
    assert process["tree"] == [
        "/opt/ml/config/",
        "/opt/ml/config/processingjobconfig.json",
        "/opt/ml/config/resourceconfig.json",
        "/opt/ml/output/",
        "/opt/ml/processing/",
        "/opt/ml/processing/deep/",
        "/opt/ml/processing/deep/er/",
        "/opt/ml/processing/input/",
        "/opt/ml/processing/input/code/",
        "/opt/ml/processing/input/code/probe.py",
        "/opt/ml/processing/input/data/",
        "/opt/ml/processing/input/data/a.csv",
        "/opt/ml/processing/report/",
    ]


def test_a_training_job_finds_these_files(train: Any) -> None:
    assert train["tree"] == [
        "/opt/ml/checkpoints/",
        "/opt/ml/input/",
        "/opt/ml/input/config/",
        "/opt/ml/input/config/hyperparameters.json",
        "/opt/ml/input/config/inputdataconfig.json",
        "/opt/ml/input/config/resourceconfig.json",
        "/opt/ml/input/data/",
        "/opt/ml/input/data/code/",
        "/opt/ml/input/data/code/probe.py",
        "/opt/ml/input/data/data/",
        "/opt/ml/input/data/data/a.csv",
        "/opt/ml/model/",
        "/opt/ml/output/",
        "/opt/ml/output/data/",
    ]


def test_processingjobconfig_is_the_request_with_nulls(probed: Ran, process: Any) -> None:
    config = process["configuration"]["processingjobconfig.json"]

    assert process["configuration"]["resourceconfig.json"] == RESOURCES
    assert config["ProcessingJobName"] == probed.properties("Process")["ProcessingJobName"]
    assert config["AppSpecification"]["ContainerArguments"] == ARGUMENTS
    assert config["Environment"] == {"COLOUR": "blue"}
    assert config["ProcessingInputs"][1]["S3Input"] == {
        "S3Uri": "s3://probe/data",
        "LocalPath": "/opt/ml/processing/input/data",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": None,
        "S3CompressionType": None,
        "S3DownloadMode": "StartOfJob",
    }
    assert config["ProcessingOutputConfig"]["KmsKeyId"] is None
    assert config["ProcessingResources"] == {"ClusterConfig": CLUSTER}
    assert config["RoleArn"] == ROLE
    assert config["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}


def test_a_training_job_finds_its_hyperparameters_and_channels(train: Any) -> None:
    channel = {
        "ContentType": "text/csv",
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }

    assert train["configuration"] == {
        "hyperparameters.json": {"depth": "3"},
        "inputdataconfig.json": {"code": channel, "data": channel},
        "resourceconfig.json": RESOURCES,
    }


def test_pip_installs_for_one_job_alone(probed: Ran) -> None:
    assert probed.statuses["Install"] == "Succeeded", probed.reason("Install")
    assert "very small" in probed.log("Install")
    assert "No module named 'tiny'" in probed.reason("Lack")
