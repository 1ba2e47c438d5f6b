"""How errors are told, and with which exit code."""

from __future__ import annotations

import errno
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sagelocal.cli.application import COMMANDS
from sagelocal.errors import (
    ConflictError,
    DefinitionError,
    ExpressionError,
    MachineError,
    NotFoundError,
    Problem,
)


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch, sagelocal: Any) -> Any:
    """Call a command that does nothing but raise the error."""

    def call(error: BaseException) -> Any:
        def graph() -> None:
            raise error

        monkeypatch.setitem(sys.modules, "raising", SimpleNamespace(graph=graph))
        monkeypatch.setitem(COMMANDS, "graph", "raising")
        return sagelocal("graph")

    return call


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DefinitionError([Problem("Steps[0]", "is wrong")]), 2),
        (NotFoundError("no such thing"), 2),
        (ConflictError("not now"), 2),
        (ExpressionError("has no value"), 1),
        (MachineError("no Docker"), 4),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 4),
        (OSError(errno.ENOSPC, "No space left on device"), 4),
        (ZeroDivisionError("division by zero"), 5),
        (ExceptionGroup("unhandled errors", [KeyError("x")]), 5),
    ],
)
def test_each_kind_of_error_has_its_exit_code(raising: Any, error: BaseException, code: int) -> None:
    assert raising(error).code == code


def test_an_error_of_ours_is_one_sentence_without_a_traceback(raising: Any) -> None:
    assert raising(MachineError("no Docker: install it")).err == "error: no Docker: install it\n"


def test_a_bug_keeps_its_traceback_in_the_state_folder(raising: Any, folder: Any) -> None:
    said = raising(ZeroDivisionError("division by zero"))
    (kept,) = (folder / ".sagelocal").iterdir()
    assert "sagelocal has a bug: ZeroDivisionError: division by zero" in said.err
    assert str(kept) in said.err
    assert "Traceback" not in said.err
    assert "raise error" in kept.read_text()


def test_a_bug_is_shown_when_debugging(raising: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGELOCAL_DEBUG", "1")
    assert "Traceback" in raising(ZeroDivisionError()).err


def test_an_unknown_command_suggests_the_nearest(sagelocal: Any) -> None:
    said = sagelocal("chekc")
    assert said.code == 2
    assert "check" in said.err


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("run", "-h"), ("logs", "--help")])
def test_help_is_there(sagelocal: Any, arguments: tuple[str, ...]) -> None:
    said = sagelocal(*arguments)
    assert said.code == 0
    assert "Usage: sagelocal" in said.out


def test_the_version_is_that_of_the_package(sagelocal: Any) -> None:
    assert sagelocal("--version").out.startswith("sagelocal 0.")
