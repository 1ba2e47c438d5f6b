"""The JSONPath dialect of InputFilter and OutputFilter (semantics 08 §8.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sagelocal.values import Json
from sagelocal_executors.transform.faults import RecordError

SLICE_END_INCLUDED = False
"""Whether ``$[1:4]`` has the element 4 (semantics 13, U30): SageMaker's prose says so, its JSONPath library does not."""

_MIXED = re.compile(r"\[[^\]'\"]*,[^\]'\"]*:[^\]'\"]*\]|\[[^\]'\"]*:[^\]'\"]*,[^\]'\"]*\]")


@dataclass(frozen=True, slots=True)
class _Pick:
    """One step of a path.

    Attributes:
        take: what the step selects of a value; raises a LookupError when that is not there.
        many: whether it may select any number of values, so that the path gives a list.
        indexed: whether it selects by position, as all steps do that fit a CSV row.
    """

    take: Callable[[Any], Iterator[Json]]
    many: bool
    indexed: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed path."""

    text: str
    picks: tuple[_Pick, ...]

    @property
    def whole(self) -> bool:
        """Whether it is ``$``, which keeps everything as it is."""
        return not self.picks

    @property
    def fits_rows(self) -> bool:
        """Whether it can be applied to CSV, whose rows are arrays of texts: by position, one level deep."""
        return len(self.picks) <= 1 and all(pick.indexed for pick in self.picks)

    def select(self, value: Json) -> Json:
        """What the path selects: one value, an object of the names listed, or a list where several may match.

        Raises:
            RecordError: it is not there.
        """
        found, many = [value], False
        for pick in self.picks:
            found = list(self._taken(pick, found, lenient=many))
            many = many or pick.many
        return found if many else found[0]

    def select_fields(self, row: list[bytes]) -> list[bytes]:
        """The fields of a CSV row that the path, which `fits_rows`, selects.

        Raises:
            RecordError: the row is too short.
        """
        if not self.picks:
            return row
        values: Any = row  # the one step of such a path takes any array
        try:
            return list(self.picks[0].take(values))  # type: ignore[arg-type]  # and gives what it is made of
        except LookupError as error:
            raise self._nothing(error) from None

    def _taken(self, pick: _Pick, values: list[Json], *, lenient: bool) -> Iterator[Json]:
        """What the step selects of each value; where several may match, those without it are passed over."""
        for value in values:
            try:
                yield from pick.take(value)
            except LookupError as error:
                if not lenient:
                    raise self._nothing(error) from None

    def _nothing(self, error: LookupError) -> RecordError:
        return RecordError(f"{self.text} selects nothing: {error.args[0]}")


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Filter:
    """Parse a path.

    Raises:
        ValueError: it is none, or uses what SageMaker's dialect does not have.
    """
    if not text.startswith("$"):
        raise ValueError(f"Invalid JsonPath: {text}: it must begin with $")
    if _MIXED.search(text):
        # The service says so, although an example in its API reference reads $[0,5:].
        raise ValueError(
            f"Invalid JsonPath: {text}: only single range filters of format (eg: [1:5]) are supported"
        )
    # Imported late: it takes some 40 ms, and hardly any pipeline needs it.
    from jsonpath_ng.exceptions import JSONPathError  # noqa: PLC0415  # see above
    from jsonpath_ng.parser import parse  # noqa: PLC0415  # see above

    try:
        return Filter(text, tuple(_picks(text, parse(text))))
    except JSONPathError as error:
        raise ValueError(f"Invalid JsonPath: {text}: {error}") from None


def _picks(text: str, node: Any) -> Iterator[_Pick]:
    """The steps of a tree that jsonpath-ng has parsed; it has no types."""
    match type(node).__name__:
        case "Root":
            return
        case "Child":
            yield from _picks(text, node.left)
            yield from _picks(text, node.right)
        case "Fields" if node.fields != ("*",):
            yield _names(tuple(node.fields))
        case "Fields" | "Wildcard":
            yield _Pick(_each, many=True, indexed=True)
        case "Index":
            yield _indexes(tuple(node.indices))
        case "Slice" if node.step is None:
            yield _range(node.start, node.end)
        case kind:
            known = "$, .name, ['name', …], *, [number, …] and [start:end]"
            raise ValueError(f"Invalid JsonPath: {text}: {kind} is not supported; there are {known}")


def _each(value: Any) -> Iterator[Json]:
    match value:
        case Mapping():
            yield from value.values()
        case list():
            yield from value
        case _:
            raise LookupError("it is neither an object nor an array")


def _array(value: Any) -> list[Any]:
    match value:
        case list():
            return value
        case _:
            raise LookupError("it is no array")


def _names(names: tuple[str, ...]) -> _Pick:
    """One member, or an object of those listed that are there."""

    def one(value: Any) -> Iterator[Json]:
        if not isinstance(value, Mapping) or names[0] not in value:
            raise LookupError(f"there is no {names[0]!r}")
        yield value[names[0]]

    def several(value: Any) -> Iterator[Json]:
        there = [name for name in names if isinstance(value, Mapping) and name in value]
        if not there:
            raise LookupError(f"there is none of {', '.join(map(repr, names))}")
        yield {name: value[name] for name in there}

    return _Pick(one if len(names) == 1 else several, many=False, indexed=False)


def _indexes(indexes: tuple[int, ...]) -> _Pick:
    def take(value: Any) -> Iterator[Json]:
        items = _array(value)
        for index in indexes:
            if not -len(items) <= index < len(items):
                raise LookupError(f"there is no element {index}, as there are {len(items)}")
            yield items[index]

    return _Pick(take, many=len(indexes) > 1, indexed=True)


def _range(start: int | None, end: int | None) -> _Pick:
    if SLICE_END_INCLUDED and end is not None:
        end = None if end == -1 else end + 1

    def take(value: Any) -> Iterator[Json]:
        yield from _array(value)[start:end]

    return _Pick(take, many=True, indexed=True)
