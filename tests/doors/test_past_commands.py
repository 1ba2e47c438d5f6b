"""``list``, ``show``, ``steps``, ``logs`` and ``graph --execution`` over executions that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def kept(sagelocal: Any, write: Any) -> dict[str, Any]:
    """An execution of two steps of which the second fails, as ``run --json`` tells it."""
    name = write(write.processing("Prepare"), write.fail("Stop", "wanted") | {"DependsOn": ["Prepare"]})
    document: dict[str, Any] = sagelocal("run", name, "--runtime", "stub", "--json").json
    assert document["status"] == "Failed"
    return document


def test_list_shows_the_newest_first(sagelocal: Any, write: Any, kept: dict[str, Any]) -> None:
    newer = sagelocal("run", write(write.fail("No"), name="red.json"), "--json").json
    first, second = sagelocal("list").out.splitlines()
    assert (newer["id"] in first, kept["id"] in second) == (True, True)
    assert second.endswith("1/2 steps")
    assert [entry["id"] for entry in sagelocal("list", "--json", "--pipeline", "wine").json] == [kept["id"]]


def test_an_empty_state_folder_lists_nothing(sagelocal: Any) -> None:
    assert (sagelocal("list").out, sagelocal("list", "--json").json) == ("no executions\n", [])


@pytest.mark.parametrize("name", ["arn", "id", "beginning", "latest"])
def test_an_execution_goes_by_several_names(sagelocal: Any, kept: dict[str, Any], name: str) -> None:
    names = {"arn": kept["arn"], "id": kept["id"], "beginning": kept["id"][:4], "latest": "latest"}
    assert sagelocal("show", names[name], "--json").json == kept


def test_show_tells_the_steps_and_those_that_did_not_start(sagelocal: Any, write: Any) -> None:
    sagelocal(
        "run", write(write.fail("Stop"), write.processing("Later", DependsOn=["Stop2"]), write.fail("Stop2"))
    )
    sagelocal("run", write(write.fail("Stop"), name="red.json"))
    said = sagelocal("show")
    assert said.out.startswith(
        "✗ red Failed\n  arn:aws:sagemaker:us-east-1:000000000000:pipeline/red/execution/"
    )
    assert "✗ Failed  Stop  Fail  " in said.out


def test_show_step_has_its_arguments_and_properties(sagelocal: Any, kept: dict[str, Any]) -> None:
    step = sagelocal("show", kept["id"], "--step", "Prepare", "--json").json
    assert step["arguments"]["AppSpecification"]["ContainerEntrypoint"] == ["true"]
    assert step["properties"]["ProcessingJobStatus"] == "Completed"
    assert "Arguments\n{" in sagelocal("show", kept["id"], "--step", "Prepare").out


def test_steps_are_in_the_order_of_their_start(sagelocal: Any, kept: dict[str, Any]) -> None:
    first, second = sagelocal("steps").out.splitlines()
    assert first.startswith("✓ Succeeded  Prepare  Processing")
    assert second.startswith("✗ Failed     Stop     Fail")
    assert sagelocal("steps", "--json").json == kept["steps"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "nosuchthing"), "nosuchthing"),
        (("show", "latest", "--step", "Prepair"), "has no step Prepair (did you mean Prepare?)"),
        (("logs", "latest", "Prepair"), "has no step Prepair (did you mean Prepare?)"),
        (("logs", "latest", "--follow", "--json"), "do not go together"),
    ],
)
def test_what_is_not_there_is_a_usage_error(
    sagelocal: Any, kept: dict[str, Any], arguments: tuple[str, ...], told: str
) -> None:
    said = sagelocal(*arguments)
    assert said.code == 2
    assert told in said.err


def test_logs_have_a_title_for_each_step_unless_one_is_named(sagelocal: Any, kept: dict[str, Any]) -> None:
    every = sagelocal("logs").out
    assert every.startswith("==> Prepare <==\n[sagelocal] runs in: stub")
    assert sagelocal("logs", "latest", "Prepare").out == every.partition("\n")[2]
    assert sagelocal("logs", "--json").json["Stop"] == []


def test_following_the_logs_of_an_ended_execution_prints_them_and_ends(
    sagelocal: Any, kept: dict[str, Any], folder: Path
) -> None:
    assert "Prepare │ [sagelocal] runs in: stub" in sagelocal("logs", "--follow").out


def test_the_graph_of_an_execution_has_the_status_of_each_step(sagelocal: Any, kept: dict[str, Any]) -> None:
    text = sagelocal("graph", "wine.json", "--execution", "latest").out
    assert '"Prepare<br/>Processing"]:::Succeeded' in text
    assert '"Stop<br/>Fail"]):::Failed' in text


def test_the_graph_of_a_definition_needs_no_execution(sagelocal: Any, write: Any, folder: Path) -> None:
    said = sagelocal("graph", write(write.fail("Stop")), "--format", "json")
    assert said.json == {"steps": [{"name": "Stop", "type": "Fail"}], "edges": []}
    assert not (folder / ".sagelocal").exists()
