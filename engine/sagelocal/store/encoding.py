"""Events as JSON text, to and fro."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sagelocal.events import (
    Begun,
    Event,
    Fetched,
    Finished,
    ParallelismChanged,
    Resumed,
    RetryDue,
    RetryRequested,
    Started,
    StopRequested,
)
from sagelocal.jobs import Failed, Outcome, Stopped, Succeeded
from sagelocal.values import ObjectText

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(event: Event) -> tuple[str, str]:
    """The event's kind and the JSON text of the rest, its moment left out."""
    return type(event).__name__, _dumps(_body(event))


def decode(kind: str, at: float, body: str) -> Event:
    """The event that `encode` took apart.

    Raises:
        KeyError: the kind is unknown: the journal is from another version, or damaged.
    """
    return _DECODERS[kind](at, json.loads(body))


def _body(event: Event) -> dict[str, Any]:
    match event:
        case Started(step) | RetryDue(step):
            return {"step": step}
        case Fetched(step, file):
            return {"step": step, "file": _file(file)}
        case Finished(step, outcome):
            return {"step": step, "outcome": _outcome(outcome)}
        case ParallelismChanged(max_parallel):
            return {"max_parallel": max_parallel}
        case Begun() | Resumed() | RetryRequested() | StopRequested():
            return {}


def _file(file: ObjectText) -> dict[str, Any]:
    return {"uri": file.uri, "text": file.text, "fault": file.fault}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Succeeded(properties, files):
            return {
                "kind": "Succeeded",
                "properties": properties,
                "files": {name: _file(file) for name, file in files.items()},
            }
        case Failed(reason, error, properties):
            return {"kind": "Failed", "reason": reason, "error": error, "properties": properties}
        case Stopped(properties):
            return {"kind": "Stopped", "properties": properties}


def _read_outcome(body: dict[str, Any]) -> Outcome:
    match body:
        case {"kind": "Succeeded", "properties": properties, "files": files}:
            return Succeeded(properties, {name: ObjectText(**file) for name, file in files.items()})
        case {"kind": "Failed", "reason": reason, "error": error, "properties": properties}:
            return Failed(reason, error, properties)
        case {"kind": "Stopped", "properties": properties}:
            return Stopped(properties)
    raise KeyError(str(body.get("kind")))


_DECODERS: Mapping[str, Callable[[float, dict[str, Any]], Event]] = {
    "Begun": lambda at, _body: Begun(at),
    "Resumed": lambda at, _body: Resumed(at),
    "RetryRequested": lambda at, _body: RetryRequested(at),
    "StopRequested": lambda at, _body: StopRequested(at),
    "ParallelismChanged": lambda at, body: ParallelismChanged(body["max_parallel"], at),
    "RetryDue": lambda at, body: RetryDue(body["step"], at),
    "Started": lambda at, body: Started(body["step"], at),
    "Fetched": lambda at, body: Fetched(body["step"], ObjectText(**body["file"]), at),
    "Finished": lambda at, body: Finished(body["step"], _read_outcome(body["outcome"]), at),
}
