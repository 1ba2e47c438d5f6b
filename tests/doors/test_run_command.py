"""``sagelocal run``, with the stub runtime: the whole engine, and no job that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

_DAYS = {"Name": "Days", "Type": "Integer", "DefaultValue": 3}


def condition(name: str, value: object, *, then: list[object], otherwise: list[object]) -> dict[str, object]:
    compare = {"Type": "GreaterThan", "LeftValue": value, "RightValue": 5}
    return {
        "Name": name,
        "Type": "Condition",
        "Arguments": {"Conditions": [compare], "IfSteps": then, "ElseSteps": otherwise},
    }


@pytest.fixture
def branching(write: Any) -> str:
    """Fails when Days is above 5, else prepares."""
    step = condition(
        "Many",
        {"Get": "Parameters.Days"},
        then=[write.fail("Refuse", "too many days")],
        otherwise=[write.processing("Prepare")],
    )
    name: str = write(step, parameters=[_DAYS])
    return name


def test_a_good_run_ends_with_zero_and_says_what_to_try_next(sagelocal: Any, branching: str) -> None:
    said = sagelocal("run", branching, "--runtime", "stub")
    assert said.code == 0, said.err
    first, untaken, *_ = said.out.splitlines()
    assert first.startswith("✓ wine Succeeded in ")
    assert untaken == "  1 step not started: Refuse"
    assert "\n  sagelocal logs " in said.out


def test_each_change_is_a_line_on_standard_error(sagelocal: Any, branching: str) -> None:
    told = [
        line.partition(" s  ")[2]
        for line in sagelocal("run", branching, "--runtime", "stub").err.splitlines()
    ]
    assert [line.partition(" · ")[0] for line in sorted(told)] == [
        "Many (Condition) Succeeded",
        "Prepare (Processing) Executing",
        "Prepare (Processing) Succeeded",
    ]


def test_a_failed_run_ends_with_one_and_the_reason(sagelocal: Any, branching: str) -> None:
    said = sagelocal("run", branching, "--runtime", "stub", "-p", "Days=8")
    assert said.code == 1
    assert "✗ Refuse (Fail) Failed\n  too many days\n" in said.out


def test_json_is_one_document_about_the_execution(sagelocal: Any, branching: str) -> None:
    said = sagelocal("run", branching, "--runtime", "stub", "--json", "-p", "Days=4", "--name", "Red")
    assert said.code == 0
    assert (said.json["pipeline"], said.json["status"], said.json["parameters"]) == (
        "Red",
        "Succeeded",
        {"Days": 4},
    )
    assert [(step["name"], step["status"], step["outcome"]) for step in said.json["steps"]] == [
        ("Many", "Succeeded", False),
        ("Prepare", "Succeeded", None),
    ]
    assert said.json["not_started"] == ["Refuse"]


def test_parameters_come_from_a_file_unless_given(sagelocal: Any, branching: str, folder: Path) -> None:
    (folder / "values.json").write_text('{"Days": 8}')
    assert sagelocal("run", branching, "--runtime", "stub", "--parameters", "values.json").code == 1
    assert (
        sagelocal("run", branching, "--runtime", "stub", "--parameters", "values.json", "-p", "Days=1").code
        == 0
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-p", "Dayz=3"), "did you mean 'Days'?"),
        (("-p", "Days=three"), "Days"),
        (("-p", "Days"), "write -p Name=Value"),
        (("--max-parallel", "0"), "max-parallel"),
        (("--config", "nowhere.toml"), "nowhere.toml"),
        (("--stubs", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_wrong_call_ends_with_two_and_runs_nothing(
    sagelocal: Any, branching: str, arguments: tuple[str, ...], told: str
) -> None:
    said = sagelocal("run", branching, "--runtime", "stub", *arguments)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert sagelocal("list", "--json").json == []


def test_a_wrong_definition_ends_with_two_before_anything_is_kept(
    sagelocal: Any, write: Any, folder: Path
) -> None:
    said = sagelocal("run", write(write.fail("Stop", {"Get": "Parameters.Reason"})))
    assert (said.code, said.out) == (2, "")
    assert "Stop · Steps[0].Arguments.ErrorMessage" in said.err
    assert not (folder / ".sagelocal").exists()


def test_the_configuration_beside_the_source_counts_when_here_is_none(
    sagelocal: Any, write: Any, folder: Path
) -> None:
    name = write(write.processing("Prepare"), name="wines/red.json")
    (folder / "wines" / "sagelocal.toml").write_text('runtime = "stub"\naccount = "123456789012"\n')
    said = sagelocal("run", name, "--json")
    assert said.json["arn"].startswith("arn:aws:sagemaker:us-east-1:123456789012:pipeline/red/")
    assert sagelocal("show", "latest", "--json").json["id"] == said.json["id"], (
        "the state lies where the user works"
    )


def test_the_next_commands_name_the_state_folder_when_it_is_elsewhere(sagelocal: Any, branching: str) -> None:
    said = sagelocal("run", branching, "--runtime", "stub", "--home", "kept")
    follow_up = next(line for line in said.out.splitlines() if "sagelocal show" in line).split()
    assert follow_up[-2:] == ["--home", "kept"]
    assert sagelocal(*follow_up[1:]).code == 0


def test_outputs_are_told_with_the_files_that_hold_them(sagelocal: Any, write: Any, folder: Path) -> None:
    step = write.processing("Prepare")
    output = {
        "OutputName": "clean",
        "AppManaged": False,
        "S3Output": {
            "S3Uri": "s3://wines/clean",
            "LocalPath": "/opt/ml/processing/out",
            "S3UploadMode": "EndOfJob",
        },
    }
    step["Arguments"]["ProcessingOutputConfig"] = {"Outputs": [output]}
    said = sagelocal("run", write(step), "--runtime", "stub")
    assert "  Prepare · clean: s3://wines/clean\n    .sagelocal/s3/wines/clean\n" in said.out
    assert (folder / ".sagelocal" / "s3" / "wines" / "clean").is_dir()


def test_stubs_decide_how_steps_end(sagelocal: Any, write: Any, folder: Path) -> None:
    (folder / "stubs.json").write_text(
        json.dumps({"steps": {"Prepare": {"failure": {"reason": "no grapes"}}}})
    )
    said = sagelocal("run", write(write.processing("Prepare")), "--runtime", "stub", "--stubs", "stubs.json")
    assert said.code == 1
    assert "no grapes" in said.out
