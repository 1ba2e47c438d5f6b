"""What SQS's operations take and give, by botocore's model."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from sagelocal.cloud.sqs_faults import SqsError, missing
from sagelocal.nearest import did_you_mean

Arguments = Mapping[str, Any]
"""A request or an answer, in the model's member names: texts, whole numbers, bytes, lists and mappings of them."""


def input_shape(operation: str) -> StructureShape:
    """What an operation takes.

    Raises:
        SqsError: SQS has no such operation.
    """
    model = _model()
    if operation not in model.operation_names:
        hint = did_you_mean(operation, model.operation_names)
        message = f"The action {operation or '(none)'} is not valid for this endpoint.{hint}"
        raise SqsError("UnknownOperationException", message)
    shape = model.operation_model(operation).input_shape
    assert shape is not None  # every operation of SQS takes something
    return shape


def output_shape(operation: str) -> StructureShape | None:
    """What an operation gives; None when that is nothing."""
    return _model().operation_model(operation).output_shape


def accepted(shape: Shape, value: Any, name: str = "") -> Any:
    """The value as the shape says: numbers read, bytes decoded, members that the shape has not left out.

    Raises:
        SqsError: something is missing, or of another type.
    """
    match shape:
        case StructureShape():
            return _structure(shape, _of(dict, value, name), name)
        case ListShape():
            return [accepted(shape.member, each, name) for each in _of(list, value, name)]
        case MapShape():
            entries = _of(dict, value, name).items()
            return {
                _of(str, key, name): accepted(shape.value, each, f"{name}.{key}") for key, each in entries
            }
    if shape.type_name in {"integer", "long"}:
        return _whole(value, name)
    if shape.type_name == "blob":
        return _blob(value, name)
    return _of(str, value, name)


def _structure(shape: StructureShape, value: dict[str, Any], name: str) -> dict[str, Any]:
    for member in shape.required_members:
        if value.get(member) is None:
            raise missing(f"{name}.{member}".lstrip("."))
    return {
        member: accepted(inner, value[member], f"{name}.{member}".lstrip("."))
        for member, inner in shape.members.items()
        if value.get(member) is not None
    }


_KINDS: Final[Mapping[type, str]] = {dict: "a mapping", list: "a list", str: "a text"}


def _of(kind: type, value: Any, name: str) -> Any:
    if not isinstance(value, kind):
        raise _malformed(name, value, _KINDS[kind])
    return value


def _whole(value: Any, name: str) -> int:
    # The query protocol has texts only.
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise _malformed(name, value, "a whole number")


def _blob(value: Any, name: str) -> bytes:
    try:
        return base64.b64decode(_of(str, value, name), validate=True)
    except binascii.Error:
        raise _malformed(name, value, "base64") from None


def _malformed(name: str, value: Any, wanted: str) -> SqsError:
    message = f"{name or 'The request'} must be {wanted}, and is {str(value)[:80]!r}."
    return SqsError("SerializationException", message)


@lru_cache(maxsize=1)
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("sqs", "service-2"), "sqs")
