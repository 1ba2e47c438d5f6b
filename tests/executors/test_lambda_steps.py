"""Lambda steps, with functions in real processes, alone and in whole pipelines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.functions import FunctionStore
from sagelocal.database import open_database
from sagelocal.definition.parameters import ParameterType
from sagelocal.definition.steps import OutputParameter, StepType
from sagelocal.engine import Engine
from sagelocal.jobs import Failed, Job, Outcome, Succeeded
from sagelocal.logs import StepLogs
from sagelocal.names import Partition
from sagelocal.settings import FunctionRule, Runtime, Settings
from sagelocal.store.views import ExecutionView
from sagelocal_executors.containers.stub import Stubs
from sagelocal_executors.functions.invoker import LocalInvoker
from sagelocal_executors.functions.step import LambdaExecutor

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
ARN = "arn:aws:lambda:us-east-1:111122223333:function:f"
JOB = Job(EXECUTION, "Step", StepType.LAMBDA, 1, "name", {}, {"FunctionArn": ARN})


class Stage:
    """A step that invokes one function, which the test writes."""

    def __init__(self, root: Path) -> None:
        self.code = root / "index.py"
        rules = {"f": FunctionRule(code=self.code, handler="handler", timeout=30)}
        catalog, partition = Catalog(open_database(":memory:")), Partition("us-east-1", "000000000000")
        self.invoker = LocalInvoker(Settings(home=root), root / "functions")
        self.logs = StepLogs(root / "logs")
        self.executor = LambdaExecutor(
            FunctionStore(catalog, root / "functions", partition, rules),
            self.invoker.invoke,
            self.invoker.where,
            self.logs,
            SystemClock(),
        )

    async def run(self, code: str, job: Job = JOB, /, **outputs: ParameterType) -> Outcome:
        self.code.write_text(code)
        declared = tuple(OutputParameter(name, kind) for name, kind in outputs.items())
        return await self.executor.run(replace(job, outputs=declared))

    async def returned(self, value: str, **outputs: ParameterType) -> Any:
        """The step's outputs when the function returns this Python expression."""
        outcome = await self.run(f"def handler(e, c): return {value}", **outputs)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.properties["OutputParameters"]

    async def reason(self, code: str, **outputs: ParameterType) -> str:
        outcome = await self.run(code, **outputs)
        assert isinstance(outcome, Failed)
        return outcome.reason

    def log(self) -> list[str]:
        return self.logs.tail(EXECUTION, "Step", 100)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    yield made
    await made.invoker.close()


async def test_the_function_gets_the_arguments_as_they_are(stage: Stage) -> None:
    outcome = await stage.run(
        "import json\ndef handler(e, c): return {'seen': json.dumps(e)}",
        replace(JOB, arguments={"text": "ü", "number": 5, "list": [1.5, True]}),
        seen=ParameterType.STRING,
    )

    assert isinstance(outcome, Succeeded)
    seen: Any = outcome.properties["OutputParameters"]
    assert json.loads(seen["seen"]) == {"text": "ü", "number": 5, "list": [1.5, True]}


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("'x'", ParameterType.STRING, "x"),
        ("5", ParameterType.INTEGER, 5),
        ("5.0", ParameterType.INTEGER, 5),
        ("'5'", ParameterType.INTEGER, 5),
        ("0.5", ParameterType.FLOAT, 0.5),
        ("2", ParameterType.FLOAT, 2.0),
        ("'1e3'", ParameterType.FLOAT, 1000.0),
        ("True", ParameterType.BOOLEAN, True),
        ("'false'", ParameterType.BOOLEAN, False),
        ("{'a': [1, 'ü']}", ParameterType.STRING, '{"a":[1,"ü"]}'),
        ("3", ParameterType.STRING, "3"),
        ("True", ParameterType.STRING, "true"),
    ],
)
async def test_outputs_have_the_declared_type(
    stage: Stage, value: str, kind: ParameterType, expected: object
) -> None:
    found = (await stage.returned(f"{{'o': {value}}}", o=kind))["o"]

    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("'five'", ParameterType.INTEGER),
        ("5.5", ParameterType.INTEGER),
        ("True", ParameterType.INTEGER),
        ("'1_0'", ParameterType.INTEGER),
        ("{}", ParameterType.FLOAT),
        ("'1e999'", ParameterType.FLOAT),
        ("1", ParameterType.BOOLEAN),
    ],
)
async def test_an_output_of_another_type_fails_the_step(
    stage: Stage, value: str, kind: ParameterType
) -> None:
    reason = await stage.reason(f"def handler(e, c): return {{'o': {value}}}", o=kind)

    assert reason.startswith(f"ClientError: The output 'o' is declared as {kind} but was returned as a")


async def test_undeclared_outputs_are_dropped_and_missing_ones_left_out(stage: Stage) -> None:
    assert (
        await stage.returned("{'extra': 1, 'none': None}", o=ParameterType.STRING, none=ParameterType.STRING)
        == {}
    )


async def test_without_declared_outputs_anything_may_be_returned(stage: Stage) -> None:
    assert await stage.returned("[1, 2]") == {}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "def handler(e, c):\n    raise ValueError('no such thing')",
            'Lambda function failed with: ValueError: no such thing (File "',
        ),
        (
            "def handler(e, c): return {1}",
            "Lambda function failed with: Runtime.MarshalError: Unable to marshal",
        ),
        ("import os\ndef handler(e, c): os._exit(1)", "Runtime.ExitError: RequestId: "),
        ("def handler(e, c): return {'o': float('nan')}", "NaN is no JSON number"),
        ("def handler(e, c): return b'\\xff'", "returned something that is no JSON"),
        ("def handler(e, c): return [1]", "returned no JSON object, but the step declares outputs (o)"),
        ("def handler(e, c): raise ValueError('x' * 5_000_000)", "ValueError: xxx"),
    ],
)
async def test_what_goes_wrong_is_the_steps_failure_reason(stage: Stage, code: str, text: str) -> None:
    reason = await stage.reason(code, o=ParameterType.STRING)

    assert reason.startswith("ClientError: ")
    assert text in reason
    assert len(reason) <= 1024


async def test_the_log_has_what_the_function_printed_and_where_it_ran(stage: Stage) -> None:
    await stage.run("def handler(e, c): print('hello')")

    place, start, hello, end, report = stage.log()

    assert "process · python3." in place
    assert hello == "hello"
    assert [line.split()[0] for line in (start, end, report)] == ["START", "END", "REPORT"]


async def test_an_unknown_function_fails_the_step_with_a_way_out(stage: Stage) -> None:
    outcome = await stage.run(
        "", replace(JOB, extras={"FunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:g"})
    )

    assert isinstance(outcome, Failed)
    assert "function:g'" in outcome.reason
    assert "[functions]" in outcome.reason


async def test_a_hundred_megabytes_of_output_are_all_in_the_log(stage: Stage) -> None:
    await stage.run("def handler(e, c):\n    for _ in range(1000): print('x' * 99_999)")

    assert stage.logs.path(EXECUTION, "Step").stat().st_size > 100_000_000


WAITING = "import pathlib, time\ndef handler(e, c):\n    print('here')\n    while not pathlib.Path({!r}).exists(): time.sleep(0.01)\n    return {{'o': 'late'}}"


async def begun(stage: Stage) -> None:
    while "here" not in stage.log():
        await asyncio.sleep(0.01)


async def test_a_stop_waits_for_the_function(stage: Stage, tmp_path: Path) -> None:
    running = asyncio.create_task(stage.run(WAITING.format(str(tmp_path / "go")), o=ParameterType.STRING))
    await begun(stage)

    running.cancel()
    await asyncio.sleep(0)
    (tmp_path / "go").touch()

    assert await running == Succeeded({"OutputParameters": {"o": "late"}})


async def test_a_second_stop_kills_the_function(stage: Stage, tmp_path: Path) -> None:
    running = asyncio.create_task(stage.run(WAITING.format(str(tmp_path / "never"))))
    await begun(stage)

    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()


def definition(*steps: dict[str, Any]) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)})


def step(name: str, outputs: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    declared = [{"OutputName": key, "OutputType": kind} for key, kind in (outputs or {}).items()]
    arn = f"arn:aws:lambda:us-east-1:111122223333:function:{name}"
    return {
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": arn,
        "Arguments": arguments,
        "OutputParameters": declared,
    }


async def execute(home: Path, text: str, code: dict[str, str], **more: Any) -> ExecutionView:
    for name, source in code.items():
        (home / f"{name}.py").write_text(source)
    rules = {name: FunctionRule(code=home / f"{name}.py", handler="handler") for name in code}
    settings = Settings(home=home / "state", functions=rules, **more)
    async with Engine(settings) as engine:
        engine.create_pipeline("p", text)
        return await engine.wait(await engine.start("p"))


async def test_outputs_reach_later_steps_typed_and_are_texts_in_the_metadata(tmp_path: Path) -> None:
    text = definition(
        step("First", {"n": "Integer", "deep": "String"}),
        step("Second", n={"Get": "Steps.First.OutputParameters['n']"}),
    )
    code = {
        "First": "def handler(e, c): return {'n': 7, 'deep': {'a': 1}}",
        "Second": "def handler(e, c): assert e == {'n': 7}, e",
    }

    view = await execute(tmp_path, text, code, runtime=Runtime.PROCESS)

    assert [item.status for item in view.steps] == ["Succeeded", "Succeeded"]
    assert view.steps[0].metadata == {
        "Lambda": {
            "Arn": "arn:aws:lambda:us-east-1:111122223333:function:First",
            "OutputParameters": [{"Name": "n", "Value": "7"}, {"Name": "deep", "Value": '{"a":1}'}],
        }
    }


async def test_a_missing_output_fails_the_step_that_reads_it(tmp_path: Path) -> None:
    text = definition(
        step("First", {"o": "String"}), step("Second", x={"Get": "Steps.First.OutputParameters['o']"})
    )
    code = {"First": "def handler(e, c): return {}", "Second": "def handler(e, c): pass"}

    view = await execute(tmp_path, text, code, runtime=Runtime.PROCESS)

    assert [item.status for item in view.steps] == ["Succeeded", "Failed"]
    assert "OutputParameters" in (view.steps[1].failure_reason or "")


async def test_a_function_finds_our_services_and_the_functions_of_the_account(tmp_path: Path) -> None:
    code = (
        "import io, json, zipfile, boto3\n"
        "def handler(e, c):\n"
        "    boto3.client('s3').put_object(Bucket='b', Key='k', Body=b'x')\n"
        "    buffer = io.BytesIO()\n"
        "    with zipfile.ZipFile(buffer, 'w') as z: z.writestr('m.py', 'def h(e, c): return e + 1')\n"
        "    client = boto3.client('lambda')\n"
        "    client.create_function(FunctionName='made', Runtime='python3.11', Handler='m.h', Timeout=60,\n"
        "        Role='arn:aws:iam::000000000000:role/x', Code={'ZipFile': buffer.getvalue()})\n"
        "    return {'o': json.load(client.invoke(FunctionName='made', Payload=b'41')['Payload'])}\n"
    )

    view = await execute(
        tmp_path, definition(step("F", {"o": "Integer"})), {"F": code}, runtime=Runtime.PROCESS
    )

    assert view.steps[0].failure_reason is None
    assert view.steps[0].properties == {"OutputParameters": {"o": 42}}
    assert (tmp_path / "state" / "s3" / "b" / "k").read_bytes() == b"x"


async def test_a_stubbed_step_invokes_nothing_and_returns_what_the_stub_says(tmp_path: Path) -> None:
    text = definition(step("F", {"a": "String", "b": "Integer", "c": "Float", "d": "Boolean"}))
    stubs = Stubs.model_validate({"steps": {"F": {"values": {"a": "given"}}}})
    async with Engine(Settings(home=tmp_path, runtime=Runtime.STUB), stubs=stubs) as engine:
        engine.create_pipeline("p", text)
        view = await engine.wait(await engine.start("p"))

    assert view.steps[0].properties == {"OutputParameters": {"a": "given", "b": 0, "c": 0.0, "d": False}}
    assert view.steps[0].where == "stub"
