"""Whole pipelines on a real runtime: each runs once for all the tests that look at it."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import sagelocal
from sagelocal.settings import Settings
from sagelocal.values import Scalar

FIXTURES = Path(__file__).parents[3] / "fixtures"


@dataclass(frozen=True)
class Ran:
    """A finished execution, and the state folder that it ran in."""

    view: sagelocal.ExecutionView
    home: Path

    @property
    def statuses(self) -> dict[str, str]:
        """Of the steps that started, in the order of their start."""
        return {step.name: step.status for step in self.view.steps}

    def arguments(self, step: str) -> Any:
        return self._step(step).arguments

    def properties(self, step: str) -> Any:
        return self._step(step).properties

    def where(self, step: str) -> str:
        return self._step(step).where

    def reason(self, step: str) -> str:
        return self._step(step).failure_reason or ""

    def output(self, step: str, name: str) -> str:
        """Where a processing step's output lies."""
        outputs = self.properties(step)["ProcessingOutputConfig"]["Outputs"]
        return next(str(each["S3Output"]["S3Uri"]) for each in outputs if each["OutputName"] == name)

    def model(self, step: str) -> dict[str, bytes]:
        """What is in a training step's model.tar.gz."""
        return self.archive(self.properties(step)["ModelArtifacts"]["S3ModelArtifacts"])

    def archive(self, uri: str) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(self.object(uri))) as tar:
            files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
            return {name: file.read() for name, file in files.items() if file}

    def object(self, uri: str) -> bytes:
        return self._path(uri).read_bytes()

    def json(self, uri: str) -> Any:
        return json.loads(self.object(uri))

    def names(self, uri: str) -> list[str]:
        return sorted(path.name for path in self._path(uri).iterdir())

    def log(self, step: str) -> str:
        return (self.home / "logs" / self.view.id / f"{step}.log").read_text(encoding="utf-8")

    @property
    def reasons(self) -> str:
        """How each step ended, for the message of a test that fails."""
        return "\n".join(f"{step.name}: {step.failure_reason or step.status}" for step in self.view.steps)

    @property
    def left_behind(self) -> list[str]:
        """What jobs left in their working folders."""
        return sorted(path.name for path in (self.home / "jobs").iterdir())

    def _step(self, name: str) -> sagelocal.StepView:
        return next(step for step in self.view.steps if step.name == name)

    def _path(self, uri: str) -> Path:
        parts = urlsplit(uri)
        return self.home / "s3" / parts.netloc / parts.path.lstrip("/")


Run = Callable[..., Ran]
Once = Callable[[object, Callable[[], Any]], Any]


@pytest.fixture(name="once", scope="session")
def _once() -> Once:
    """Makes what has a key once per session; a parametrised session fixture is made anew whenever its turn comes."""
    made: dict[object, Any] = {}

    def once(key: object, make: Callable[[], Any]) -> Any:
        if key not in made:
            made[key] = make()
        return made[key]

    return once


@pytest.fixture(name="runtime", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def _runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime in turn: what holds in one must hold in the other."""
    return str(request.param)


@pytest.fixture(name="run")
def _run(runtime: str, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a definition of fixtures/ with the configuration beside it, once for all tests that ask for the same."""

    def run(source: str, home: str = "", **parameters: Scalar) -> Ran:
        """`home`: executions that give the same word share a state folder."""
        definition = FIXTURES / source
        folder: Path = once(
            (runtime, home or (source, *parameters.items())),
            lambda: tmp_path_factory.mktemp(f"{runtime}-{definition.stem}"),
        )
        settings = sagelocal.load_settings(definition.parent, {}, home=folder)
        ran: Ran = once((folder, source), lambda: execute(definition, settings, runtime, parameters))
        return ran

    return run


@pytest.fixture(name="execute")
def _execute() -> Run:
    """Runs any definition with any settings."""
    return execute


def execute(
    definition: Path, settings: Settings, runtime: str, parameters: Mapping[str, Scalar] | None = None
) -> Ran:
    # Not in the loop of a test: an execution is looked at by many.
    view = asyncio.run(sagelocal.run(definition, parameters, runtime=runtime, settings=settings))
    return Ran(view, settings.home)
