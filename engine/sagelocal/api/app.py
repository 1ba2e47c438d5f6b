"""SageMaker's HTTP interface: AWS JSON 1.1 over one table of operations."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Final
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sagelocal.api.faults import ApiError, described, is_bug
from sagelocal.api.operations import OPERATIONS, OURS
from sagelocal.api.requests import parsed, read
from sagelocal.engine import Engine
from sagelocal.nearest import did_you_mean
from sagelocal.shapes import operations
from sagelocal.values import JsonObject

_LOG = logging.getLogger(__name__)
_MEDIA_TYPE: Final = "application/x-amz-json-1.1"
_JSON: Final = frozenset({_MEDIA_TYPE, "application/x-amz-json-1.0", "application/json", ""})
_MODELLED: Final = frozenset(
    {"ConflictException", "ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"}
)
"""Errors with a shape of their own, whose text is called Message."""
_LARGEST: Final = (
    16 << 20
)  # bytes of a body; a pipeline definition may have 1 MiB characters, and each may be escaped as twelve


class App:
    """Answers the SageMaker API for one engine, an ASGI app."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        identity = str(uuid4())
        try:
            response = _response(200, await self._answer(request), identity)
        except ClientDisconnect:
            return
        except Exception as error:  # the last place where a client can be told
            if is_bug(error):
                _LOG.exception("%s failed; request %s", _target(request), identity)
            response = _refusal(error, identity)
        await response(scope, receive, send)

    async def _answer(self, request: HttpRequest) -> JsonObject:
        body = await _body(request)
        _refuse_other_protocols(request)
        service, _, operation = _target(request).rpartition(".")
        if service == "Sagelocal" and operation in OURS:
            answer = OURS[operation](self._engine, parsed(body))
        elif service.casefold() == "sagemaker" and operation in OPERATIONS:
            answer = OPERATIONS[operation](self._engine, read(operation, body))
        else:
            raise ApiError("UnknownOperationException", _unknown(operation))
        return await answer if inspect.isawaitable(answer) else answer


def _target(request: HttpRequest) -> str:
    return request.headers.get("x-amz-target", "")


def _refuse_other_protocols(request: HttpRequest) -> None:
    if request.method != "POST":
        message = f"sagemaker: {request.method} is no way to call an operation: POST it, with X-Amz-Target."
        raise ApiError("UnknownOperationException", message, 405)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _JSON:
        message = f"sagemaker: a body of type {media_type} cannot be read: send {_MEDIA_TYPE}."
        raise ApiError("SerializationException", message, 415)


def _unknown(operation: str) -> str:
    if not operation:
        return "sagemaker: the header X-Amz-Target is missing, or names no operation: SageMaker.<operation>"
    if operation in operations():
        return f"sagemaker: {operation} is not served yet by sagelocal"
    hint = did_you_mean(operation[:100], operations())
    return f"sagemaker: {operation[:100]} is no operation of SageMaker{hint}"


async def _body(request: HttpRequest) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST:
            raise ApiError("ValidationException", f"The request has more than {_LARGEST} bytes.", 413)
    return b"".join(chunks)


def _refusal(error: Exception, identity: str) -> Response:
    name, text, status = described(error)
    members = {"__type": name, "message": text}
    if name in _MODELLED:
        members["Message"] = text
    response = _response(status, members, identity)
    response.headers["x-amzn-errortype"] = name
    return response


def _response(status: int, answer: JsonObject, identity: str) -> Response:
    return Response(json.dumps(answer), status, {"x-amzn-requestid": identity}, _MEDIA_TYPE)
