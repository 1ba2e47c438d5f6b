"""What the tests of the doors share: small definitions and a command line to call."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sagelocal.cli import run

PYTHON_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/python:3"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


CommandLine = Callable[..., Said]


def _processing(name: str, *command: str, **keys: object) -> dict[str, object]:
    """A Processing step that runs the command."""
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    arguments = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": PYTHON_IMAGE, "ContainerEntrypoint": list(command or ["true"])},
        "RoleArn": "arn:aws:iam::000000000000:role/any",
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments} | keys


def _fail(name: str, message: object = "wanted") -> dict[str, object]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


@dataclass(frozen=True)
class Write:
    """Writes definitions; its fields are builders of steps."""

    folder: Path
    processing: Callable[..., dict[str, object]] = _processing
    fail: Callable[..., dict[str, object]] = _fail

    def __call__(
        self, *steps: dict[str, object], parameters: Sequence[dict[str, object]] = (), name: str = "wine.json"
    ) -> str:
        """Write a definition of these steps below the folder; its name."""
        content = {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)}
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
        return name


@pytest.fixture
def write(folder: Path) -> Write:
    return Write(folder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, far from the user's own configuration."""
    for name in ("SAGELOCAL_HOME", "SAGELOCAL_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sagelocal(folder: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Run a command in `folder`, inside this process."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call
