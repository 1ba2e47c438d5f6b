"""Bad input gives its clear error and exit code, and loses nothing already done."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

MAKES_X = ("sh", "-c", "echo made > /opt/ml/processing/out/x")


def test_malformed_json_is_shown_with_its_place(desk: Any) -> None:
    (desk.folder / "p.json").write_text('{"Version": ')
    ended = desk.call("run", "p.json")
    assert (ended.code, "p.json, line 1, column 13: is not JSON" in ended.err) == (2, True)
    assert not (desk.folder / ".sagelocal").exists()


def test_a_missing_file_is_told_with_the_nearest_name(desk: Any, processing: Any) -> None:
    desk.write(processing("A", "true"), name="wine.json")
    ended = desk.call("run", "wines.json")
    assert (ended.code, ended.err) == (2, "error: wines.json: no such file (did you mean wine.json?)\n")


@pytest.mark.docker
def test_a_missing_image_is_told_before_anything_starts(desk: Any, processing: Any) -> None:
    steps = [processing("A", "true"), processing("B", "true", image="no-such-image:1", DependsOn=["A"])]
    ended = desk.run(*steps, runtime="docker")
    assert ended.code == 4
    assert "Nothing was started.\nstep B: The image no-such-image:1 is not on this machine" in ended.err
    assert desk.call("list").out == "no executions\n"


def test_a_missing_input_names_the_nearest_prefix_that_exists(
    desk: Any, processing: Any, s3_input: Any
) -> None:
    desk.put("data/train/a.csv", "1")
    ended = desk.run(processing("A", "true", inputs=[s3_input("in", "s3://b/data/tran/")]))
    assert ended.code == 1
    assert "no S3 objects found under \"s3://b/data/tran/\" (input 'in')" in ended.out
    assert "the nearest that exists is" in ended.out


def test_a_script_that_exits_3_fails_its_step_and_keeps_what_was_made_before(
    desk: Any, processing: Any, runtime: str
) -> None:
    first = processing("A", *MAKES_X, outputs={"out": "s3://b/made"})
    last = processing("C", "true", DependsOn=["B"])
    ended = desk.run(
        first, processing("B", "sh", "-c", "echo oh no; exit 3", DependsOn=["A"]), last, runtime=runtime
    )
    assert ended.code == 1
    assert "ClientError: AlgorithmError: oh no, exit code: 3" in ended.out
    assert "1 step not started: C" in ended.out
    assert (desk.folder / ".sagelocal/s3/b/made/x").read_text() == "made\n"


def test_a_job_may_print_anything_and_the_terminal_stays_sane(desk: Any, processing: Any) -> None:
    escapes = r"\n\033]0;title\007\033[31mred\033[0m \000\377\n"
    script = f"head -c 3000000 /dev/zero | tr '\\0' x; printf '{escapes}'; exit 4"
    ended = desk.run(processing("A", "sh", "-c", script))
    assert ended.code == 1
    assert "red" in ended.out
    assert not {"\x1b", "\x00", "\x07"} & set(ended.out + ended.err)
    assert max(map(len, ended.out.splitlines())) < 2000


def test_a_name_that_no_pipeline_may_have_is_refused(desk: Any, processing: Any) -> None:
    ended = desk.call("run", desk.write(processing("A", "true")), "--name", "a/b c")
    assert (ended.code, "'a/b c' cannot be the name of a pipeline" in ended.err) == (2, True)


def test_a_damaged_state_file_is_told_with_a_way_out(desk: Any, processing: Any) -> None:
    (desk.folder / ".sagelocal").mkdir()
    (desk.folder / ".sagelocal/state.db").write_bytes(b"\x17" * 5000)
    ended = desk.run(processing("A", "true"))
    assert ended.code == 4
    assert "the file is damaged; move it away, or use another state folder (--home)" in ended.err


def test_a_state_folder_that_is_a_file_is_told(desk: Any) -> None:
    (desk.folder / "file").touch()
    ended = desk.call("list", "--home", "file")
    assert (ended.code, "is no folder: name the state folder" in ended.err) == (2, True)


@pytest.fixture(name="small")
def _small(tmp_path: Path) -> Any:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param("yes | head -c 20000000; echo end", "B.log: No space left on device", id="log"),
        pytest.param("head -c 9000000 /dev/zero > /opt/ml/processing/out/big; exit 1", "", id="output"),
    ],
)
def test_a_full_disk_loses_nothing_already_done(
    desk: Any, processing: Any, small: Path, script: str, told: str
) -> None:
    first = processing("A", *MAKES_X, outputs={"out": "s3://b/made"})
    second = processing("B", "sh", "-c", script, outputs={"out": "s3://b/big"}, DependsOn=["A"])
    home = small / "home"
    ended = desk.call("run", desk.write(first, second), "--runtime", "process", "--home", str(home), "--json")
    assert ended.code in ({4} if told else {1, 4})
    assert told in ended.err
    assert "free some" in ended.err or not told
    assert (home / "s3/b/made/x").read_text() == "made\n"
    assert sqlite3.connect(home / "state.db").execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (view,) = desk.call("list", "--json", "--home", str(home)).json()
    assert view["steps"][0]["status"] == "Succeeded"
    assert list((home / "jobs").iterdir()) == []
