"""How a property is found in a Describe answer (semantics 03 §3.5)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sagelocal.errors import ExpressionError
from sagelocal.kinds import with_article
from sagelocal.nearest import did_you_mean, listed
from sagelocal.references import Reference, spell
from sagelocal.values import Json, JsonObject

# By which member an item of a Describe answer's list is addressed as though the list were a map: Outputs['train'].
# The SDK's local mode knows the first two, its documentation the next two; the others follow from the API's shapes.
NATURAL_KEYS: Final = (
    "OutputName",
    "InputName",
    "ChannelName",
    "MetricName",
    "VariantName",
    "ContainerHostname",
    "CollectionName",
    "RuleConfigurationName",
    "DefinitionName",
    "TrainingJobName",
    "CandidateName",
    "Name",
    "Key",
)
_JSON_DOCUMENTS: Final = {"JobConfigDocument"}
"""Members that hold JSON as text; read when a reference goes below them (semantics 04)."""


def descend(value: Json, path: tuple[str | int, ...], reference: Reference) -> Json:
    """Look the path up below the value.

    A member or key goes into an object, or into a list whose items are named by one of `NATURAL_KEYS`; an index goes
    into a list only. `reference` is what errors name.

    Raises:
        ExpressionError: nothing is there, or null; says what is missing and what is there instead.
    """
    for depth, segment in enumerate(path):
        value = _opened(value, path[:depth]) if isinstance(value, str) else value
        try:
            value = _below(value, segment)
        except LookupError:
            raise ExpressionError(_undefined(reference, depth, absent(value, segment))) from None
    if value is None and path:
        raise ExpressionError(f"{reference.text} is undefined: its value is null")
    return value


def _undefined(reference: Reference, depth: int, why: str) -> str:
    where = spell((reference.namespace, reference.name, *reference.path[:depth]))
    return f"{reference.text} is undefined: {where} {why}"


def _opened(text: str, path: tuple[str | int, ...]) -> Json:
    """Read a member that holds a JSON document; text that is none stays text, which has no members."""
    if not path or path[-1] not in _JSON_DOCUMENTS:
        return text
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return document


def _below(value: Json, segment: str | int) -> Json:
    if isinstance(value, Mapping) and isinstance(segment, str):
        return value[segment]
    if isinstance(value, (list, tuple)):
        items: Sequence[Json] = value
        return items[segment] if isinstance(segment, int) else _named(items)[segment]
    raise LookupError(segment)


def _named(items: Sequence[Json]) -> JsonObject:
    """Turn a list whose items have a natural key into a map; of two of one name the first counts."""
    named: dict[str, Json] = {}
    for item in items:
        name = _natural_key(item)
        if name is not None:
            named.setdefault(name, item)
    return named


def _natural_key(item: Json) -> str | None:
    if not isinstance(item, Mapping):
        return None
    name = next((item[key] for key in NATURAL_KEYS if key in item), None)
    return name if isinstance(name, str) else None


def absent(value: Json, segment: str | int) -> str:
    """Say, to follow the name of `value`, why the segment is not in it: what it has instead, the nearest name."""
    match value:
        case list() | tuple() if isinstance(segment, int):
            return f"has {len(value)} item{'s' * (len(value) != 1)}, so there is no [{segment}]"
        case list() | tuple():
            names = _named(value)
            return (
                _no_such(segment, names)
                if names
                else "is a List of items without names: write [0] for the first"
            )
        case Mapping():
            return _no_such(segment, value)
        case _:
            return f"is {with_article(value)}, so nothing is below it"


def _no_such(segment: str | int, names: Iterable[str]) -> str:
    wanted = f"[{segment}]" if isinstance(segment, int) else segment
    return f"has no {wanted}{did_you_mean(wanted, names)}; it has {listed(names)}"
