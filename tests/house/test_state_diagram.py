"""The pictures in engine/README.md are drawn from the tables of the code.

Run as a script (`python tests/house/test_state_diagram.py`), this file draws them anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import pytest

from sagelocal.lifecycle import EXECUTION_TRANSITIONS, STEP_TRANSITIONS, TERMINAL, UNDER_WAY

THEORY = Path(__file__).parents[2] / "engine" / "README.md"
State = TypeVar("State", bound=StrEnum)


def diagram(table: Mapping[State, frozenset[State]], ends: frozenset[State]) -> str:
    """The table as a Mermaid state diagram, in the table's order; the first state is where all begins."""
    states = list(table)
    arrows = [f"    [*] --> {states[0]}"]
    for state in states:
        arrows += [f"    {state} --> {following}" for following in states if following in table[state]]
    arrows += [f"    {state} --> [*]" for state in states if state in ends]
    return "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])


PICTURES = {
    "step": diagram(STEP_TRANSITIONS, TERMINAL),
    "execution": diagram(EXECUTION_TRANSITIONS, frozenset(EXECUTION_TRANSITIONS) - UNDER_WAY),
}


def place(name: str) -> re.Pattern[str]:
    begin, end = re.escape(f"<!-- states of {name}, generated -->\n"), re.escape("<!-- end -->")
    return re.compile(f"({begin})(.*?)({end})", re.DOTALL)


def redraw(text: str) -> str:
    for name, picture in PICTURES.items():
        text = place(name).sub(rf"\g<1>{picture}\n\g<3>", text)
    return text


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_in_the_readme_is_the_table_of_the_code(name: str) -> None:
    drawn = place(name).search(THEORY.read_text(encoding="utf-8"))

    assert drawn is not None
    assert drawn.group(2) == PICTURES[name] + "\n"


if __name__ == "__main__":
    THEORY.write_text(redraw(THEORY.read_text(encoding="utf-8")), encoding="utf-8")
