"""Text for people and JSON for machines, on standard output and standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import TextIO

from sagelocal.values import Json


def prepare() -> None:
    """Let a terminal or file that cannot show a character show ``?`` instead of stopping us."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str = "", style: str = "", *, error: bool = False) -> None:
    """Print a line, never wrapped nor cut; `style` (as rich writes it) counts on a terminal only."""
    stream = sys.stderr if error else sys.stdout
    if not style or not _coloured(stream):
        stream.write(text + "\n")
        return
    from rich.console import Console  # noqa: PLC0415 - start-up: not needed for plain output

    Console(file=stream, soft_wrap=True).print(text, style=style, markup=False, highlight=False, emoji=False)


def _coloured(stream: TextIO) -> bool:
    return stream.isatty() or bool(os.environ.get("FORCE_COLOR"))


def say_json(value: Json) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def flush() -> None:
    """Let whoever reads standard output through a pipe have it now."""
    sys.stdout.flush()


def plain(text: str) -> str:
    """The text without colours and all else that would make a terminal do something; a job may print anything."""
    return _CONTROL.sub("\ufffd", _ESCAPE.sub("", text))


# ECMA-48: a control sequence, or an operating system command, or any other escape.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def seconds(length: float) -> str:
    """A duration as people say it: ``0.3 s``, ``42 s``, ``3 min 04 s``, ``2 h 05 min``."""
    if length < 10:
        return f"{max(length, 0):.1f} s"
    whole = round(length)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def moment(when: float) -> str:
    """A moment in the machine's own time zone: ``2026-01-31 12:34:56``."""
    return datetime.fromtimestamp(when, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def counted(number: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
