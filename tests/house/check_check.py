"""Plants one violation of each kind in a copy of the tree and fails when one goes unnoticed."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = [
    "engine",
    "executors",
    "tests",
    "fixtures",
    "Makefile",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
]
# The caches make the checkers' second look quick; they key files by path, size and time, which the copy keeps.
CACHES = [".mypy_cache", ".ruff_cache"]


@dataclass(frozen=True)
class Violation:
    """One thing to plant.

    Attributes:
        what: told to the person who watches.
        file: where; it is made when it does not exist, else the text is added to it.
        text: what is planted.
        target: of the Makefile, which must fail …
        says: … and must say this, so that it does not fail for another reason.
        options: further arguments for make.
    """

    what: str
    file: str
    text: str
    target: str
    says: str
    options: tuple[str, ...] = ()


VIOLATIONS = [
    Violation(
        "bad formatting",
        "engine/sagelocal/planted.py",
        '"""Planted."""\nx   = [ 1,2 ]\n',
        "format_check",
        "planted.py",
    ),
    Violation("lint", "engine/sagelocal/planted.py", '"""Planted."""\n\nimport json\n', "lint", "F401"),
    Violation(
        "a wrong type",
        "executors/sagelocal_executors/planted.py",
        '"""Planted."""\n\nfrom sagelocal.values import ObjectText\n\nWRONG = ObjectText(uri=3, text=None)\n',
        "types",
        "planted.py:5: error",
    ),
    Violation(
        "an upward import",
        "engine/sagelocal/values.py",
        "\nimport sagelocal.plan  # planted\n",
        "imports",
        "imports point down BROKEN",
    ),
    Violation(
        "a door that knows the executors",
        "engine/sagelocal/cli/planted.py",
        '"""Planted."""\n\nimport sagelocal_executors\n',
        "imports",
        "only the engine knows the executors BROKEN",
    ),
    Violation(
        "executors that know one another",
        "executors/sagelocal_executors/training.py",
        "\nimport sagelocal_executors.processing  # planted\n",
        "imports",
        "executors do not know one another BROKEN",
    ),
    Violation(
        "asyncio in the core",
        "engine/sagelocal/plan.py",
        "\nimport asyncio  # planted\n",
        "imports",
        "the core reads no clock, disk, environment, loop or log BROKEN",
    ),
    Violation(
        "a toolkit that imports ours",
        "executors/sagelocal_executors/toolkit/planted.py",
        '"""Planted."""\n\nimport sagelocal.values\n',
        "pytest",
        "test_the_toolkit_stands_alone[planted]",
        ("TESTS=tests/house/test_floors.py", "JOBS=0"),
    ),
    Violation(
        "a failing test",
        "tests/core/test_planted.py",
        "def test_planted() -> None:\n    assert 1 == 2\n",
        "pytest",
        "1 failed",
        ("TESTS=tests/core/test_planted.py", "JOBS=0"),
    ),
    Violation(
        "a warning in a test",
        "tests/core/test_planted.py",
        "import warnings\n\n\ndef test_planted() -> None:\n    warnings.warn('planted', stacklevel=1)\n",
        "pytest",
        "1 failed",
        ("TESTS=tests/core/test_planted.py", "JOBS=0"),
    ),
]


def copy_tree(destination: Path) -> None:
    for entry in COPIED + CACHES:
        source = ROOT / entry
        if source.is_dir():
            shutil.copytree(source, destination / entry, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, destination / entry)


def make(tree: Path, venv: Path, *words: str) -> tuple[int, str]:
    """Run make in the copy, with the environment of the original but the sources of the copy."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    environment["PYTHONPATH"] = os.pathsep.join([str(tree / "engine"), str(tree / "executors")])
    command = ["make", "--no-print-directory", f"VENV={venv}", *words]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def noticed(tree: Path, venv: Path, violation: Violation) -> bool:
    """Plant it, look whether it is noticed, and take it away again."""
    file = tree / violation.file
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((before or "") + violation.text, encoding="utf-8")
    code, output = make(tree, venv, violation.target, *violation.options)
    if before is None:
        file.unlink()
    else:
        file.write_text(before, encoding="utf-8")
    found = code != 0 and violation.says in output
    print(f"  {'noticed ' if found else 'MISSED  '} {violation.what}", flush=True)
    if not found:
        print(f"make {violation.target} ended with {code} and did not say {violation.says!r}:\n{output}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True, help="the environment with the tools")
    venv = parser.parse_args().venv.absolute()
    with tempfile.TemporaryDirectory(prefix="sagelocal-check-check-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        print("planting violations in a copy of the tree:")
        missed = [violation.what for violation in VIOLATIONS if not noticed(tree, venv, violation)]
    print(f"unnoticed: {', '.join(missed)}" if missed else "every violation was noticed")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
