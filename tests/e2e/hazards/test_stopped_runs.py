"""Ctrl-C and SIGTERM leave no container, process or file of a job behind; the execution is recorded as stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import docker
import pytest

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def _alive(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            found.append(line)
    return found


def _until_log(desk: Any, word: str, process: subprocess.Popen[str]) -> None:
    """Wait until a job has printed the word."""
    while not any(word in log.read_text() for log in desk.folder.glob(".sagelocal/logs/*/*.log")):
        assert process.poll() is None
        time.sleep(0.05)


def _containers(execution: str) -> list[str]:
    client = docker.from_env()
    try:
        label = {"label": f"sagelocal.execution={execution}"}
        return [item["Id"] for item in client.api.containers(all=True, filters=label)]
    finally:
        client.close()


@BOTH
def test_an_interrupt_stops_the_jobs_and_leaves_nothing(
    desk: Any, processing: Any, runtime: str, number: signal.Signals
) -> None:
    marker = f"marker-{uuid.uuid4()}"
    made = processing("A", "sh", "-c", "echo 1 > /opt/ml/processing/out/x", outputs={"out": "s3://b/made"})
    waits = processing("Wait", "sh", "-c", f": {marker}; echo ready; exec sleep 1000", DependsOn=["A"])
    with desk.start("run", desk.write(made, waits), "--runtime", runtime) as process:
        _until_log(desk, "ready", process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    (view,) = desk.call("list", "--json").json()
    assert [(step["name"], step["status"]) for step in view["steps"]] == [
        ("A", "Succeeded"),
        ("Wait", "Stopped"),
    ]
    assert view["status"] == "Stopped"
    assert (desk.folder / ".sagelocal/s3/b/made/x").exists()
    assert _alive(marker) == []
    assert desk.left_in_jobs() == []
    assert {path.stat().st_uid for path in desk.folder.rglob("*")} == {os.getuid()}
    if runtime == "docker":
        assert _containers(view["arn"]) == []


def test_two_interrupts_at_once_kill_a_stubborn_job(desk: Any, processing: Any) -> None:
    """However close they follow one another: two cancellations of a task may become one.

    Two kinds, as the kernel itself makes one of two equal signals that wait.
    """
    script = "trap '' TERM INT; echo ready; while :; do sleep 0.2; done"
    with desk.start(
        "run", desk.write(processing("W", "sh", "-c", script)), "--runtime", "process"
    ) as process:
        _until_log(desk, "ready", process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert desk.call("list", "--json").json()[0]["status"] == "Stopped"
    assert desk.left_in_jobs() == []


def test_daemons_of_a_job_end_with_it(desk: Any, processing: Any, runtime: str) -> None:
    marker = f"marker-{uuid.uuid4()}"
    daemon = f"trap '' TERM HUP INT; : {marker}; while :; do sleep 0.2; done"
    script = f'setsid sh -c "{daemon}" >/dev/null 2>&1 & setsid sh -c ": {marker}; sleep 1000" & echo bye'
    ended = desk.run(processing("A", "sh", "-c", script), runtime=runtime)
    assert ended.code == 0, ended.err
    assert _alive(marker) == []


def test_a_killed_engine_leaves_no_process(desk: Any, processing: Any) -> None:
    marker = f"marker-{uuid.uuid4()}"
    name = desk.write(processing("W", "sh", "-c", f": {marker}; echo ready; exec sleep 1000"))
    with desk.start("run", name, "--runtime", "process") as process:
        _until_log(desk, "ready", process)
        process.kill()
        process.wait()
    while _alive(marker):  # the kernel needs a moment; the test's own limit ends it otherwise
        time.sleep(0.05)


def test_an_interrupt_before_anything_runs_records_nothing(desk: Any, processing: Any) -> None:
    """The seed is large enough to be interrupted in, before the execution exists."""
    source = desk.folder / "source"
    source.mkdir()
    for number in range(3000):
        (source / str(number)).write_text("x")
    (desk.folder / "sagelocal.toml").write_text('[s3]\n"s3://b/in/" = "source"\n')
    with desk.start("run", desk.write(processing("A", "true")), "--runtime", "stub") as process:
        while not (desk.folder / ".sagelocal/s3/b/in").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "Stopped: nothing was started.\n")
    assert desk.call("list").out == "no executions\n"
