"""``sagelocal exec``: programs that were written for AWS, run against this machine."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

_REPORT = """
import json, os
mine = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "SAGEMAKER_", "SAGELOCAL_"))}
print(json.dumps(mine))
"""


def test_the_program_has_our_streams_and_decides_the_exit_code(desk: Any) -> None:
    ended = desk.exec("sh", "-c", "printf 'a\\0b'; echo to stderr >&2; exit 7")
    assert (ended.code, ended.out, ended.err) == (7, "a\0b", "to stderr\n")


def test_standard_input_is_the_programs(desk: Any) -> None:
    (desk.folder / "given").write_text("one\ntwo\n")
    with (
        (desk.folder / "given").open() as given,
        desk.start("exec", "--", "wc", "-l", stdin=given) as running,
    ):
        assert running.end().out.strip() == "2"


def test_a_program_killed_by_a_signal_ends_as_in_a_shell(desk: Any) -> None:
    assert desk.exec("sh", "-c", "kill -USR1 $$").code == 128 + signal.SIGUSR1


def test_what_follows_the_program_is_the_programs(desk: Any) -> None:
    ended = desk.call("exec", "echo", "--runtime", "-q", "--", "x")
    assert ended.out == "--runtime -q -- x\n"


@pytest.mark.parametrize(
    ("program", "code", "told"),
    [
        ("nosuchprogram", 127, "nosuchprogram: command not found"),
        ("./script.py", 126, "cannot be executed: sagelocal exec -- python ./script.py"),
        ("script.py", 126, "cannot be executed: sagelocal exec -- python script.py"),
        ("./data.txt", 126, "chmod +x ./data.txt"),
    ],
)
def test_a_program_that_cannot_be_run_is_told_before_anything_starts(
    desk: Any, program: str, code: int, told: str
) -> None:
    (desk.folder / "script.py").write_text("")
    (desk.folder / "data.txt").write_text("")
    ended = desk.exec(program)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
    assert not (desk.folder / ".sagelocal").exists()


def test_a_file_that_is_no_program_is_told(desk: Any) -> None:
    (desk.folder / "data").write_bytes(b"\x00\x01")
    (desk.folder / "data").chmod(0o755)
    ended = desk.exec("./data")
    assert (ended.code, ended.err) == (126, "error: ./data: Exec format error\n")


def test_the_users_own_account_is_out_of_sight(desk: Any) -> None:
    (desk.folder / "report.py").write_text(_REPORT)
    more = {
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
        "AWS_MY_BUCKET": "b",
    }
    desk.environment.update(more)
    seen = json.loads(desk.exec(sys.executable, "report.py").out)
    assert seen.pop("AWS_ENDPOINT_URL").startswith("http://127.0.0.1:")
    assert json.loads(Path(seen.pop("SAGEMAKER_ADMIN_CONFIG_OVERRIDE")).read_text())["SageMaker"] == {
        "PythonSDK": {"Modules": {"TelemetryOptOut": True}}
    }
    assert seen == {
        "AWS_ACCESS_KEY_ID": "sagelocal",
        "AWS_SECRET_ACCESS_KEY": "sagelocal",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MY_BUCKET": "b",
        "SAGELOCAL_HOME": str(desk.folder / ".sagelocal"),
    }


def test_a_proxy_does_not_come_between(desk: Any) -> None:
    desk.environment.update(
        HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9", no_proxy="intern"
    )
    program = desk.program(
        "print(sagemaker.list_pipelines()['PipelineSummaries'], __import__('os').environ['no_proxy'])"
    )
    assert desk.exec(sys.executable, program).out == "[] intern,127.0.0.1,localhost\n"


@pytest.mark.parametrize(("code", "status"), [(0, "Succeeded"), (1, "Failed")])
def test_executions_that_the_program_did_not_wait_for_are_waited_for(
    desk: Any, processing: Any, fail: Any, code: int, status: str
) -> None:
    fails = code == 1
    steps = [processing("Prepare"), *([fail()] if fails else [])]
    program = desk.program(f"print(start({desk.write(*steps)!r}))")
    ended = desk.exec(sys.executable, program)
    assert ended.code == code, ended.err
    identity = ended.out.strip().rpartition("/")[2]
    assert f"{identity} wine · {len(steps)} step" in ended.err
    assert f"wine {status} in" in ended.err
    assert (f"sagelocal logs {identity} Refuse" in ended.err) == fails
    assert desk.statuses() == [status]


def test_a_stopped_execution_ends_with_three_and_a_failure_counts_more(
    desk: Any, processing: Any, fail: Any
) -> None:
    (desk.folder / "stubs.json").write_text('{"steps": {"Long": {"duration": 1000}}}')
    desk.write(processing("Long"))
    desk.write(fail(), name="failing.json")
    stop = "sagemaker.stop_pipeline_execution(PipelineExecutionArn=start('wine.json'))\n"
    options = ("--runtime", "stub", "--stubs", "stubs.json")
    assert desk.exec(sys.executable, desk.program(stop), options=options).code == 3
    both = stop + "start('failing.json', 'failing')\n"
    assert desk.exec(sys.executable, desk.program(both), options=options).code == 1
    own = both + "sys.exit(9)\n"
    assert desk.exec(sys.executable, desk.program(own), options=options).code == 9


def test_without_waiting_the_program_alone_decides(desk: Any, processing: Any, fail: Any) -> None:
    desk.write(processing("Long", "sleep", "1000"))
    desk.write(fail(), name="failing.json")
    program = desk.program("start('wine.json'); start('failing.json', 'failing')")
    ended = desk.exec(sys.executable, program, options=("--runtime", "process", "--no-wait"))
    assert ended.code == 0, ended.err
    assert sorted(desk.statuses()) == ["Failed", "Stopped"]


def test_quiet_tells_of_errors_only(desk: Any, processing: Any) -> None:
    program = desk.program(f"start({desk.write(processing('Prepare'))!r})")
    ended = desk.exec(sys.executable, program, options=("--runtime", "stub", "--quiet"))
    assert (ended.code, ended.out, ended.err) == (0, "", "")


_INTERRUPTED = """
import signal, time
arn = start("wine.json")
print("started", flush=True)
try:
    signal.pause()
except KeyboardInterrupt:
    print("asked to end;", sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])
    raise
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_the_programs_then_stops_its_executions(
    desk: Any, processing: Any, alive: Any, number: int
) -> None:
    marker = f"exec-{os.getpid()}-{number}"
    desk.write(processing("Long", "sh", "-c", f": {marker}; echo ready; exec sleep 1000"))
    handler = "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
    program = desk.program(_INTERRUPTED.replace("arn =", handler + "arn =", 1))
    with desk.start("exec", "--runtime", "process", "--", sys.executable, program) as running:
        desk.until_log("ready", running)
        running.tell(number)
        ended = running.end()
    assert ended.out == "started\nasked to end; Executing\n"
    assert ended.code == 128 + signal.SIGINT, ended.err
    assert "Telling CMD to end" in ended.err
    assert "Stopping 1 execution: the jobs are asked to end" in ended.err
    assert desk.statuses() == ["Stopped"]
    assert alive(marker) == []


def test_a_second_interrupt_kills_a_program_with_all_it_has_started(desk: Any, alive: Any) -> None:
    marker = f"exec-stubborn-{os.getpid()}"
    script = f"trap '' INT; sh -c 'trap \"\" INT; : {marker}; while :; do sleep 1; done' & echo ready; wait"
    with desk.start("exec", "--", "sh", "-c", script) as running:
        assert running.process.stdout.readline() == "ready\n"
        running.tell(signal.SIGINT)
        running.until("Telling CMD to end")
        running.tell(signal.SIGINT)
        assert running.end().code == 128 + signal.SIGKILL
    assert alive(marker) == []


def test_a_further_interrupt_does_not_wait_for_stubborn_jobs(desk: Any, processing: Any, alive: Any) -> None:
    marker = f"exec-job-{os.getpid()}"
    script = f"trap '' TERM; : {marker}; echo ready; while :; do sleep 0.1; done"
    desk.write(processing("Long", "sh", "-c", script))
    program = desk.program(_INTERRUPTED)
    with desk.start("exec", "--runtime", "process", "--", sys.executable, program) as running:
        desk.until_log("ready", running)
        running.tell(signal.SIGINT)
        running.until("Stopping 1 execution")
        running.tell(signal.SIGINT)
        ended = running.end()
    assert ended.code == 128 + signal.SIGINT
    assert "Stopping without waiting" in ended.err
    assert (desk.statuses(), alive(marker)) == (["Stopped"], [])


_PROMPT = """
import signal, sys
heard = []
def hear(*_):
    heard.append(1)
    print("heard", len(heard), flush=True)
    if len(heard) == 4:
        sys.exit(0)
signal.signal(signal.SIGINT, hear)
print("prompt", flush=True)
while True:
    signal.pause()
"""


def test_in_a_terminal_ctrl_c_is_the_programs_and_kills_no_prompt(desk: Any) -> None:
    (desk.folder / "prompt.py").write_text(_PROMPT)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(desk.folder)
        words = [sys.executable, "-m", "sagelocal", "exec", "--", sys.executable, "prompt.py"]
        os.execve(sys.executable, words, desk.environment)
    screen = _Screen(terminal)
    screen.until("prompt")
    for number in range(1, 5):
        os.write(terminal, b"\x03")
        screen.until(f"heard {number}")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, screen.text
    assert "Telling CMD" not in screen.text


class _Screen:
    """What a terminal shows."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.text = ""

    def until(self, word: str) -> None:
        while word not in self.text:
            self.text += os.read(self._terminal, 1024).decode()


def test_an_sdk_script_runs_unchanged(desk: Any, sdk: str) -> None:
    (desk.folder / "prepare.py").write_text("open('/opt/ml/processing/out/x.txt', 'w').write('42')\n")
    (desk.folder / "my_pipeline.py").write_text(_SDK)
    ended = desk.exec(sdk, "my_pipeline.py", options=("--runtime", "process"))
    assert ended.code == 0, ended.err
    assert "role arn:aws:iam::000000000000:role/" in ended.out
    assert "(Processing) Succeeded" in ended.err
    files = list((desk.folder / ".sagelocal" / "s3" / "sagemaker-us-east-1-000000000000").rglob("x.txt"))
    assert [path.read_text() for path in files] == ["42"]


_SDK = """
import sagemaker
from sagemaker.processing import ProcessingOutput
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

session = PipelineSession()
role = sagemaker.get_execution_role()
processor = SKLearnProcessor(
    "1.2-1", role, instance_type="ml.m5.large", instance_count=1, sagemaker_session=session
)
output = ProcessingOutput(output_name="out", source="/opt/ml/processing/out")
step = ProcessingStep("Prepare", step_args=processor.run(code="prepare.py", outputs=[output]))
wine = Pipeline("wine", steps=[step], sagemaker_session=session)

if __name__ == "__main__":
    print("role", role)
    wine.upsert(role)
    wine.start()
"""


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_same_script_is_a_source(desk: Any, sdk: str, command: str) -> None:
    (desk.folder / "prepare.py").write_text("open('/opt/ml/processing/out/x.txt', 'w').write('42')\n")
    (desk.folder / "my_pipeline.py").write_text(_SDK)
    (desk.folder / "sagelocal.toml").write_text(f'python = "{sdk}"\n')
    options = ("--runtime", "stub") if command == "run" else ()
    ended = desk.call(command, "my_pipeline.py", *options)
    assert ended.code == 0, ended.err
    assert ("ok: 1 step" if command == "check" else "✓ wine Succeeded") in ended.out
    assert "role arn" not in ended.out
    assert (desk.folder / ".sagelocal").exists() == (command == "run")
