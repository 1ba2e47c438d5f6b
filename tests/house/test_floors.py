"""The drawing of the house in pyproject.toml shows every room."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
}
FLOORS = [re.findall(r"[\w.]+", layer) for layer in CONTRACTS["floors"]["layers"]]
TOOLKIT = ROOT / "executors" / "sagelocal_executors" / "toolkit"
EXECUTORS = {
    "auto_ml",
    "callback",
    "checks",
    "emr",
    "models",
    "processing",
    "training",
    "transform",
    "tuning",
}
"""The modules that hold an executor: they may not know one another."""


def rooms(package: str, folder: Path) -> set[str]:
    """The modules and packages that lie directly in a package."""
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in folder.glob("*/__init__.py")}
    return {f"{package}.{each}" for each in files | folders}


ROOMS = rooms("sagelocal", ROOT / "engine" / "sagelocal")


def test_every_module_stands_on_a_floor() -> None:
    drawn = {room for floor in FLOORS for room in floor}

    assert ROOMS - drawn == set()


def test_the_whole_core_is_held_pure() -> None:
    lowest = next(index for index, floor in enumerate(FLOORS) if "sagelocal.resumption" in floor)
    core = {room for floor in FLOORS[lowest:-1] for room in floor} & ROOMS

    assert set(CONTRACTS["pure-core"]["source_modules"]) == core


def test_every_executor_is_held_apart() -> None:
    there = {f"sagelocal_executors.{each}" for each in EXECUTORS} & rooms(
        "sagelocal_executors", ROOT / "executors" / "sagelocal_executors"
    )

    assert set(CONTRACTS["executors-apart"]["modules"]) == there


@pytest.mark.parametrize("path", sorted(TOOLKIT.glob("*.py")), ids=lambda path: path.stem)
def test_the_toolkit_stands_alone(path: Path) -> None:
    """It runs inside a job's container or sandbox, where nothing of ours is installed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in imported} & {"sagelocal", "sagelocal_executors", ""} == set()
