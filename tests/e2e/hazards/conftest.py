"""What the end-to-end tests share: definitions on disk, and sagelocal as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BASE_IMAGE = "sagelocal-base:local"
Step = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a call of sagelocal ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """A folder with definitions, and sagelocal run in it with nothing of the user's own configuration."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, *steps: Step, name: str = "p.json", parameters: list[Step] | None = None) -> str:
        content = {"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)}
        (self.folder / name).write_text(json.dumps(content))
        return name

    def put(self, key: str, data: str | bytes) -> str:
        """Put an object into the bucket "b" of the state folder; its URI."""
        path = self.folder / ".sagelocal" / "s3" / "b" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return f"s3://b/{key}"

    def script(self, name: str, text: str) -> Step:
        """An input with this program at /opt/ml/processing/code/<name>."""
        return s3_input("code", self.put(f"code/{name}", text))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sagelocal", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str) -> Ended:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        return Ended(process.returncode, out, err)

    def run(self, *steps: Step, runtime: str = "process") -> Ended:
        return self.call("run", self.write(*steps), "--runtime", runtime)

    def log(self, step: str) -> str:
        return self.call("logs", "latest", step).out

    def left_in_jobs(self) -> list[Path]:
        return list((self.folder / ".sagelocal" / "jobs").iterdir())


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGELOCAL_"))}
    return Desk(tmp_path, {**kept, "PYTHONUTF8": "1"})


def processing(
    name: str,
    *command: str,
    inputs: list[Step] | None = None,
    outputs: Mapping[str, str] | None = None,
    count: int = 1,
    image: str = BASE_IMAGE,
    **keys: object,
) -> Step:
    """A Processing step; `outputs` maps each name, which is its folder, too, to an S3 URI."""
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}
    uploads = [
        {
            "OutputName": output,
            "S3Output": {
                "S3Uri": uri,
                "LocalPath": f"/opt/ml/processing/{output}",
                "S3UploadMode": "EndOfJob",
            },
        }
        for output, uri in (outputs or {}).items()
    ]
    arguments: Step = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": list(command)},
        "ProcessingInputs": inputs or [],
        "RoleArn": "arn:aws:iam::000000000000:role/any",
    }
    if uploads:
        arguments["ProcessingOutputConfig"] = {"Outputs": uploads}
    return {"Name": name, "Type": "Processing", "Arguments": arguments} | keys


def s3_input(name: str, uri: str) -> Step:
    source = {
        "S3Uri": uri,
        "LocalPath": f"/opt/ml/processing/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    return {"InputName": name, "S3Input": source}


@pytest.fixture(name="processing")
def _processing() -> Callable[..., Step]:
    return processing


@pytest.fixture(name="s3_input")
def _s3_input() -> Callable[..., Step]:
    return s3_input


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def runtime(request: pytest.FixtureRequest) -> str:
    """Each way to run a container for real."""
    return str(request.param)
