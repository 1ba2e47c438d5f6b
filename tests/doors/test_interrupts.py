"""What Ctrl-C and SIGTERM do to a running execution, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def running(name: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the definition, once its step says that it is ready."""
    command = [sys.executable, "-m", "sagelocal", "run", name, "--runtime", "process", "--json"]
    # A session of its own, so that the signals we send reach only the process we mean.
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _await_line(folder, process)
            yield process
        finally:
            process.kill()


def _await_line(folder: Path, process: subprocess.Popen[str]) -> None:
    while not any("ready" in path.read_text() for path in folder.glob(".sagelocal/logs/*/Wait.log")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)


def _alive(marker: str) -> list[str]:
    """The command lines of processes that hold the marker."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if marker in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_execution_and_leaves_nothing(
    write: Any, sagelocal: Any, folder: Path, number: signal.Signals
) -> None:
    marker = f"wait-{os.getpid()}-{number}"
    name = write(write.processing("Wait", "sh", "-c", f": {marker}; echo ready; exec sleep 120"))
    with running(name, folder) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "Stopping: the jobs are asked to end" in err
    assert '"status": "Stopped"' in out
    assert sagelocal("list", "--json").json[0]["status"] == "Stopped"
    assert _alive(marker) == []


def test_a_second_interrupt_does_not_wait_for_a_stubborn_job(write: Any, folder: Path) -> None:
    marker = f"stubborn-{os.getpid()}"
    script = f"trap '' TERM; : {marker}; echo ready; while :; do sleep 0.1; done"
    with running(write(write.processing("Wait", "sh", "-c", script)), folder) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert any("Stopping" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert _alive(marker) == []
