"""A folder that stands for a container's /opt/ml, and the toolkit run on it as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import sagelocal_executors

TOOLKIT = Path(sagelocal_executors.__file__).parent / "toolkit" / "main.py"


class Container:
    """One training job's files; `run` plays the image."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config("resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1"]})
        self.config("inputdataconfig.json", {})

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def config(self, name: str, content: object) -> None:
        self.write(f"input/config/{name}", json.dumps(content))

    def hyperparameters(self, **values: str) -> None:
        self.config("hyperparameters.json", values)

    def script(self, text: str, **hyperparameters: str) -> None:
        """A program that is already in the code folder."""
        self.write("code/train.py", text)
        self.hyperparameters(sagemaker_program='"train.py"', **hyperparameters)

    def command(self, family: str, verb: str = "train", python: str | Path = sys.executable) -> list[str]:
        return [str(python), str(TOOLKIT), family, verb]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "AWS_", "SM_"))
        }
        return {**kept, "SAGELOCAL_ML_ROOT": str(self.root), **(extra or {})}

    def run(
        self, family: str, verb: str = "train", *, python: str | Path = sys.executable, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(family, verb, python),
            env=self.environment(extra),
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def failure(self) -> str:
        return (self.root / "output/failure").read_text()


@pytest.fixture(name="container")
def _container(tmp_path: Path) -> Container:
    return Container(tmp_path / "ml")
