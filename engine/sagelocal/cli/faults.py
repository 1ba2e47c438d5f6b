"""How an error is told to the person at the terminal."""

from __future__ import annotations

import errno
import os
import tempfile
import time
import traceback
from contextvars import ContextVar
from pathlib import Path

from sagelocal.cli.output import counted, say
from sagelocal.errors import DefinitionError, MachineError, Problem, SagelocalError

state_folder: ContextVar[Path | None] = ContextVar("state_folder", default=None)
"""Where the traceback of a bug goes: set as soon as the command knows its state folder."""

BUG = 5
_MACHINE_FAULTS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENOMEM,
}


def report(error: Exception) -> int:
    """Say on standard error what went wrong; the exit code."""
    if os.environ.get("SAGELOCAL_DEBUG") == "1":
        traceback.print_exception(error)
    match error:
        case DefinitionError():
            say_problems(error.problems, error=True)
        case SagelocalError():
            say(f"error: {error}", "red", error=True)
        case OSError() if error.errno in _MACHINE_FAULTS:
            say(f"error: {error.filename or 'this machine'}: {error.strerror}", "red", error=True)
            return MachineError.exit_code
        case _:
            return _report_bug(error)
    return error.exit_code


def say_problems(problems: tuple[Problem, ...], *, error: bool = False) -> None:
    """Print each problem with its step, path, message and hint."""
    for problem in problems:
        place = " · ".join(part for part in (problem.step, problem.path) if part)
        if place:
            say(place, "bold", error=error)
        say(_indented(problem.message, "  "), "red", error=error)
        if problem.hint:
            say(_indented(f"hint: {problem.hint}", "  "), "dim", error=error)
        say(error=error)
    say(counted(len(problems), "problem"), "bold red", error=error)


def _indented(text: str, margin: str) -> str:
    return "\n".join(margin + line for line in text.splitlines())


def _report_bug(error: Exception) -> int:
    say(f"sagelocal has a bug: {type(error).__name__}: {error}", "red", error=True)
    say(f"The traceback is in {_write(error)}: please report it, with the definition if you can.", error=True)
    say("SAGELOCAL_DEBUG=1 shows it here.", "dim", error=True)
    return BUG


def _write(error: Exception) -> Path:
    """Keep the traceback in the state folder, or in the temporary folder when that cannot be written."""
    text = "".join(traceback.format_exception(error))
    name = f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (state_folder.get() or Path(".sagelocal").absolute(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)
