"""Every source file keeps to the house's measures."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "executors").rglob("*.py")])
KEPT = ("engine", "executors", "fixtures", "tests", ".ci")

# Spelled in pieces, so that this file does not contain what it looks for.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/ro" + r"ot/\w",
            r"(?<![\w.])/ho" + r"me/(?!user\b|ec2-user\b|sagemaker)\w",
            *(re.escape(host) for host in ("py" + "pi.org", "python" + "hosted.org", "deb.deb" + "ian.org")),
            *(
                re.escape(host)
                for host in ("registry-1.doc" + "ker.io", "gh" + "cr.io", "qu" + "ay.io", "npm" + "js.org")
            ),
        ]
    )
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[tuple[str, int]]:
    """Each function of the file with the lines of its body, docstring excluded."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            found.append((f"{name(path)}:{node.lineno} {node.name}", lines))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""

    opening = docstring.split("\n\n")[0]

    assert re.fullmatch(r"[^\n]+?[.!?]", opening), f"opens with {opening!r}"
    assert not re.search(r"[.!?]\s+[A-Z]", opening), f"more than one sentence: {opening!r}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_fits_in_the_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_functions_are_short() -> None:
    found = [function for path in SOURCES for function in functions(path)]
    lengths = [lines for _, lines in found]

    assert [function for function in found if function[1] > 50] == []
    assert quantiles(lengths, n=10)[-1] < 30
    assert median(lengths) <= 8


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = [
        path
        for folder in KEPT
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.suffix in {"", ".md", ".toml"}]

    named = [
        f"{name(path)}: {found.group()}"
        for path in files
        if (found := FORBIDDEN.search(path.read_bytes().decode("utf-8", errors="replace")))
    ]

    assert named == []
