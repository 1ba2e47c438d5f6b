"""Everything that can go wrong, as one tree.

    SagelocalError
     ├─ DefinitionError     the author's definition is wrong                      (exit code 2)
     ├─ UsageError          the call is wrong: a parameter, an option, a file     (exit code 2)
     │   ├─ NotFoundError     no pipeline, execution or step of that name
     │   └─ ConflictError     right call, wrong moment
     ├─ ExpressionError     a reference or function has no value now; becomes the failure of the step that uses it
     └─ MachineError        this machine lacks something: Docker, an image, bubblewrap, disk space   (exit code 4)

A job that fails is not an error: it is a `sagelocal.jobs.Failed`. Any other exception is our bug (exit code 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class SagelocalError(Exception):
    """The root; never raised itself. Its text is a sentence for a person."""

    exit_code: ClassVar[int] = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition.

    Attributes:
        path: where, as a JSON path from the root: ``Steps[2].Arguments.ImageUri``; empty for the whole text.
        step: the name of the step concerned; empty when none is.
        message: what is wrong.
        hint: what to do, often the nearest known name; empty when there is nothing to add.
    """

    path: str
    message: str
    step: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.step and f"step {self.step}", self.path) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class DefinitionError(SagelocalError):
    """The definition cannot be run; all problems found at once, in the order of the file."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(SagelocalError):
    """A call that cannot be served as it stands."""

    exit_code = 2


class NotFoundError(UsageError):
    """Something is named that does not exist."""


class ConflictError(UsageError):
    """Something is asked for that its present state does not allow."""


class ExpressionError(SagelocalError):
    """An expression has no value; the step that needs it fails with this text."""

    exit_code = 1


class MachineError(SagelocalError):
    """The machine lacks something; the text says what and how to get it."""

    exit_code = 4
