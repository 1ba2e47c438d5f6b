"""What AWS operations take and give, by the model files that botocore brings along."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from sagelocal.nearest import listed, nearest
from sagelocal.values import Json

Traits = Mapping[str, Any]
"""One shape in botocore's notation: ``type``, ``members``, ``required``, ``enum``, ``pattern``, ``min``, ``max`` …"""

ANYTHING: Final = "Anything"
"""The name of a shape that every value has; every family knows it."""

_VERSIONS: Final = {
    "ecr": "2015-09-21",
    "emr": "2009-03-31",
    "emr-serverless": "2021-07-13",
    "events": "2015-10-07",
    "iam": "2010-05-08",
    "logs": "2014-03-28",
    "sagemaker": "2017-07-24",
    "scheduler": "2021-06-30",
    "sts": "2011-06-15",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a service's model; the shapes below it are looked up when they are asked for.

    Attributes:
        name: as the model calls it, ``ProcessingS3InputMode``.
        traits: what the model says about it.
        family: all shapes of the model by name.
    """

    name: str
    traits: Traits
    family: Mapping[str, Traits]

    @property
    def type(self) -> str:
        """One of ``structure list map string integer long float double boolean timestamp anything``."""
        return str(self.traits["type"])

    @property
    def members(self) -> Mapping[str, Mapping[str, Any]]:
        """The members of a structure, by name; `member` gives their shapes."""
        found: Mapping[str, Mapping[str, Any]] = self.traits.get("members", {})
        return found

    @property
    def required(self) -> tuple[str, ...]:
        """The members of a structure that must be given; not its client token, which clients fill."""
        return tuple(
            name
            for name in self.traits.get("required", ())
            if not self.members.get(name, {}).get("idempotencyToken")
        )

    def member(self, name: str) -> Shape:
        """Return the shape of a structure's member."""
        return self._other(str(self.members[name]["shape"]))

    @property
    def element(self) -> Shape:
        """The shape of a list's elements or a map's values."""
        return self._other(self.traits["member" if self.type == "list" else "value"]["shape"])

    def _other(self, name: str) -> Shape:
        return Shape(name, self.family[name], self.family)


def request_shape(operation: str, service: str = "sagemaker") -> Shape:
    """Return the shape of an operation's request, ``CreateTrainingJob`` say.

    Raises:
        KeyError: the installed botocore knows no such operation.
    """
    return shape(_model(service)["operations"][operation]["input"]["shape"], service)


def response_shape(operation: str, service: str = "sagemaker") -> Shape:
    """Return the shape of an operation's answer.

    Raises:
        KeyError: the installed botocore knows no such operation.
    """
    return shape(_model(service)["operations"][operation]["output"]["shape"], service)


def operations(service: str = "sagemaker") -> Collection[str]:
    """The names of all operations of a service."""
    found: Mapping[str, Traits] = _model(service)["operations"]
    return found.keys()


def operation_traits(operation: str, service: str = "sagemaker") -> Traits:
    """What the model says about an operation: its ``input``, ``output`` and ``http``.

    Raises:
        KeyError: the installed botocore knows no such operation.
    """
    found: Traits = _model(service)["operations"][operation]
    return found


def shape(name: str, service: str = "sagemaker", more: Mapping[str, Traits] | None = None) -> Shape:
    """Return a shape by name; `more` adds shapes of our own that may refer to those of the service.

    Raises:
        KeyError: there is none of that name.
    """
    shapes: Mapping[str, Traits] = _model(service)["shapes"]
    family = ChainMap(dict(more), dict(shapes)) if more else shapes
    return Shape(name, family[name], family)


@lru_cache
def _model(service: str) -> Mapping[str, Any]:
    # Read without importing botocore: a session costs 0.3 s, the file 0.05 s; `sagelocal check` has 0.35 s for everything.
    package = importlib.util.find_spec("botocore")
    assert package, "botocore is one of our dependencies"
    assert package.submodule_search_locations, "botocore is a package"
    folder = f"{package.submodule_search_locations[0]}/data/{service}/{_VERSIONS[service]}"
    with gzip.open(f"{folder}/service-2.json.gz") as file:
        model = json.loads(file.read(), object_hook=_without_documentation)
    shapes = {**model["shapes"], ANYTHING: {"type": "anything"}}
    return {"operations": model["operations"], "shapes": shapes}


def _without_documentation(found: dict[str, Any]) -> dict[str, Any]:
    # Nine tenths of the file are prose. A member may be called documentation too; then it is an object, and stays.
    if isinstance(found.get("documentation"), str):
        del found["documentation"]
    return found


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a value does not have the shape it should have.

    Attributes:
        path: members and indexes that lead from the whole value to the faulty one.
        message: what is wrong, in the words of the service where they are known (semantics 09 §9.2).
        hint: what to do; empty when there is nothing to add.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str = ""


def validate(operation: str, value: Json, direction: Literal["request", "response"]) -> list[str]:
    """List where `value` differs from what the SageMaker operation takes or gives: ``path: message``; moments may be text."""
    whole = request_shape(operation) if direction == "request" else response_shape(operation)
    return [
        f"{'.'.join(map(str, fault.path))}: {fault.message}{fault.hint and f' ({fault.hint})'}"
        for fault in faults(whole, value)
    ]


def _never(_: Json) -> bool:
    return False


def faults(
    expected: Shape,
    value: Json,
    path: tuple[str | int, ...] = (),
    *,
    stands_in: Callable[[Json], bool] = _never,
) -> Iterator[Fault]:
    """Yield every fault of `value` and the values inside it; one for which `stands_in` holds may be anything but a list."""
    if stands_in(value) and expected.type != "list":
        return
    match expected.type:
        case "structure":
            yield from _structure_faults(expected, value, path, stands_in)
        case "list":
            yield from _list_faults(expected, value, path, stands_in)
        case "map":
            yield from _map_faults(expected, value, path, stands_in)
        case "anything":
            return
        case _:
            yield from _scalar_faults(expected, value, path)


_Path = tuple[str | int, ...]
_StandsIn = Callable[[Json], bool]


def _structure_faults(expected: Shape, value: Json, path: _Path, stands_in: _StandsIn) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(path, "Expecting start of Json Object.", _got(value))
        return
    for name in expected.required:
        if value.get(name) is None:
            yield Fault((*path, name), f"Model Validation failed: '{name}' is required.")
    for name, item in value.items():
        if name not in expected.members:
            yield Fault(
                (*path, name), f"Unknown Argument member '{name}'.", _whereabouts(expected, name, value)
            )
        elif item is not None:
            yield from faults(expected.member(name), item, (*path, name), stands_in=stands_in)


def _whereabouts(expected: Shape, name: str, value: Mapping[str, Json]) -> str:
    home = next((outer for outer in expected.members if name in expected.member(outer).members), "")
    free = [known for known in expected.members if known not in value]
    return (home and f"it belongs into {home}") or _meant(name, free) or f"known: {listed(free)}"


def _list_faults(expected: Shape, value: Json, path: _Path, stands_in: _StandsIn) -> Iterator[Fault]:
    if not isinstance(value, list | tuple):
        hint = (
            "the list itself cannot be an expression, its elements can" if stands_in(value) else _got(value)
        )
        yield Fault(path, "Expecting start of Json Array.", hint)
        return
    yield from _size_faults(expected, len(value), "length", path)
    element = expected.element
    for index, item in enumerate(value):
        yield from faults(element, item, (*path, index), stands_in=stands_in)


def _map_faults(expected: Shape, value: Json, path: _Path, stands_in: _StandsIn) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(path, "Expecting start of Json Object.", _got(value))
        return
    yield from _size_faults(expected, len(value), "length", path)
    element = expected.element
    for name, item in value.items():
        yield from faults(element, item, (*path, name), stands_in=stands_in)


def _scalar_faults(expected: Shape, value: Json, path: _Path) -> Iterator[Fault]:
    wanted, types = _SCALARS[expected.type]
    # To Python a boolean is an integer, to JSON it is not.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        message = f"Model Validation failed: '{expected.name}' must be {wanted}."
        yield Fault(path, message, _got(value))
    elif isinstance(value, str):
        yield from _text_faults(expected, value, path)
    elif isinstance(value, int | float):
        yield from _size_faults(expected, value, "value", path)


_SCALARS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a string", (str,)),
    "integer": ("an integer", (int,)),
    "long": ("an integer", (int,)),
    "float": ("a number", (int, float)),
    "double": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "timestamp": ("a moment", (str, int, float)),
}


def _text_faults(expected: Shape, value: str, path: _Path) -> Iterator[Fault]:
    choices = expected.traits.get("enum")
    if choices and value not in choices:
        message = (
            f"Model Validation failed: Value '{_shortened(value)}' for '{expected.name}' "
            f"failed to satisfy enum value set: [{listed(choices)}]"
        )
        yield Fault(path, message, _meant(value, choices))
    yield from _size_faults(expected, len(value), "length", path)
    pattern = expected.traits.get("pattern")
    if pattern and not _matches(pattern, value):
        yield _constraint(
            expected, f"'{_shortened(value)}'", f"satisfy regular expression pattern: {pattern}", path
        )


def _size_faults(expected: Shape, size: float, measure: str, path: _Path) -> Iterator[Fault]:
    lowest, highest = expected.traits.get("min"), expected.traits.get("max")
    if lowest is not None and size < lowest:
        yield _constraint(
            expected, f"of {measure} {size:g}", f"have {measure} greater than or equal to {lowest}", path
        )
    if highest is not None and size > highest:
        yield _constraint(
            expected, f"of {measure} {size:g}", f"have {measure} less than or equal to {highest}", path
        )


def _constraint(expected: Shape, value: str, constraint: str, path: _Path) -> Fault:
    message = f"Value {value} for '{expected.name}' failed to satisfy constraint: Member must {constraint}"
    return Fault(path, f"Model Validation failed: {message}")


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        # Some patterns use what only Java knows, \p{L} for instance; what cannot be checked is allowed.
        return None


def _meant(name: str, known: Collection[str]) -> str:
    close = nearest(name, known)
    return close and f"did you mean {close}?"


def _got(value: Json) -> str:
    return f"got {_shortened(json.dumps(value, ensure_ascii=False, default=str))}"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
