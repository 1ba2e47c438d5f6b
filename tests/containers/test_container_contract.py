"""What every container runtime owes to an executor."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sagelocal_executors.containers import Access, Containers, ContainerSpec, Exit, Limits, Mount

Script = Callable[..., ContainerSpec]
Run = Callable[[ContainerSpec], Awaitable[Any]]

HANDLES_SIGTERM = """
import signal, sys, time
def stop(*_):
    print("stopping", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(600)
"""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
print("ready", flush=True)
while True:
    time.sleep(600)
"""


async def test_the_exit_code_is_the_programs(script: Script, ran: Run) -> None:
    assert (await ran(script("raise SystemExit(3)"))).exit == Exit(3)


async def test_a_program_ended_by_a_signal_has_128_and_the_signal(script: Script, ran: Run) -> None:
    # By a child that nobody protects: the first process of a namespace cannot signal itself.
    text = "import os, sys; sys.exit(os.system('kill -9 $$') & 127 | 128)"

    assert (await ran(script(text))).exit.code == 137


async def test_a_program_that_does_not_exist_ends_with_127(script: Script, ran: Run) -> None:
    spec = script("")
    missing = ContainerSpec(
        name=spec.name, image=spec.image, entrypoint=("no-such-program",), labels=spec.labels
    )

    finished = await ran(missing)

    assert finished.exit == Exit(127)
    assert "no-such-program" in finished.lines[0]


async def test_arguments_and_both_streams_arrive_whole(script: Script, ran: Run) -> None:
    text = "import sys; print(sys.argv[1:]); print('é\\n\\nend', file=sys.stderr)"

    finished = await ran(script(text, "a b", "", "$HOME;'"))

    assert sorted(finished.lines) == sorted([repr(["a b", "", "$HOME;'"]), "é", "", "end"])


async def test_a_last_line_without_line_end_is_not_lost(script: Script, ran: Run) -> None:
    assert (await ran(script("print('x', end='')"))).lines == ["x"]


async def test_the_environment_is_the_specs_with_our_endpoint_and_fake_credentials(
    script: Script, ran: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_PROFILE", "MY_TOKEN"):
        monkeypatch.setenv(name, "the-users-own")
    spec = script(
        "import json, os; print(json.dumps(dict(os.environ)))",
        env={"MINE": "1", "AWS_SECRET_ACCESS_KEY": "leak", "AWS_REGION": "eu-west-1"},
    )

    found = json.loads((await ran(spec)).lines[0])

    assert found["MINE"] == "1"
    assert found["AWS_REGION"] == "eu-west-1"
    assert found["AWS_ENDPOINT_URL"] == "http://endpoint.invalid:4566"
    assert found["AWS_ACCESS_KEY_ID"] == "000000000000"
    assert not {"the-users-own", "leak"} & set(found.values())


async def test_each_mount_is_at_its_exact_path_with_its_access(
    script: Script, ran: Run, tmp_path: Path
) -> None:
    text = """
import os, pathlib
ml = pathlib.Path("/opt/ml")
(ml / "model/out").write_text("made")
(ml / "input/data/train/a").write_text("changed")
(ml / "input/data/train/b").write_text("new")
os.remove(ml / "input/data/train/c")
print((ml / "input/data/train/a").read_text(), (ml / "config.json").read_text(), os.getcwd())
try:
    (ml / "fixed/x").write_text("")
except OSError as error:
    print(type(error).__name__)
"""
    ml, train, fixed, config = (
        tmp_path / "ml",
        tmp_path / "we,i:rd tr\\ain",
        tmp_path / "fixed",
        tmp_path / "c.json",
    )
    for folder in (ml, train, fixed, ml / "model"):
        folder.mkdir()
    (train / "a").write_text("old")
    (train / "c").write_text("stays")
    config.write_text("{}")
    mounts = (
        Mount(ml, "/opt/ml"),
        Mount(train, "/opt/ml/input/data/train", Access.OVERLAY),
        Mount(fixed, "/opt/ml/fixed", Access.READ),
        Mount(config, "/opt/ml/config.json", Access.READ),
    )

    finished = await ran(script(text, mounts=mounts))

    assert finished.lines == ["changed {} /", "OSError"]
    assert (ml / "model/out").read_text() == "made"
    assert {path.name: path.read_text() for path in train.iterdir()} == {"a": "old", "c": "stays"}


async def test_an_overlaid_file_is_a_private_copy(script: Script, ran: Run, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_text("old")
    text = "open('/opt/ml/file', 'a').write('er'); print(open('/opt/ml/file').read())"

    finished = await ran(script(text, mounts=(Mount(source, "/opt/ml/file", Access.OVERLAY),)))

    assert finished.lines == ["older"]
    assert source.read_text() == "old"


async def test_writes_outside_the_mounts_vanish(script: Script, ran: Run) -> None:
    text = """
import os, pathlib
os.makedirs("/opt/ml", exist_ok=True)
for place in ("/tmp", "/var/tmp", "/dev/shm", "/opt/ml", os.path.expanduser("~")):
    pathlib.Path(place, "sagelocal-test-leak").write_text("x")
print("wrote")
"""

    assert (await ran(script(text))).lines == ["wrote"]
    places = ("/tmp", "/var/tmp", "/dev/shm", "/opt/ml", "~")
    assert not any(Path(place, "sagelocal-test-leak").expanduser().exists() for place in places)


async def test_a_time_limit_ends_the_program_and_says_so(script: Script, ran: Run) -> None:
    finished = await ran(script(HANDLES_SIGTERM, limits=Limits(seconds=3, grace=20)))

    assert finished.exit == Exit(7, timed_out=True)
    assert finished.lines == ["ready", "stopping"]


async def test_what_ignores_sigterm_is_killed_after_the_grace(script: Script, ran: Run) -> None:
    finished = await ran(script(IGNORES_SIGTERM, limits=Limits(seconds=3, grace=0.5)))

    assert finished.exit == Exit(137, timed_out=True)
    assert finished.lines == ["ready", "no"]


async def _started(containers: Containers, spec: ContainerSpec) -> tuple[asyncio.Task[Exit], list[str]]:
    """A job that has printed its first line."""
    lines: list[str] = []
    first = asyncio.Event()

    def on_line(line: str) -> None:
        lines.append(line)
        first.set()

    task = asyncio.create_task(containers.run(spec, on_line))
    waiting = asyncio.create_task(first.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert first.is_set(), task
    return task, lines


async def test_a_cancelled_job_gets_sigterm_and_its_last_words_are_heard(
    script: Script, containers: Containers
) -> None:
    task, lines = await _started(containers, script(HANDLES_SIGTERM))

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert lines == ["ready", "stopping"]


async def test_a_second_cancellation_ends_the_grace(script: Script, containers: Containers) -> None:
    task, lines = await _started(containers, script(IGNORES_SIGTERM, limits=Limits(grace=600)))

    task.cancel()
    while "no" not in lines:
        await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_program_that_does_not_mind_sigterm_does_not_use_up_the_grace(
    script: Script, containers: Containers
) -> None:
    text = "import time; print('ready', flush=True); time.sleep(600)"
    task, _ = await _started(containers, script(text, limits=Limits(grace=600)))

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_job_cancelled_at_its_start_leaves_nothing(script: Script, containers: Containers) -> None:
    task = asyncio.create_task(containers.run(script("import time; time.sleep(600)"), print))
    await asyncio.sleep(0.15)  # somewhere in the making of the container; any moment must do

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_handling_a_line_raises_ends_the_job_and_passes(
    script: Script, containers: Containers
) -> None:
    def on_line(line: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await containers.run(script("import time; print('x', flush=True); time.sleep(600)"), on_line)


async def test_much_output_is_neither_lost_nor_hoarded(script: Script, containers: Containers) -> None:
    text = """
import sys
block = b"".join(b"%099d\\n" % number for number in range(1000))
for _ in range(1000):
    sys.stdout.buffer.write(block)
sys.stdout.buffer.write(b"x" * 50_000_000 + b"\\nend\\n")
"""
    count = size = 0
    longest, last = 0, ""

    def on_line(line: str) -> None:
        nonlocal count, size, longest, last
        count, size, longest, last = count + 1, size + len(line), max(longest, len(line)), line

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finished = await containers.run(script(text), on_line)

    assert finished == Exit(0)
    assert (size, last, longest) == (99 * 1_000_000 + 50_000_000 + 3, "end", 64 * 1024)
    assert count == 1_000_000 + -(-50_000_000 // (64 * 1024)) + 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB


async def test_the_hosts_of_a_job_reach_one_another_by_name(script: Script, containers: Containers) -> None:
    server = """
import socket
listening = socket.create_server(("algo-1", 5000))
connection, _ = listening.accept()
print(socket.gethostname(), connection.recv(100).decode(), flush=True)
"""
    client = """
import socket, time
for _ in range(600):
    try:
        connection = socket.create_connection(("algo-1", 5000), 5)
        break
    except OSError:
        time.sleep(0.1)
connection.sendall(("hello from " + socket.gethostname()).encode())
"""
    hosts = ("algo-1", "algo-2")
    one = script(server, hosts=hosts, hostname="algo-1")
    two = script(client, hosts=hosts, hostname="algo-2", labels=one.labels)
    lines: list[str] = []

    exits = await asyncio.gather(*(containers.run(spec, lines.append) for spec in (one, two)))

    assert exits == [Exit(0), Exit(0)]
    assert lines == ["algo-1 hello from algo-2"]


async def test_an_isolated_job_has_no_network_and_no_endpoint(script: Script, ran: Run) -> None:
    text = """
import os, socket
print(sorted(name for _, name in socket.if_nameindex()), "AWS_ENDPOINT_URL" in os.environ)
"""

    assert (await ran(script(text, network=False))).lines == ["['lo'] False"]
