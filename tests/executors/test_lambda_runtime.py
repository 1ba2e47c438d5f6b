"""Functions in real processes, through AWS's own runtime client."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagelocal.cloud.functions import Function
from sagelocal.errors import MachineError, UsageError
from sagelocal.settings import Settings
from sagelocal_executors.functions.invoker import LocalInvoker

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


class Stage:
    """One function, written by the test, and what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "code"
        self.folder.mkdir()
        self.invoker = LocalInvoker(Settings(home=folder / "home"), folder / "scratch", self._reach)
        self.lines: list[str] = []
        self.function = Function(ARN, "f", self.folder, "index.handler", "1", timeout=30)

    async def _reach(self, address: str) -> str:
        return f"http://{address}:1"

    def write(self, code: str, **changes: Any) -> None:
        (self.folder / "index.py").write_text(code)
        self.function = replace(self.function, **changes)

    async def call(self, event: Any = None) -> Any:
        """What it returned."""
        invoked = await self.invoker.invoke(self.function, json.dumps(event).encode(), self.lines.append)
        assert not invoked.failed, invoked.payload
        return json.loads(invoked.payload)

    async def fail(self, event: Any = None) -> Any:
        """The error object."""
        invoked = await self.invoker.invoke(self.function, json.dumps(event).encode(), self.lines.append)
        assert invoked.failed, invoked.payload
        return json.loads(invoked.payload)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    yield made
    await made.invoker.close()


async def test_a_function_gets_its_event_and_returns_json(stage: Stage) -> None:
    stage.write("def handler(event, context): return {'got': event, 'nested': {'a': [1, None]}}")

    assert await stage.call({"x": "ü"}) == {"got": {"x": "ü"}, "nested": {"a": [1, None]}}


async def test_the_context_says_who_and_how_long(stage: Stage) -> None:
    stage.write(
        "def handler(event, c):\n"
        "    return [c.invoked_function_arn, c.function_name, c.function_version, c.memory_limit_in_mb,\n"
        "            c.aws_request_id, c.get_remaining_time_in_millis()]\n",
        memory=256,
        timeout=20,
    )

    arn, name, version, memory, identity, left = await stage.call()

    assert (arn, name, version, memory) == (ARN, "f", "$LATEST", "256")
    assert f"START RequestId: {identity} Version: $LATEST" in stage.lines
    assert 10_000 < left <= 20_000


async def test_the_environment_is_lambdas_and_not_ours(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "secret")
    stage.write(
        "import os\ndef handler(event, context): return dict(os.environ, cwd=os.getcwd())",
        environment={"MINE": "1", "AWS_LAMBDA_FUNCTION_NAME": "no"},
    )

    env = await stage.call()

    assert env["MINE"] == "1"
    assert "OURS" not in env
    assert env["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert env["LAMBDA_TASK_ROOT"] == env["cwd"] == str(stage.folder)
    assert env["AWS_REGION"] == "us-east-1"


async def test_an_exception_has_its_type_message_and_trace(stage: Stage) -> None:
    stage.write("def handler(event, context):\n    raise ValueError('no such thing')\n")

    error = await stage.fail()

    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such thing")
    assert "index.py" in error["stackTrace"][0]
    assert "line 2, in handler" in error["stackTrace"][0]
    assert any("[ERROR] ValueError: no such thing" in line for line in stage.lines)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("def handler(e, c): return {1, 2}", "Runtime.MarshalError", "not JSON serializable"),
        (
            "import nothing_of_that_name",
            "Runtime.ImportModuleError",
            "No module named 'nothing_of_that_name'",
        ),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("raise KeyError('at import')", "KeyError", "at import"),
        ("import os\ndef handler(e, c): os._exit(1)", "Runtime.ExitError", "exit status 1"),
        ("import os\nos._exit(3)", "Runtime.ExitError", "exit status 3"),
        (
            "import sys\ndef handler(e, c): sys.exit(0)",
            "Runtime.ExitError",
            "exited without providing a reason",
        ),
        (
            "import os\ndef handler(e, c): os.kill(os.getpid(), 11)",
            "Runtime.ExitError",
            "signal: segmentation",
        ),
        (
            "def handler(e, c): return 'x' * 7_000_000",
            "Function.ResponseSizeTooLarge",
            "maximum allowed payload",
        ),
    ],
)
async def test_what_goes_wrong_is_named_as_lambda_names_it(
    stage: Stage, code: str, kind: str, text: str
) -> None:
    stage.write(code)

    error = await stage.fail()

    assert error["errorType"] == kind
    assert text in error["errorMessage"]


async def test_after_a_crash_the_next_invocation_gets_a_fresh_process(stage: Stage) -> None:
    stage.write("import os\ndef handler(e, c):\n    if e: os._exit(1)\n    return 'fine'")

    await stage.fail(True)

    assert await stage.call(False) == "fine"


async def test_a_function_that_takes_too_long_is_killed_with_its_children(stage: Stage) -> None:
    stage.write(
        "import subprocess, time\n"
        "def handler(e, c):\n"
        "    print(subprocess.Popen(['sleep', '600']).pid, flush=True)\n"
        "    time.sleep(600)\n",
        timeout=1.5,
    )

    error = await stage.fail()

    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.50 seconds")
    child = next(int(line) for line in stage.lines if line.isdigit())
    await _gone(child)


async def _gone(pid: int) -> None:
    """Wait until the process has ended; a dead one may stay for whoever collects it."""
    status = Path(f"/proc/{pid}/status")
    while status.exists() and "State:\tZ" not in status.read_text():
        await asyncio.sleep(0.01)


async def test_a_function_that_needs_too_much_memory_is_killed(stage: Stage) -> None:
    stage.write("def handler(e, c):\n    x = b'x' * 300_000_000\n    return len(x)", memory=128)

    error = await stage.fail()

    assert error["errorType"] == "Runtime.OutOfMemory"
    assert "signal: killed" in error["errorMessage"]
    assert "Memory Size: 128 MB" in error["errorMessage"]


async def test_the_next_invocation_finds_the_process_warm(stage: Stage) -> None:
    stage.write(
        "import os\ncount = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return [os.getpid(), count]"
    )

    first, second = await stage.call(), await stage.call()

    assert first[0] == second[0]
    assert second[1] == 2
    reports = [line for line in stage.lines if line.startswith("REPORT")]
    assert ["Init Duration" in report for report in reports] == [True, False]


async def test_changed_code_does_not_meet_an_old_process(stage: Stage) -> None:
    stage.write("def handler(e, c): return 'old'")
    await stage.call()
    stage.write("def handler(e, c): return 'newer'", revision="2")

    assert await stage.call() == "newer"


async def test_two_at_once_are_two_processes(stage: Stage) -> None:
    stage.write(
        "import os, pathlib, time\n"
        "def handler(e, c):\n"
        "    pathlib.Path(e['mine']).touch()\n"
        "    while not pathlib.Path(e['other']).exists(): time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    one, two = str(stage.folder / "one"), str(stage.folder / "two")

    pids = await asyncio.gather(
        stage.call({"mine": one, "other": two}), stage.call({"mine": two, "other": one})
    )

    assert len(set(pids)) == 2


async def test_what_it_prints_is_all_there_in_order_between_start_and_end(stage: Stage) -> None:
    stage.write(
        "import logging, sys\n"
        "def handler(e, c):\n"
        "    for i in range(200_000): print(f'{i:0100}')\n"
        "    print('last words', end='')\n"
        "    return 1\n"
    )

    await stage.call()

    start, *said, last, end, report = stage.lines
    assert start.startswith("START")
    assert said == [f"{i:0100}" for i in range(200_000)]
    assert last == "last words"
    assert end.startswith("END")
    assert "Max Memory Used" in report


async def test_a_log_that_cannot_be_written_is_told_and_the_process_given_up(stage: Stage) -> None:
    stage.write("def handler(e, c): print('x')")

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await stage.invoker.invoke(stage.function, b"{}", full)


async def test_a_cancelled_invocation_leaves_no_process(stage: Stage) -> None:
    stage.write("import os, time\ndef handler(e, c):\n    print(os.getpid())\n    time.sleep(600)")
    running = asyncio.create_task(stage.call())
    while not any(line.isdigit() for line in stage.lines):
        await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()
    assert not Path(f"/proc/{next(line for line in stage.lines if line.isdigit())}").exists()


async def test_closing_ends_what_is_warm_and_what_runs(stage: Stage) -> None:
    stage.write(
        "import os, time\ndef handler(e, c):\n    print(os.getpid())\n    time.sleep(600 if e else 0)"
    )
    await stage.call(False)
    first, second = (asyncio.create_task(stage.fail(True)) for _ in range(2))
    while sum(line.isdigit() for line in stage.lines) < 3:
        await asyncio.sleep(0.01)

    await stage.invoker.close()
    errors = [await first, await second]

    assert {error["errorType"] for error in errors} == {"Runtime.ExitError"}
    assert not any(Path(f"/proc/{line}").exists() for line in stage.lines if line.isdigit())


async def test_a_function_dies_with_the_engine(stage: Stage, tmp_path: Path) -> None:
    stage.write(
        "import os, time\ndef handler(e, c):\n    print(os.getpid(), flush=True)\n    time.sleep(600)"
    )
    program = tmp_path / "engine.py"
    program.write_text(
        "import asyncio, os, pathlib, signal\n"
        "from sagelocal.cloud.functions import Function\n"
        "from sagelocal.settings import Settings\n"
        "from sagelocal_executors.functions.invoker import LocalInvoker\n"
        "def on_line(line):\n"
        "    if line.isdigit():\n"
        "        print(line, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "async def main():\n"
        "    here = pathlib.Path(__file__).parent\n"
        f"    function = Function({ARN!r}, 'f', here / 'code', 'index.handler', '1', timeout=30)\n"
        "    await LocalInvoker(Settings(home=here), here).invoke(function, b'{}', on_line)\n"
        "asyncio.run(main())\n"
    )

    ended = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)

    await _gone(int(ended.stdout))


async def test_an_interpreter_without_the_runtime_client_borrows_ours(stage: Stage, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    stage.write(
        "import importlib.util, sys\n"
        "def handler(e, c): return [sys.prefix, importlib.util.find_spec('pydantic') is None]",
        python=python,
    )

    assert await stage.call() == [str(tmp_path / "venv"), True]


async def test_a_python_that_cannot_run_is_the_machines_fault(stage: Stage, tmp_path: Path) -> None:
    stage.write("", python=tmp_path / "nowhere" / "python")

    with pytest.raises(MachineError, match="cannot be run"):
        await stage.invoker.invoke(stage.function, b"{}", stage.lines.append)


async def test_another_runtime_asks_for_an_image(stage: Stage) -> None:
    stage.write("", runtime="nodejs20.x")

    with pytest.raises(UsageError, match="runs on nodejs20"):
        await stage.invoker.invoke(stage.function, b"{}", stage.lines.append)


async def test_an_idle_process_is_let_go_after_a_while(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("import os\ndef handler(e, c): return os.getpid()")
    function = Function(ARN, "f", tmp_path, "index.handler", "1")
    invoker = LocalInvoker(Settings(home=tmp_path), tmp_path, warm=0.01)

    invoked = await invoker.invoke(function, b"{}", lambda _: None)

    await _gone(json.loads(invoked.payload))
    await invoker.close()
