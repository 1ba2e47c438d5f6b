"""What the tests of `serve` and `exec` share: sagelocal as a process of its own, that tells when it is so far."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SDK = Path(os.environ.get("SAGELOCAL_SDK_PYTHON", ROOT / ".venv-sdk/bin/python"))
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/python:3"
ROLE = "arn:aws:iam::000000000000:role/any"
PATIENCE = 120  # seconds, on a machine that has other things to do
Step = dict[str, Any]

START = """
import boto3, sys, uuid
sagemaker = boto3.client("sagemaker")
def start(definition, name="wine"):
    text = open(definition).read()
    try:
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn="arn:aws:iam::000000000000:role/any")
    except sagemaker.exceptions.ClientError:
        sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=text)
    return sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
"""
"""The beginning of a program that is written for AWS."""


@dataclass(frozen=True)
class Ended:
    """How a call of sagelocal ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Running:
    """A process of sagelocal whose standard error is read line by line."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def until(self, pattern: str) -> re.Match[str]:
        """The next line that matches."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError("".join(self.lines))

    def ready(self) -> Any:
        """What a server says in JSON when it is ready."""
        assert self.process.stdout
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                return json.loads(text)
        raise AssertionError(self.process.communicate()[1])

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, "".join(self.lines) + err)


@dataclass(frozen=True)
class Desk:
    """A folder with programs and definitions, and sagelocal in it with a user's own AWS environment."""

    folder: Path
    environment: dict[str, str]

    def write(self, *steps: Step, name: str = "wine.json") -> str:
        content = {"Version": "2020-12-01", "Parameters": [], "Steps": list(steps)}
        (self.folder / name).write_text(json.dumps(content))
        return name

    def program(self, text: str, name: str = "program.py") -> str:
        (self.folder / name).write_text(START + text)
        return name

    @contextmanager
    def start(self, *arguments: str, stdin: Any = subprocess.DEVNULL) -> Iterator[Running]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sagelocal", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A session of its own: the signals that we send reach only the process that we mean.
            start_new_session=True,
        )
        try:
            yield Running(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def call(self, *arguments: str) -> Ended:
        with self.start(*arguments) as running:
            ended = running.end()
        assert "Traceback" not in ended.err
        return ended

    def exec(self, *command: str, options: tuple[str, ...] = ("--runtime", "stub")) -> Ended:
        return self.call("exec", *options, "--", *command)

    def statuses(self) -> list[str]:
        """Of all executions, the newest first."""
        return [
            "Interrupted" if each["interrupted"] else str(each["status"])
            for each in self.call("list", "--json").json
        ]

    def until_log(self, word: str, running: Running, times: int = 1) -> None:
        """Wait until jobs have printed the word so many times."""
        logs = self.folder / ".sagelocal" / "logs"
        while sum(path.read_text().count(word) for path in logs.rglob("*.log")) < times:
            assert running.process.poll() is None, running.end().err
            time.sleep(0.05)


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGELOCAL_"))}
    own = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    return Desk(tmp_path, {**kept, **own, "PYTHONUTF8": "1", "COLUMNS": "200"})


def processing(name: str, *command: str, **keys: object) -> Step:
    """A Processing step that runs the command."""
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    arguments = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": list(command or ["true"])},
        "RoleArn": ROLE,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments} | keys


def fail(name: str = "Refuse") -> Step:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}


def alive(marker: str) -> list[str]:
    """The command lines of processes that hold the marker."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if marker in line]


@pytest.fixture(name="processing")
def _processing() -> Callable[..., Step]:
    return processing


@pytest.fixture(name="fail")
def _fail() -> Callable[..., Step]:
    return fail


@pytest.fixture(name="alive")
def _alive() -> Callable[[str], list[str]]:
    return alive


@pytest.fixture(name="sdk", scope="session")
def _sdk() -> str:
    """An interpreter that has version 2 of the SageMaker SDK."""
    if not SDK.exists():
        pytest.fail(f"{SDK} is missing: make setup_all")
    return str(SDK)
