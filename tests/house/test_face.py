"""What the project shows to the outside says the same everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import sagelocal
from sagelocal.cli.application import COMMANDS, application
from sagelocal.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

EXPORTED = {
    "ConflictError",
    "DefinitionError",
    "Engine",
    "ExecutionView",
    "ExpressionError",
    "MachineError",
    "NotFoundError",
    "Problem",
    "SagelocalError",
    "Settings",
    "StepView",
    "UsageError",
    "check",
    "load_settings",
    "run",
}


def commands() -> dict[str, set[str]]:
    """The commands of the command line, each with its options and those of its own commands."""
    group = typer.main.get_command(application(list(COMMANDS)))
    assert hasattr(group, "commands")
    return {
        name: {
            option
            for each in (command, *getattr(command, "commands", {}).values())
            for parameter in each.params
            for option in parameter.opts
        }
        for name, command in group.commands.items()
    }


def test_the_package_exports_what_it_promises_and_nothing_else() -> None:
    assert set(sagelocal.__all__) == EXPORTED
    assert all(hasattr(sagelocal, name) for name in EXPORTED)


@pytest.mark.parametrize(
    "line", sorted({line for block in BLOCKS for line in re.findall(r"^sagelocal .*$", block, re.MULTILINE)})
)
def test_a_command_in_the_readme_exists(line: str) -> None:
    words = line.split("#", maxsplit=1)[0].partition(" -- ")[0].split()
    known = commands()

    assert words[1] in known
    assert {word.split("=")[0] for word in words[2:] if word.startswith("-") and word != "-"} <= known[
        words[1]
    ]


def test_the_readme_names_every_command() -> None:
    named = set(re.findall(r"sagelocal (\w+)", README))

    assert set(commands()) <= named


def test_a_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z_]+)", README, re.MULTILINE))

    assert named
    assert named <= targets


def test_the_readme_explains_every_setting() -> None:
    explained = set(re.findall(r"^\| `([a-z0-9_]+)` ", README, re.MULTILINE))

    assert set(Settings.model_fields) <= explained


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert sagelocal.__version__ == project["version"]
    assert re.search(rf"^## \[{re.escape(sagelocal.__version__)}\]", changelog, re.MULTILINE)


def test_docker_and_a_server_are_paid_for_only_when_they_are_used() -> None:
    look = "import sys, sagelocal.engine; print(*{'docker', 'starlette', 'uvicorn', 'botocore'} & set(sys.modules))"

    seen = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert seen.stdout.split() == []
