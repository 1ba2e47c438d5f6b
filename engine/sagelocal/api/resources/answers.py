"""Records of the catalog as answers have them: cut to the shape of an operation, moments as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sagelocal.api.fitting import fitted
from sagelocal.api.pages import seconds
from sagelocal.shapes import Shape, response_shape, shape
from sagelocal.values import Json, JsonObject


def described(operation: str, record: JsonObject) -> JsonObject:
    """What an operation says about a record."""
    return _answer(response_shape(operation), record)


def shaped(name: str, record: JsonObject) -> JsonObject:
    """A record as a member of that shape, ``TrainingJobSummary`` say, has it."""
    return _answer(shape(name), record)


def moment(value: Json) -> float:
    """A record's moment in seconds since the epoch, however it is written; 0 for none."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return float(value) if isinstance(value, int | float) else 0.0


def _answer(expected: Shape, record: JsonObject) -> JsonObject:
    answer = _numbers(expected, fitted(expected, record))
    assert isinstance(answer, Mapping)
    return answer


def _numbers(expected: Shape, value: Json) -> Json:
    """The value with its moments as numbers, as not every client reads texts."""
    match expected.type:
        case "timestamp":
            return seconds(moment(value))
        case "structure" if isinstance(value, Mapping):
            return {name: _numbers(expected.member(name), each) for name, each in value.items()}
        case "list" if isinstance(value, list):
            return [_numbers(expected.element, each) for each in value]
        case "map" if isinstance(value, Mapping):
            return {name: _numbers(expected.element, each) for name, each in value.items()}
    return value
