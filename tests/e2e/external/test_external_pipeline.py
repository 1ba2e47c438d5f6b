"""Callback, Lambda, Condition, EMR and Processing in one pipeline, answered from a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures"
COUNTS = {"blue": 3, "fish": 12, "one": 3, "red": 3, "two": 3}


@dataclass(frozen=True)
class Ran:
    """A run on the command line and the consumer beside it, both ended."""

    code: int
    document: Any
    consumed: list[Any]
    home: Path

    def step(self, name: str) -> Any:
        return next(step for step in self.document["steps"] if step["name"] == name)

    def outputs(self, name: str) -> Any:
        return self.step(name)["properties"]["OutputParameters"]

    def folder(self, uri: str) -> Path:
        return self.home / "s3" / uri.removeprefix("s3://")


@contextmanager
def started(*command: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process with nothing of the user's own configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGELOCAL_"))}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env={**kept, "PYTHONUTF8": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def told_endpoint(process: subprocess.Popen[str]) -> str:
    """The endpoint that the waiting step tells of."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"AWS_ENDPOINT_URL=(\S+)\)", line):
            return found.group(1)
    raise AssertionError("".join(lines))


def copied(folder: Path, python: Path) -> Path:
    """The fixture as a person has it, with the interpreter of this machine."""
    for name in ("external", "emr"):
        shutil.copytree(FIXTURES / name, folder / name, ignore=shutil.ignore_patterns(".sagelocal"))
    config = folder / "external" / "sagelocal.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^python = .*$", lambda _: f'python = "{python}"', text), encoding="utf-8")
    return folder / "external"


@pytest.fixture(name="ran", scope="module")
def _ran(tmp_path_factory: pytest.TempPathFactory, spark_python: Path) -> Ran:
    folder = copied(tmp_path_factory.mktemp("external"), spark_python)
    call = ("-m", "sagelocal", "run", "pipeline.json", "--port", "0", "--json", "--runtime", "process")
    with started(*call, cwd=folder) as run:
        aws = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        url = told_endpoint(run)
        with started("consumer.py", cwd=folder, AWS_ENDPOINT_URL=url, **aws) as consumer:
            consumed, errors = consumer.communicate(timeout=60)
            assert consumer.returncode == 0, errors
        out, err = run.communicate(timeout=120)
    assert out, err
    messages = [json.loads(line) for line in consumed.splitlines()]
    return Ran(run.returncode, json.loads(out), messages, folder / ".sagelocal")


def test_it_runs_from_end_to_end(ran: Ran) -> None:
    assert [(step["name"], step["type"], step["status"]) for step in ran.document["steps"]] == [
        ("AskEditor", "Callback", "Succeeded"),
        ("WriteText", "Lambda", "Succeeded"),
        ("IsGood", "Condition", "Succeeded"),
        ("CountWords", "EMR", "Succeeded"),
        ("TopWords", "Processing", "Succeeded"),
    ]
    assert (ran.code, ran.document["status"], ran.document["not_started"]) == (0, "Succeeded", ["Refuse"])


def test_the_consumer_got_the_documented_message(ran: Ran) -> None:
    assert ran.consumed == [
        {
            "token": ran.step("AskEditor")["metadata"]["Callback"]["CallbackToken"],
            "pipelineExecutionArn": ran.document["arn"],
            "arguments": {"topic": "fish", "lines": 2},
            "status": "Executing",
        }
    ]


def test_the_answer_reaches_the_function_with_the_declared_types(ran: Ran) -> None:
    answer = {
        "sentence": "one fish two fish red fish blue fish",
        "copies": 3,
        "density": 7.5,
        "approved": True,
    }
    place = {"bucket": "external-words", "key": "demo/text/story.txt"}
    # As JSON, where True is no 1.
    assert json.dumps(ran.outputs("AskEditor")) == json.dumps(answer)
    assert json.dumps(ran.step("WriteText")["arguments"]) == json.dumps({**place, **answer})


def test_the_functions_answer_reaches_condition_and_spark(ran: Ran) -> None:
    returned = {
        "text_uri": "s3://external-words/demo/text/story.txt",
        "report_uri": "s3://external-words/demo/report.json",
        "lines": 3,
        "words_per_line": 8.0,
        "written": True,
    }
    assert json.dumps(ran.outputs("WriteText")) == json.dumps(returned)
    assert ran.step("IsGood")["outcome"] is True
    step = ran.step("CountWords")["arguments"]["StepConfig"]["HadoopJarStep"]
    assert step["Args"][6:8] == ["--input", returned["text_uri"]]


def test_spark_counts_the_words_of_the_file_that_the_function_wrote(
    ran: Ran, counted: Callable[[Path], dict[str, int]]
) -> None:
    assert ran.folder("s3://external-words/demo/text/story.txt").read_text().split().count("fish") == 12
    assert counted(ran.folder("s3://external-words/demo/counts")) == COUNTS
    assert "spark" in ran.step("CountWords")["where"]


def test_the_processing_job_reads_the_counts(ran: Ran) -> None:
    inputs = ran.step("TopWords")["arguments"]["ProcessingInputs"]
    assert inputs[0]["S3Input"]["S3Uri"] == "s3://external-words/demo/counts"
    top = json.loads(ran.folder("s3://external-words/demo/top/top_words.json").read_text())
    assert list(top.items()) == [("fish", 12), ("blue", 3), ("one", 3)]


def test_the_metadata_is_the_apis(ran: Ran, check_metadata: Callable[[Any], None]) -> None:
    found = {step["name"]: step["metadata"] for step in ran.document["steps"]}
    for metadata in found.values():
        check_metadata(metadata)
    assert {name: list(metadata) for name, metadata in found.items()} == {
        "AskEditor": ["Callback"],
        "WriteText": ["Lambda"],
        "IsGood": ["Condition"],
        "CountWords": ["EMR"],
        "TopWords": ["ProcessingJob"],
    }
    assert found["AskEditor"]["Callback"]["OutputParameters"] == [
        {"Name": "sentence", "Value": "one fish two fish red fish blue fish"},
        {"Name": "copies", "Value": "3"},
        {"Name": "density", "Value": "7.5"},
        {"Name": "approved", "Value": "true"},
    ]
    assert found["WriteText"]["Lambda"]["Arn"] == "arn:aws:lambda:us-east-1:000000000000:function:write-text"
    assert set(found["CountWords"]["EMR"]) == {"ClusterId", "StepId", "StepName", "LogFilePath"}


def test_nothing_is_left_of_the_jobs(ran: Ran) -> None:
    assert list((ran.home / "jobs").glob("*")) == []
    assert not (ran.home / "endpoint.json").exists()


async def test_the_api_shows_the_token_while_the_step_waits(stage: Any) -> None:
    async with stage() as playing:
        await playing.start()
        message = await playing.message()
        which = {"PipelineExecutionArn": playing.arn}
        described = await playing.call("sagemaker", "describe_pipeline_execution", **which)
        listed = await playing.call("sagemaker", "list_pipeline_execution_steps", **which)
        await playing.answer(message["token"], approved="false")
        await playing.end()

    assert described["PipelineExecutionStatus"] == "Executing"
    [waiting] = listed["PipelineExecutionSteps"]
    assert (waiting["StepName"], waiting["StepStatus"]) == ("AskEditor", "Executing")
    assert waiting["Metadata"] == {
        "Callback": {
            "CallbackToken": message["token"],
            "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/editors",
        }
    }
    assert "EndTime" not in waiting


async def test_a_text_that_is_refused_takes_the_other_branch(stage: Any) -> None:
    async with stage() as playing:
        await playing.answered(approved="false")
        view = await playing.end()
        which = {"PipelineExecutionArn": playing.arn}
        described = await playing.call("sagemaker", "describe_pipeline_execution", **which)
        listed = await playing.call(
            "sagemaker", "list_pipeline_execution_steps", **which, SortOrder="Ascending"
        )
        clusters = playing.clusters()

    reason = "The text is not good enough: 3 lines, approved: false"
    assert view.status == "Failed"
    assert described["FailureReason"] == "Step failure: One or multiple steps failed."
    steps = listed["PipelineExecutionSteps"]
    assert [(step["StepName"], step["StepStatus"], step.get("FailureReason")) for step in steps] == [
        ("AskEditor", "Succeeded", None),
        ("WriteText", "Succeeded", None),
        ("IsGood", "Succeeded", None),
        ("Refuse", "Failed", reason),
    ]
    assert [step["Metadata"] for step in steps[2:]] == [
        {"Condition": {"Outcome": "False"}},
        {"Fail": {"ErrorMessage": reason}},
    ]
    assert clusters == []


@pytest.mark.parametrize(
    "outputs", [{"copies": "1"}, {"density": "4.5"}], ids=["too few lines", "report in S3"]
)
async def test_each_condition_counts(stage: Any, outputs: dict[str, str]) -> None:
    """The lines are an output of the function, the words in a line are in its report in S3."""
    async with stage() as playing:
        await playing.answered(**outputs)
        view = await playing.end()

    assert [step.name for step in view.steps][2:] == ["IsGood", "Refuse"]
