"""kill -9 of sagelocal loses no ended step; ``sagelocal resume`` brings the execution to the end that it would have had."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import docker

_COUNT = "echo once >> /opt/ml/processing/out/$(date +%s%N)"


def _until_log(desk: Any, word: str, process: subprocess.Popen[str], times: int = 1) -> None:
    """Wait until a job has printed the word so many times."""
    while sum(log.read_text().count(word) for log in _logs(desk)) < times:
        assert process.poll() is None
        time.sleep(0.05)


def _logs(desk: Any) -> list[Path]:
    return list(desk.folder.glob(".sagelocal/logs/*/*.log"))


def _killed(desk: Any, *arguments: str, word: str, times: int = 1) -> None:
    """Start sagelocal and kill it when a job has printed the word."""
    with desk.start(*arguments) as process:
        _until_log(desk, word, process, times)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)


def test_a_killed_execution_goes_on(desk: Any, processing: Any, s3_input: Any, runtime: str) -> None:
    first = processing("First", "sh", "-c", _COUNT, outputs={"out": "s3://b/first"})
    # Waits for a file that only the second life puts there.
    second = processing(
        "Second",
        "sh",
        "-c",
        "echo waiting; test -e /opt/ml/processing/in/go || exec sleep 1000; echo went on",
        DependsOn=["First"],
        inputs=[s3_input("in", "s3://b/in/")],
    )
    desk.put("in/other", "")
    _killed(desk, "run", desk.write(first, second), "--runtime", runtime, word="waiting")
    (view,) = desk.call("list", "--json").json()
    assert (view["status"], view["interrupted"]) == ("Executing", True)
    assert "sagelocal resume" in desk.call("show").out
    desk.put("in/go", "")
    ended = desk.call("resume", "--json")
    assert ended.code == 0, ended.err
    steps = {step["name"]: step["status"] for step in ended.json()["steps"]}
    assert steps == {"First": "Succeeded", "Second": "Succeeded"}
    assert len(list((desk.folder / ".sagelocal/s3/b/first").iterdir())) == 1, "the first step ran once"
    assert not list((desk.folder / ".sagelocal/jobs").glob("*")), "nothing is left"
    again = desk.call("resume")
    assert again.code == 2
    assert "has ended: Succeeded" in again.err


def test_the_options_of_the_start_are_remembered(desk: Any, processing: Any) -> None:
    (desk.folder / "stubs.json").write_text('{"steps": {"B": {"duration": 1000}}}')
    source = desk.write(processing("A", "true"), processing("B", "true", DependsOn=["A"]))
    options = ("--runtime", "stub", "--stubs", "stubs.json")
    with desk.start("run", source, *options) as process:
        while not list(desk.folder.glob(".sagelocal/logs/*/B.log")):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=60)
    (desk.folder / "stubs.json").write_text('{"steps": {"B": {"duration": 0}}}')
    ended = desk.call("resume", "--json")
    assert ended.code == 0, ended.err
    assert [step["where"] for step in ended.json()["steps"]] == ["stub", "stub"]


def test_an_execution_has_one_engine_at_a_time(desk: Any, processing: Any) -> None:
    source = desk.write(processing("Wait", "sh", "-c", "echo ready; exec sleep 1000"))
    with desk.start("run", source, "--runtime", "process") as process:
        _until_log(desk, "ready", process)
        second = desk.call("resume")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert second.code == 2
    assert "is being run by another sagelocal" in second.err
    (view,) = desk.call("list", "--json").json()
    assert view["steps"][0]["status"] == "Executing", "the second engine has changed nothing"


def test_no_container_of_the_killed_engine_is_left(desk: Any, processing: Any, runtime: str) -> None:
    step = processing("Wait", "sh", "-c", "echo ready; exec sleep 1000")
    _killed(desk, "run", desk.write(step), "--runtime", runtime, word="ready")
    with desk.start("resume") as process:
        _until_log(desk, "ready", process, times=2)
        (view,) = desk.call("list", "--json").json()
        running = _containers(view["arn"]) if runtime == "docker" else ["one"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert len(running) == 1, "the old container is gone"
    assert not (runtime == "docker" and _containers(view["arn"]))


def _containers(execution: str) -> list[str]:
    client = docker.from_env()
    try:
        label = {"label": f"sagelocal.execution={execution}"}
        return [item["Id"] for item in client.api.containers(all=True, filters=label)]
    finally:
        client.close()
