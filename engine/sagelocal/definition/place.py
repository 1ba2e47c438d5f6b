"""A place in the definition: what is read there, and what is wrong there."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sagelocal.errors import Problem
from sagelocal.nearest import listed, nearest
from sagelocal.references import is_expression
from sagelocal.values import Json, JsonObject

NAMESPACES: Final = frozenset({"Parameters", "Execution", "PipelineExperimentConfig", "Steps"})
"""What an expression may refer to where nothing else is said."""

_MEMBER = re.compile(r"[^.\[\]'\"]+")


def below(path: str, key: str | int) -> str:
    """Return the JSON path of the element `key` of the value at `path`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _MEMBER.fullmatch(key):
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key


def shown(value: Json) -> str:
    """Show the value in a message: text in single quotes as the service does, else JSON; about 60 characters at most."""
    if isinstance(value, str):
        return f"'{_shortened(value)}'"
    return _shortened(json.dumps(value, ensure_ascii=False, default=str))


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


class Place:
    """Where something is read; every fault found there, or below, lands in one list.

    Attributes:
        path: the JSON path from the root.
        step: the name of the step that it belongs to; empty outside of steps.
        namespaces: what expressions here may refer to.
    """

    __slots__ = ("_problems", "namespaces", "path", "step")

    def __init__(
        self, problems: list[Problem], path: str = "", step: str = "", namespaces: frozenset[str] = NAMESPACES
    ) -> None:
        self._problems = problems
        self.path = path
        self.step = step
        self.namespaces = namespaces

    def __truediv__(self, key: str | int) -> Place:
        return Place(self._problems, below(self.path, key), self.step, self.namespaces)

    def moved(self, path: str) -> Place:
        return Place(self._problems, path, self.step, self.namespaces)

    def of_step(self, step: str) -> Place:
        return Place(self._problems, self.path, step, self.namespaces)

    def seeing(self, namespaces: frozenset[str]) -> Place:
        return Place(self._problems, self.path, self.step, namespaces)

    def note(self, message: str, hint: str = "") -> None:
        self._problems.append(Problem(self.path, message, self.step, hint))

    def note_unknown(self, message: str, name: str, known: Collection[str]) -> None:
        """Note something that is not among the known names, with the one that was probably meant."""
        close = nearest(name, known)
        self.note(message, f"did you mean {close}?" if close else f"known: {listed(known)}")

    # Each of these returns what it can: the value when it is right, else something empty and a note.

    def object(self, value: Json) -> JsonObject:
        if isinstance(value, Mapping) and not is_expression(value):
            return value
        self.note("Expecting start of Json Object.", _instead_of(value))
        return {}

    def array(self, value: Json) -> Sequence[Json]:
        """Take a list; null is an empty one."""
        if value is None:
            return ()
        if isinstance(value, list | tuple):
            return value
        self.note("Expecting start of Json Array.", _instead_of(value))
        return ()

    def members(self, value: Json, known: Collection[str], required: Collection[str] = ()) -> JsonObject:
        """Take an object with no unknown and all required keys; those that are null count as absent."""
        found = self.object(value)
        for key in found:
            if key not in known:
                free = [name for name in known if name not in found]
                (self / key).note_unknown(f"Cannot parse object, unknown property '{key}'.", key, free)
        if isinstance(value, Mapping):
            for key in required:
                if found.get(key) is None:
                    (self / key).note(f"Model Validation failed: '{key}' is required.")
        return {key: item for key, item in found.items() if item is not None}

    def text(self, value: Json, *, longest: int, pattern: str = "") -> str:
        """Take a literal string of at most `longest` characters that matches `pattern` as a whole."""
        if not isinstance(value, str):
            self.note("Model Validation failed: expected a string.", _instead_of(value))
            return ""
        if len(value) > longest:
            self.note(
                f"Model Validation failed: {shown(value)} has {len(value)} characters, at most {longest} are allowed."
            )
        elif pattern and not re.fullmatch(pattern, value):
            self.note(f"Model Validation failed: {shown(value)} must match {pattern}")
        return value

    def optional_text(self, value: Json, *, longest: int) -> str | None:
        return None if value is None else self.text(value, longest=longest)

    def whole(self, value: Json, lowest: int, highest: int) -> int:
        """Take a literal integer between the two, both included."""
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            self.note(
                f"Model Validation failed: expected an integer from {lowest} to {highest}.",
                _instead_of(value),
            )
            return lowest
        return value

    def number(self, value: Json, lowest: float, highest: float) -> int | float:
        """Take a literal number between the two, both included."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not lowest <= value <= highest:
            upper = f" to {highest:g}" if highest != float("inf") else " upwards"
            self.note(
                f"Model Validation failed: expected a number from {lowest:g}{upper}.", _instead_of(value)
            )
            return lowest
        return value

    def boolean(self, value: Json) -> bool:
        if not isinstance(value, bool):
            self.note("Model Validation failed: expected true or false.", _instead_of(value))
        return value is True

    def choice(self, value: Json, choices: Collection[str], name: str) -> str:
        """Take one of the strings `choices`; `name` is what the service calls their set."""
        if isinstance(value, str) and value in choices:
            return value
        fault = f"Value {shown(value)} for '{name}' failed to satisfy enum value set:"
        if value is None:
            fault = f"'{name}' is required, one of"
        close = nearest(value, choices) if isinstance(value, str) else ""
        self.note(
            f"Model Validation failed: {fault} [{', '.join(choices)}]",
            f"did you mean {close}?" if close else _literal_wanted(value),
        )
        return next(iter(choices))


def _literal_wanted(value: Json) -> str:
    return "an expression is not allowed here" if is_expression(value) else ""


def _instead_of(value: Json) -> str:
    return _literal_wanted(value) or f"got {shown(value)}"
