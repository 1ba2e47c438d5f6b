"""What an expression refers to: the grammar of ``Get`` (semantics 03 §3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn

from sagelocal.errors import ExpressionError
from sagelocal.nearest import did_you_mean
from sagelocal.values import Json

NAMESPACES: Final = (
    "Parameters",
    "Execution",
    "PipelineExperimentConfig",
    "Steps",
    "ForEach",
    "IterationOutput",
)
FUNCTIONS: Final = ("Get", "Std:Join", "Std:JsonGet")
PROPERTY_FILES: Final = "PropertyFiles"
"""The member of a step below which its property files are named."""

_WITHOUT_MEMBERS = {"Parameters", "Execution", "PipelineExperimentConfig"}
_HEAD = re.compile(r"([^.\[\]'\"]*)(?:\.([^.\[\]'\"]+))?")
# Nothing is escaped inside quotes (the SDK does not), so a quoted key ends where its bracket closes *and* the path goes on or ends.
_SEGMENT = re.compile(
    r"\.(?P<member>[^.\[\]'\"]+)"
    r"|\[(?P<index>[0-9]{1,9})\]"
    r"|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\](?=[.\[]|\Z)",
    re.DOTALL,
)
_MEMBER = re.compile(r"[^.\[\]'\"]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """One ``Get``, taken apart.

    Attributes:
        namespace: one of `NAMESPACES`.
        name: the parameter, variable, step or loop body.
        path: what to look up below it; text for a member or key, a number for an index.
        text: the reference as the author wrote it.
    """

    namespace: str
    name: str
    path: tuple[str | int, ...]
    text: str

    @property
    def property_file(self) -> str | None:
        """The name of the property file that ``Steps.S.PropertyFiles.F`` stands for; None for any other reference."""
        if self.namespace == "Steps" and len(self.path) == 2 and self.path[0] == PROPERTY_FILES:
            return str(self.path[1])
        return None


# Large enough that a pipeline of 10,000 steps parses each reference once; bounded because a server sees many pipelines.
@lru_cache(maxsize=1 << 16)
def parse_reference(text: str) -> Reference:
    """Take the text of a ``Get`` apart.

    Raises:
        ExpressionError: it is no reference; says at which character and what was expected there.
    """
    head = _HEAD.match(text)
    assert head, "the pattern matches the empty text"
    namespace, name = head.group(1), head.group(2)
    if namespace not in NAMESPACES:
        _refuse(text, 0, f"one of {', '.join(NAMESPACES)}{did_you_mean(namespace, NAMESPACES)}")
    if name is None:
        _refuse(text, head.end(), "a dot and a name")
    if namespace in _WITHOUT_MEMBERS and head.end() < len(text):
        _refuse(text, head.end(), f"the end, because {namespace}.{name} has no members")
    return Reference(namespace, name, _path_below(namespace, text, head.end()), text)


def _path_below(namespace: str, text: str, start: int) -> tuple[str | int, ...]:
    # A property file's name stands there unquoted, whatever dots it has.
    prefix = f".{PROPERTY_FILES}."
    if namespace == "Steps" and text.startswith(prefix, start) and len(text) > start + len(prefix):
        return (PROPERTY_FILES, text[start + len(prefix) :])
    return parse_path(text, start)


def parse_path(text: str, start: int = 0) -> tuple[str | int, ...]:
    """Take a path of ``.member``, ``['key']`` and ``[0]`` segments apart, from the character `start` on.

    Raises:
        ExpressionError: there is something else; says at which character and what was expected there.
    """
    segments: list[str | int] = []
    position = start
    while position < len(text):
        segment = _SEGMENT.match(text, position)
        if segment is None:
            _refuse(text, position, _expected(text[position:]))
        index = segment["index"]
        segments.append(int(index) if index is not None else segment["member"] or segment["key"] or "")
        position = segment.end()
    return tuple(segments)


def _expected(rest: str) -> str:
    if rest.startswith(("['", '["')):
        return f"a key in quotes that ends with {rest[1]}]"
    if rest.startswith("["):
        return "a number or a key in quotes, then ]"
    if rest.startswith("."):
        return "a member's name after the dot"
    return "a dot, a [ or the end"


def _refuse(text: str, position: int, expected: str) -> NoReturn:
    where = (
        f"at character {position + 1}, before {text[position:]}," if position < len(text) else "at its end,"
    )
    raise ExpressionError(f"{text or repr(text)} is not a reference: {where} expected {expected}")


def spell(path: Iterable[str | int]) -> str:
    """Write the path as it stands in a reference, without a dot before the first member: ``a.b[0]['c.d']``."""
    return "".join(map(_spell, path)).removeprefix(".")


def _spell(segment: str | int) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    return f".{segment}" if _MEMBER.fullmatch(segment) else f"['{segment}']"


def is_expression(value: object) -> bool:
    """Whether the value is an object with the one key ``Get``, ``Std:Join`` or ``Std:JsonGet``."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def references(value: Json) -> Iterator[tuple[str, Reference]]:
    """Every ``Get`` inside the value in document order, each with the JSON path of its object relative to `value`.

    Raises:
        ExpressionError: one of them is no reference (`gets` yields them unparsed).
    """
    for path, text in gets(value):
        yield path, parse_reference(reference_text(text))


def reference_text(operand: Json) -> str:
    """Return the operand of a ``Get``, which must be text.

    Raises:
        ExpressionError: it is something else.
    """
    if not isinstance(operand, str):
        message = f"Get takes the text of a reference, such as Parameters.Name or Steps.Name.Property, not {operand!r}"
        raise ExpressionError(message)
    return operand


_Place = tuple["_Place", str | int] | None
"""Where a value lies, linked to where its container lies; spelled out only for the few values that are asked about."""


def gets(value: Json) -> Iterator[tuple[str, Json]]:
    """Every ``Get`` inside the value in document order: the JSON path of its object relative to `value`, its operand.

    Walks with a stack of its own, so no nesting is too deep.
    """
    pending: list[tuple[_Place, Json]] = [(None, value)]
    while pending:
        place, item = pending.pop()
        if isinstance(item, (dict, Mapping)):
            if len(item) == 1 and "Get" in item:
                yield _spelled(place), item["Get"]
                continue
            children: Iterable[tuple[str | int, Json]] = item.items()
        elif isinstance(item, (list, tuple)):
            children = enumerate(item)
        else:
            continue
        below = [((place, key), child) for key, child in children if type(child) not in _SCALARS]
        below.reverse()
        pending += below


_SCALARS: Final = {str, int, float, bool, type(None)}


def _spelled(place: _Place) -> str:
    path: list[str | int] = []
    while place is not None:
        place, key = place
        path.append(key)
    return spell(reversed(path))
