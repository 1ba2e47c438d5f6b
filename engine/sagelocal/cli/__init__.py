"""The command line."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sagelocal.cli import faults, output

_INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended."""


def main() -> NoReturn:
    """Run the command that the process was started with and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code (see `sagelocal.errors`)."""
    output.prepare()
    faults.state_folder.set(None)
    try:
        return _call(arguments)
    except KeyboardInterrupt:
        # With an execution under way `run` answers interrupts itself; here there was nothing to stop.
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (`| head`) has seen enough; Python would complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the last place where any error can be told to a person
        return faults.report(error)


def _call(arguments: Sequence[str]) -> int:
    # A bare `check SOURCE` is what editors and hooks call all day: it does without typer, whose import (with pydantic,
    # from its version 0.29) takes longer than the check itself.
    match arguments:
        case ["check", source] if source == "-" or not source.startswith("-"):
            code: int = importlib.import_module("sagelocal.cli.verdict").verdict(source)
        case _:
            code = importlib.import_module("sagelocal.cli.application").call(arguments)
    return code
