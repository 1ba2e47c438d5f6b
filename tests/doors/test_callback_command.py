"""``sagelocal callback``, against an engine that another process runs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/work"


def callback(name: str, outputs: dict[str, str] | None = None) -> dict[str, object]:
    declared = [{"OutputName": name, "OutputType": kind} for name, kind in (outputs or {}).items()]
    step = {"Name": name, "Type": "Callback", "SqsQueueUrl": QUEUE, "Arguments": {}}
    return {**step, "OutputParameters": declared}


@dataclass
class Run:
    """A `sagelocal run` in a process of its own; its progress is read line by line."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def until(self, pattern: str) -> re.Match[str]:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError("".join(self.lines))

    def hint(self) -> tuple[str, str]:
        """The token and the endpoint that the next waiting step tells of."""
        found = self.until(r"callback succeed (\w{10}).*AWS_ENDPOINT_URL=(\S+)\)")
        return found.group(1), found.group(2)

    def end(self) -> tuple[int, dict[str, Any]]:
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, json.loads(out)


@pytest.fixture(name="start")
def _start(folder: Path) -> Iterator[Callable[..., Run]]:
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *options: str) -> Run:
        command = [sys.executable, "-m", "sagelocal", "run", source, "--json", *options]
        process = subprocess.Popen(
            command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return Run(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_pasted_command_lets_the_run_go_on(sagelocal: Any, write: Any, start: Any) -> None:
    run = start(write(callback("Ask", {"count": "Integer"})))
    token, _ = run.hint()
    said = sagelocal("callback", "succeed", token, "-o", "count=41")
    assert (said.code, said.err) == (0, "")
    code, document = run.end()
    assert code == 0
    assert document["steps"][0]["properties"] == {"OutputParameters": {"count": 41}}
    assert said.out == f"Answered: execution {document['id']} has it.\n"


def test_a_step_can_be_failed_with_a_reason(sagelocal: Any, write: Any, start: Any) -> None:
    run = start(write(callback("Ask")))
    token, _ = run.hint()
    assert sagelocal("callback", "fail", token, "--reason", "bad data").code == 0
    code, document = run.end()
    assert code == 1
    assert document["steps"][0]["failure_reason"] == "ClientError: bad data"


def test_waiting_steps_are_listed(sagelocal: Any, write: Any, start: Any) -> None:
    run = start(write(callback("Ask"), callback("Tell")))
    tokens = {run.hint()[0], run.hint()[0]}
    said = sagelocal("callback", "list", "--json")
    assert {each["token"] for each in said.json} == tokens
    assert [(each["step"], each["queue"]) for each in said.json] == [("Ask", QUEUE), ("Tell", QUEUE)]
    assert set(said.json[0]) == {"token", "execution", "step", "queue", "since"}
    assert f"{said.json[0]['token']}  Ask of execution " in sagelocal("callback", "list").out
    for token in tokens:
        assert sagelocal("callback", "succeed", token).code == 0
    assert run.end()[0] == 0


def test_wrong_answers_say_why(sagelocal: Any, write: Any, start: Any) -> None:
    run = start(write(callback("Ask"), callback("Tell")))
    token, _ = run.hint()
    assert sagelocal("callback", "succeed", token).code == 0
    said = sagelocal("callback", "fail", token)
    assert (said.code, "step Ask has its answer already" in said.err) == (2, True)
    assert "does not exist" in sagelocal("callback", "succeed", "nobody1234").err
    assert "'callbackToken'" in sagelocal("callback", "succeed", "short").err
    assert "write -o Name=Value" in sagelocal("callback", "succeed", token, "-o", "count").err


@pytest.mark.parametrize("command", [("list",), ("succeed", "a" * 10), ("fail", "a" * 10)])
def test_without_a_running_engine_that_is_said(sagelocal: Any, folder: Path, command: Any) -> None:
    said = sagelocal("callback", *command)
    assert (said.code, said.out) == (2, "")
    assert f"no engine with an endpoint runs on the state folder {folder / '.sagelocal'}" in said.err
    assert not (folder / ".sagelocal").exists()


def test_an_engine_that_was_killed_is_not_taken_for_a_running_one(
    sagelocal: Any, write: Any, start: Any, folder: Path
) -> None:
    run = start(write(callback("Ask")))
    _, url = run.hint()
    run.process.kill()
    run.process.wait()
    assert json.loads((folder / ".sagelocal" / "endpoint.json").read_text())["url"] == url
    assert f"the one at {url} has ended" in sagelocal("callback", "list").err


def test_the_endpoint_is_announced_while_it_is_open(
    sagelocal: Any, write: Any, start: Any, folder: Path
) -> None:
    run = start(write(callback("Ask")))
    token, url = run.hint()
    announced = json.loads((folder / ".sagelocal" / "endpoint.json").read_text())
    assert announced == {"url": url, "pid": run.process.pid}
    sagelocal("callback", "succeed", token)
    run.end()
    assert not (folder / ".sagelocal" / "endpoint.json").exists()


def test_the_command_names_the_state_folder_when_it_is_elsewhere(
    sagelocal: Any, write: Any, start: Any
) -> None:
    run = start(write(callback("Ask")), "--home", "kept")
    command = run.until(r"sagelocal (callback succeed .*) \(").group(1).split()
    assert command[-2] == "--home"
    assert sagelocal(*command).code == 0
    assert run.end()[0] == 0


def test_a_chosen_port_is_where_the_services_answer(
    sagelocal: Any, write: Any, start: Any, free_port: int
) -> None:
    run = start(write(callback("Ask")), "--port", str(free_port))
    token, url = run.hint()
    assert url == f"http://127.0.0.1:{free_port}"
    sagelocal("callback", "succeed", token)
    run.end()


def test_a_port_that_is_taken_is_said_before_anything_runs(sagelocal: Any, write: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = sagelocal("run", write(callback("Ask")), "--port", str(port))
    assert (said.code, said.out) == (2, "")
    assert f"port {port} of 127.0.0.1 is taken by process {os.getpid()} (" in said.err
    assert sagelocal("list", "--json").json == []


@pytest.fixture(name="free_port")
def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_after_an_interrupt_the_run_waits_for_the_answer(sagelocal: Any, write: Any, start: Any) -> None:
    run = start(write(callback("Ask")))
    token, _ = run.hint()
    run.process.send_signal(signal.SIGINT)
    run.until("Ask .* Stopping")
    assert sagelocal("callback", "succeed", token).code == 0
    code, document = run.end()
    assert (code, document["status"], document["steps"][0]["status"]) == (3, "Stopped", "Succeeded")


def test_a_second_interrupt_gives_up(write: Any, start: Any) -> None:
    run = start(write(callback("Ask")))
    run.hint()
    run.process.send_signal(signal.SIGINT)
    run.until("Ask .* Stopping")
    run.process.send_signal(signal.SIGINT)
    code, document = run.end()
    assert (code, document["steps"][0]["status"]) == (3, "Stopped")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's figures from /proc")
def test_two_hundred_waiting_steps_cost_neither_threads_nor_much_memory(write: Any, start: Any) -> None:
    run = start(write(*(callback(f"Ask{number}") for number in range(200))))
    tokens = []
    for _ in range(200):
        token, url = run.hint()
        tokens.append(token)
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{run.process.pid}/status").read_text().splitlines()
    )
    assert int(status["VmRSS"].split()[0]) < 150 * 1024
    assert int(status["Threads"]) < 20
    client = boto3.client(
        "sagemaker",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    for token in tokens:
        client.send_pipeline_execution_step_success(CallbackToken=token)
    client.close()
    code, document = run.end()
    assert (code, len(document["steps"])) == (0, 200)
