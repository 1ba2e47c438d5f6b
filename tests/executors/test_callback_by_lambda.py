"""Callback steps that are answered by a function which their queue feeds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sagelocal.api import SERVICES
from sagelocal.callbacks import Success
from sagelocal.clock import SystemClock
from sagelocal.cloud.sqs import Queues
from sagelocal.database import open_database
from sagelocal.engine import Engine
from sagelocal.errors import UsageError
from sagelocal.names import Partition
from sagelocal.settings import Settings, load_settings
from sagelocal.store.views import ExecutionView
from sagelocal_executors.functions.feeding import feeds, sources

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/work"

# As the SageMaker developer guide has a Lambda function answer a Callback step.
HANDLER = """
import json
import boto3

sagemaker = boto3.client("sagemaker")

def handler(event, context):
    for record in event["Records"]:
        message = json.loads(record["body"])
        token, arguments = message["token"], message["arguments"]
        try:
            rows = len(arguments["names"]) / arguments["share"]
            sagemaker.send_pipeline_execution_step_success(
                CallbackToken=token,
                OutputParameters=[
                    {"Name": "rows", "Value": str(int(rows))},
                    {"Name": "first", "Value": arguments["names"][0]},
                ],
            )
        except ZeroDivisionError:
            sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="a share of nothing")
"""
BROKEN = "def handler(event, context):\n    print('got it')\n    raise ValueError('not today')\n"
ECHO = "def handler(event, context): return event\n"


def definition(share: float) -> str:
    outputs = [
        {"OutputName": "rows", "OutputType": "Integer"},
        {"OutputName": "first", "OutputType": "String"},
    ]
    ask = {
        "Name": "Ask",
        "Type": "Callback",
        "SqsQueueUrl": QUEUE,
        "Arguments": {"names": ["ada", "bob"], "share": share},
        "OutputParameters": outputs,
    }
    answered = {name: {"Get": f"Steps.Ask.OutputParameters['{name}']"} for name in ("rows", "first")}
    use = {
        "Name": "Use",
        "Type": "Lambda",
        "FunctionArn": "echo",
        "Arguments": answered,
        "OutputParameters": outputs,
    }
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [ask, use]})


def settings(home: Path, code: str) -> Settings:
    (home / "answer.py").write_text(code)
    (home / "echo.py").write_text(ECHO)
    (home / "sagelocal.toml").write_text(
        '[functions]\necho = "echo.py:handler"\n\n'
        '[functions.answer]\ncode = "answer.py:handler"\nqueues = ["work"]\n'
    )
    return load_settings(home, {}, home=home / "state")


async def ended(engine: Engine, share: float) -> ExecutionView:
    engine.create_pipeline("asking", definition(share))
    return await engine.wait(await engine.start("asking"))


def counts(home: Path) -> tuple[str, str]:
    """The messages of the queue: visible, in flight."""
    connection = open_database(home / "state.db")
    try:
        found = Queues(connection, SystemClock(), Partition("us-east-1", "000000000000")).attributes(QUEUE)
    finally:
        connection.close()
    return found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]


async def test_a_function_answers_a_step_from_its_queue(tmp_path: Path) -> None:
    configured = settings(tmp_path, HANDLER)
    async with Engine(configured, services=SERVICES) as engine:
        view = await ended(engine, 0.5)

    assert view.status == "Succeeded"
    assert view.steps[1].properties["OutputParameters"] == {"rows": 4, "first": "ada"}
    assert counts(configured.home) == ("0", "0")


async def test_a_function_answers_with_a_failure(tmp_path: Path) -> None:
    configured = settings(tmp_path, HANDLER)
    async with Engine(configured, services=SERVICES) as engine:
        view = await ended(engine, 0.0)

    assert view.status == "Failed"
    assert view.steps[0].failure_reason == "ClientError: a share of nothing"
    assert counts(configured.home) == ("0", "0")


async def test_a_function_that_fails_leaves_its_message_and_the_engine_alone(tmp_path: Path) -> None:
    configured = settings(tmp_path, BROKEN)
    async with Engine(configured, services=SERVICES) as engine:
        engine.create_pipeline("asking", definition(0.5))
        arn = await engine.start("asking")
        while "ValueError: not today" not in (told := "\n".join(engine.logs.tail(arn, "Ask", 10))):
            await asyncio.sleep(0.01)
        left = counts(configured.home)
        engine.callbacks.answer(
            engine.callbacks.awaited()[0].token, Success({"rows": "7", "first": "by hand"})
        )
        view = await engine.wait(arn)

    assert "the function answer failed on 1 of 1 messages of work" in told
    assert "got it" in (configured.home / "logs" / "functions" / "answer.log").read_text()
    assert left == ("0", "1")
    assert view.status == "Succeeded"


async def test_an_engine_ends_while_a_function_is_busy_with_a_message(tmp_path: Path) -> None:
    configured = settings(
        tmp_path, "import time\ndef handler(event, context):\n    print('on it')\n    time.sleep(900)"
    )
    configured = configured.model_copy(update={"stop_grace": 0.0})
    log = configured.home / "logs" / "functions" / "answer.log"
    async with Engine(configured, services=SERVICES) as engine:
        engine.create_pipeline("asking", definition(0.5))
        await engine.start("asking")
        while not log.exists() or "on it" not in log.read_text():
            await asyncio.sleep(0.01)

    assert counts(configured.home) == ("0", "2")  # its message, and that the execution is stopping


def test_a_queue_that_cannot_be_is_told_of_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"functions\.f\.queues: 'my queue' names no queue"):
        list(sources(Settings.model_validate({"functions": {"f": {"queues": ["my queue"]}}})))


def test_only_a_function_that_is_named_can_be_fed(tmp_path: Path) -> None:
    (tmp_path / "sagelocal.toml").write_text('[functions."an*"]\ncode = "a.py:b"\nqueues = ["work"]\n')

    with pytest.raises(UsageError, match=r"'an\*' has queues, but is a pattern"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("change", "fed"),
    [
        ({}, True),
        ({"runtime": "stub"}, False),
        ({"runtime": "stub", "steps": {"A": {"runtime": "process"}}}, True),
    ],
)
def test_functions_are_fed_unless_all_is_stubs(change: dict[str, Any], fed: bool) -> None:
    assert feeds(Settings.model_validate({"functions": {"f": {"queues": ["q"]}}, **change})) is fed


def test_another_endpoint_feeds_its_functions_itself() -> None:
    with pytest.raises(UsageError, match=r"functions\.f\.queues"):
        feeds(
            Settings.model_validate(
                {"functions": {"f": {"queues": ["q"]}}, "aws": {"endpoint": "localstack"}}
            )
        )
