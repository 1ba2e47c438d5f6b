"""``sagelocal check``."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

_PROGRAM = """
import sys
from sagelocal.cli import run
code = run(["check", sys.argv[1]])
heavy = {"rich", "typer", "pydantic", "asyncio", "sqlite3", "boto3", "docker", "sagelocal.engine", "sagelocal_executors"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else code)
"""


def test_a_good_definition_takes_one_quiet_line(sagelocal: Any, write: Any) -> None:
    name = write(write.fail("Stop"), parameters=[{"Name": "Days", "Type": "Integer", "DefaultValue": 3}])
    said = sagelocal("check", name)
    assert (said.code, said.out, said.err) == (0, "ok: 1 step, 1 parameter\n", "")


def test_everything_wrong_is_told_at_once_with_its_place_and_a_hint(sagelocal: Any, write: Any) -> None:
    step = write.processing("Prepare", DependsOn=["Prepair"])
    other = write.fail("Stop", {"Get": "Parameters.Reson"})
    said = sagelocal("check", write(step, other, parameters=[{"Name": "Reason", "Type": "String"}]))
    assert said.code == 2
    assert "Prepare · Steps[0].DependsOn" in said.out
    assert "Stop · Steps[1].Arguments.ErrorMessage" in said.out
    assert "Reason" in said.out
    assert said.out.endswith("2 problems\n")


def test_json_holds_the_same_problems(sagelocal: Any, write: Any) -> None:
    said = sagelocal("check", write(write.fail("Stop", {"Get": "Parameters.Reason"})), "--format", "json")
    assert said.code == 2
    assert said.json["ok"] is False
    (problem,) = said.json["problems"]
    assert set(problem) == {"step", "path", "message", "hint"}
    assert problem["step"] == "Stop"


def test_json_of_a_good_definition_counts_its_parts(sagelocal: Any, write: Any) -> None:
    said = sagelocal("check", write(write.fail("Stop")), "--format", "json")
    assert said.json == {"ok": True, "steps": 1, "parameters": 0, "problems": []}


def test_a_missing_file_is_a_usage_error(sagelocal: Any) -> None:
    said = sagelocal("check", "nowhere.json")
    assert (said.code, said.out, said.err) == (2, "", "error: nowhere.json: no such file\n")


def test_options_do_not_change_the_verdict(sagelocal: Any, write: Any) -> None:
    """A bare call takes a shorter way than one with options."""
    for step in (write.fail("Stop"), write.fail("Stop", {"Get": "Parameters.Reason"})):
        name = write(step)
        assert sagelocal("check", name) == sagelocal("check", name, "--format", "text")


def test_an_unknown_format_is_a_usage_error(sagelocal: Any, write: Any) -> None:
    assert sagelocal("check", write(write.fail("Stop")), "--format", "yaml").code == 2


def test_a_bare_check_loads_nothing_heavy(write: Any, folder: Any) -> None:
    """What keeps `check` fast: a process that only checks has not paid for running."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, write(write.fail("Stop"))],
        capture_output=True,
        check=False,
        text=True,
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_left_in_the_folder(sagelocal: Any, write: Any, folder: Any) -> None:
    sagelocal("check", write(write.fail("Stop")))
    assert [path.name for path in folder.iterdir()] == ["wine.json"]
