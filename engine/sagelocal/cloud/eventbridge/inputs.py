"""What a target is given of an event: all of it, a part, a fixed text, a template filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sagelocal.documents import look_up
from sagelocal.errors import ExpressionError
from sagelocal.values import Json, JsonObject, ObjectText

_PLACEHOLDER = re.compile(r"<([^<>\s]{1,256})>")


class InputError(Exception):
    """An event has not what a target asks for."""


def payload(target: Mapping[str, Any], event: JsonObject, rule: Mapping[str, str]) -> str:
    """The text that a target is given: by its Input, InputPath or InputTransformer, else the whole event as JSON.

    Args:
        target: as PutTargets took it.
        event: in its envelope.
        rule: the placeholders that every template has, as ``aws.events.rule-name``.

    Raises:
        InputError: InputPath finds nothing.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        return _filled(target["InputTransformer"], event, rule)
    return json.dumps(at_path(event, target["InputPath"]) if target.get("InputPath", "$") != "$" else event)


def parameters(target: Mapping[str, Any], event: JsonObject) -> dict[str, str]:
    """The parameters of a pipeline target: fixed texts, or what a JSON path finds in the event (``$.detail.name``).

    Raises:
        InputError: a path finds nothing.
    """
    listed = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
    return {each["Name"]: _parameter(each["Value"], event) for each in listed}


def _parameter(value: str, event: JsonObject) -> str:
    if not value.startswith("$."):
        return value
    found = at_path(event, value)
    return found if isinstance(found, str) else json.dumps(found)


def at_path(event: JsonObject, path: str) -> Json:
    """What a JSON path finds in an event.

    Raises:
        InputError: nothing, or the path is malformed.
    """
    try:
        return look_up(ObjectText("the event", json.dumps(event)), path)
    except ExpressionError as error:
        raise InputError(str(error)) from None


def _filled(transformer: Mapping[str, Any], event: JsonObject, rule: Mapping[str, str]) -> str:
    """The template with its placeholders filled: inside quotes as text, elsewhere as JSON."""
    paths = transformer.get("InputPathsMap") or {}
    template = str(transformer["InputTemplate"])
    found, place = [], 0
    for match in _PLACEHOLDER.finditer(template):
        before = template[place : match.start()]
        found.append(before)
        place = match.end()
        value, known = _variable(match[1], paths, event, rule)
        quoted = _inside_quotes(template[: match.start()])
        found.append(_written(value, quoted=quoted) if known else match[0])
    return "".join([*found, template[place:]])


def _variable(
    name: str, paths: Mapping[str, str], event: JsonObject, rule: Mapping[str, str]
) -> tuple[Json, bool]:
    """What a placeholder stands for, and whether it is one; a path that finds nothing gives null."""
    if name in paths:
        try:
            return at_path(event, paths[name]), True
        except InputError:
            return None, True
    if name in ("aws.events.event", "aws.events.event.json"):
        return event, True
    return rule.get(name), name in rule


def _inside_quotes(text: str) -> bool:
    return len(re.findall(r'(?<!\\)"', text)) % 2 == 1


def _written(value: Json, *, quoted: bool) -> str:
    if not quoted:
        return json.dumps(value)
    if value is None:
        return ""
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
