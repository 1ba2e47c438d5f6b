"""What a job may do to its files and to S3, and what it cannot reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

_BOTO = """
import boto3, io
from boto3.s3.transfer import TransferConfig
s3 = boto3.client("s3")
s3.put_object(Bucket="b", Key="job/one é.txt", Body=b"hi")
print(s3.get_object(Bucket="b", Key="job/one é.txt")["Body"].read())
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
s3.upload_fileobj(io.BytesIO(b"z" * (11 << 20)), "b", "job/parts", Config=parts)
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="b", Prefix="job/", PaginationConfig={"PageSize": 1})
print([(item["Key"], item["Size"]) for page in pages for item in page["Contents"]])
try:
    s3.get_object(Bucket="b", Key="nope")
except s3.exceptions.NoSuchKey:
    print("no such key")
"""

_NAMES = [
    "ünï côdé.txt",
    "a b.txt",
    "new\nline",
    "quo\"te'",
    "%41",
    "..hidden",
    "-dash",
    "*",
    "😀",
    "x" * 255,
]
_WEIRD = f"""
import os
out = "/opt/ml/processing/out/"
for name in {_NAMES!r}:
    open(out + name, "w").write(name)
os.symlink("/etc/passwd", out + "absolute")
os.symlink("nowhere", out + "dangling")
os.symlink(".", out + "loop")
os.mkfifo(out + "fifo")
os.mkdir(out + "locked")
open(out + "locked/file", "w").write("kept")
os.chmod(out + "locked", 0)
os.chmod(out + "a b.txt", 0)
"""


def test_boto3_in_a_job_speaks_with_the_local_buckets(desk: Any, processing: Any) -> None:
    code = desk.script("s3.py", _BOTO)
    ended = desk.run(processing("A", "python3", "/opt/ml/processing/code/s3.py", inputs=[code]))
    assert ended.code == 0, ended.out
    log = desk.log("A")
    assert "b'hi'\n[('job/one é.txt', 2), ('job/parts', 11534336)]\nno such key\n" in log
    assert (desk.folder / ".sagelocal/s3/b/job/one é.txt").read_text() == "hi"


def test_a_job_never_sees_the_users_credentials(desk: Any, processing: Any, runtime: str) -> None:
    desk.environment.update(AWS_ACCESS_KEY_ID="REAL", AWS_SECRET_ACCESS_KEY="REAL", AWS_PROFILE="REAL")
    script = "env; cat /proc/1/environ; cat ~/.aws/credentials; exit 0"
    assert desk.run(processing("A", "sh", "-c", script), runtime=runtime).code == 0
    assert "AWS_ACCESS_KEY_ID" in desk.log("A")
    assert "REAL" not in desk.log("A")


def test_outputs_keep_their_files_whatever_their_names_and_modes(
    desk: Any, processing: Any, runtime: str
) -> None:
    code = desk.script("weird.py", _WEIRD)
    step = processing(
        "A", "python3", "/opt/ml/processing/code/weird.py", inputs=[code], outputs={"out": "s3://b/out"}
    )
    again = processing(
        "B",
        "python3",
        "-c",
        "import os; print(sorted(os.listdir('/opt/ml/processing/in')))",
        inputs=[
            {
                **code,
                "InputName": "in",
                "S3Input": {**code["S3Input"], "S3Uri": "s3://b/out/", "LocalPath": "/opt/ml/processing/in"},
            }
        ],
        DependsOn=["A"],
    )
    ended = desk.run(step, again, runtime=runtime)
    assert ended.code == 0, ended.out
    assert f"uploaded {len(_NAMES) + 1} files" in desk.log("A")
    assert repr(sorted([*_NAMES, "locked"])) in desk.log("B")


@pytest.fixture
def foreign_desk(desk: Any) -> Iterator[Any]:
    """A desk in a folder of another user; pytest keeps its own folders closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, 65534, 65534)
        yield replace(desk, folder=Path(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_gets_files_that_a_job_locked(foreign_desk: Any, processing: Any) -> None:
    desk, python = foreign_desk, shutil.which("python3.11", path="/usr/bin")
    if python is None:
        pytest.skip("no Python that another user may run")
    script = "mkdir out/locked; echo kept > out/locked/file; chmod 0 out/locked/file out/locked"
    step = processing("A", "sh", "-c", f"cd /opt/ml/processing; {script}", outputs={"out": "s3://b/out"})
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-m", "sagelocal"]
    paths = os.pathsep.join(
        path
        for path in sys.path
        if path and not path.endswith(("lib-dynload", ".zip")) and Path(path).name != "python3.11"
    )
    ended = subprocess.run(
        [*command, "run", desk.write(step), "--runtime", "process"],
        cwd=desk.folder,
        env={
            **desk.environment,
            "HOME": str(desk.folder),
            "PYTHONPATH": paths,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (desk.folder / ".sagelocal/s3/b/out/locked/file").read_text() == "kept\n"
    assert desk.left_in_jobs() == []


def test_a_job_can_spoil_neither_its_inputs_in_s3_nor_the_machine(
    desk: Any, processing: Any, s3_input: Any
) -> None:
    uri = desk.put("in/a.csv", "1,2")
    script = "rm /opt/ml/processing/in/*; echo evil > /opt/ml/processing/in/a.csv; touch /etc/evil && exit 9; touch /tmp/fine /opt/fine"
    ended = desk.run(processing("A", "sh", "-c", script, inputs=[s3_input("in", uri)]))
    assert ended.code == 0, ended.out
    assert (desk.folder / ".sagelocal/s3/b/in/a.csv").read_text() == "1,2"
    assert not Path("/opt/fine").exists()


def test_two_runs_share_one_state_folder(desk: Any, processing: Any) -> None:
    name = desk.write(*(processing(f"S{number}", "true") for number in range(5)))
    runs = [desk.start("run", name, "--runtime", "process") for _ in range(2)]
    assert [run.communicate(timeout=60) and run.returncode for run in runs] == [0, 0]
    assert [view["status"] for view in desk.call("list", "--json").json()] == ["Succeeded", "Succeeded"]


def test_a_reader_who_has_seen_enough_is_no_error(desk: Any, processing: Any) -> None:
    desk.run(*(processing(f"S{number}", "true") for number in range(30)), runtime="stub")
    command = " ".join([*desk.command("show", "--json"), "| head -1"])
    shown = subprocess.run(
        command, shell=True, cwd=desk.folder, env=desk.environment, capture_output=True, text=True, check=True
    )
    assert (shown.stdout, shown.stderr) == ("{\n", "")
