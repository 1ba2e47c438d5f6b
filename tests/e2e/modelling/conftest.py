"""The pipelines of fixtures/modelling on a real runtime: each run once for all the tests that look at it."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

import sagelocal
from sagelocal.values import Scalar

FIXTURES = Path(__file__).parents[3] / "fixtures/modelling"


@dataclass(frozen=True)
class Ran:
    """A finished execution, and the state folder that it ran in."""

    view: sagelocal.ExecutionView
    home: Path

    @property
    def statuses(self) -> dict[str, str]:
        """Of the steps that started."""
        return {step.name: step.status for step in self.view.steps}

    @property
    def reasons(self) -> str:
        """How each step ended, for the message of a test that fails."""
        return "\n".join(f"{step.name}: {step.failure_reason or step.status}" for step in self.view.steps)

    def reason(self, step: str) -> str:
        return self._step(step).failure_reason or ""

    def properties(self, step: str) -> Any:
        return self._step(step).properties

    def where(self, step: str) -> str:
        return self._step(step).where

    def output(self, step: str, name: str) -> str:
        """Where a processing step's output lies."""
        outputs = self.properties(step)["ProcessingOutputConfig"]["Outputs"]
        return next(str(each["S3Output"]["S3Uri"]) for each in outputs if each["OutputName"] == name)

    def path(self, uri: str) -> Path:
        parts = urlsplit(uri)
        return self.home / "s3" / parts.netloc / parts.path.lstrip("/")

    def json(self, uri: str) -> Any:
        return json.loads(self.path(uri).read_bytes())

    def table(self, uri: str, **how: Any) -> pd.DataFrame:
        return pd.read_csv(self.path(uri), **how)

    def unpacked(self, uri: str, folder: Path) -> Path:
        """The files of an archive."""
        with tarfile.open(fileobj=io.BytesIO(self.path(uri).read_bytes())) as archive:
            archive.extractall(folder, filter="data")
        return folder

    @property
    def left_behind(self) -> list[str]:
        """What jobs left in their working folders."""
        return sorted(path.name for path in (self.home / "jobs").iterdir())

    def _step(self, name: str) -> sagelocal.StepView:
        return next(step for step in self.view.steps if step.name == name)


Run = Callable[..., Ran]


@pytest.fixture(name="runtime", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def _runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime in turn: what holds in one must hold in the other."""
    return str(request.param)


@pytest.fixture(name="done", scope="session")
def _done() -> dict[object, Any]:
    """What has been run already; a parametrised session fixture is made anew whenever its turn comes."""
    return {}


@pytest.fixture(name="run")
def _run(runtime: str, done: dict[object, Any], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a pipeline of fixtures/modelling; all executions of one pipeline share a state folder."""

    def run(name: str, *, number: int = 1, **parameters: Scalar) -> Ran:
        """`number`: the second execution with the same parameters is another one than the first."""
        home = done.setdefault((runtime, name), None) or tmp_path_factory.mktemp(f"{runtime}-{name}")
        done[runtime, name] = home
        key = (runtime, name, number, *parameters.items())
        if key not in done:
            settings = sagelocal.load_settings(FIXTURES / name, {}, home=home)
            # Not in the loop of a test: an execution is looked at by many.
            view = asyncio.run(
                sagelocal.run(
                    FIXTURES / name / "pipeline.json", parameters, runtime=runtime, settings=settings
                )
            )
            done[key] = Ran(view, home)
        ran: Ran = done[key]
        return ran

    return run
