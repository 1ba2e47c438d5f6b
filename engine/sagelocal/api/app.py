"""SageMaker's HTTP interface: AWS JSON 1.1 over one table of operations."""

from __future__ import annotations

import json
from typing import Final
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sagelocal.api.faults import ApiError, described
from sagelocal.api.operations import OPERATIONS, OURS
from sagelocal.api.requests import read
from sagelocal.engine import Engine
from sagelocal.nearest import did_you_mean
from sagelocal.values import JsonObject

_MEDIA_TYPE: Final = "application/x-amz-json-1.1"
_LARGEST: Final = (
    4 << 20
)  # bytes of a body; a pipeline definition may have 1 MiB, and each byte may be escaped


class App:
    """Answers the SageMaker API for one engine, an ASGI app."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        try:
            response = _response(200, self._answer(_target(request), await _body(request)))
        except ClientDisconnect:
            return
        except Exception as error:  # the last place where a client can be told
            name, text, status = described(error)
            response = _response(status, {"__type": name, "message": text})
        await response(scope, receive, send)

    def _answer(self, target: str, body: bytes) -> JsonObject:
        service, _, operation = target.rpartition(".")
        if service == "Sagelocal" and operation in OURS:
            return OURS[operation](self._engine, json.loads(body or b"{}"))
        if operation not in OPERATIONS:
            hint = did_you_mean(operation, OPERATIONS)
            message = f"sagemaker: {operation or 'a request without X-Amz-Target'} is not served yet by sagelocal{hint}"
            raise ApiError("UnknownOperationException", message)
        return OPERATIONS[operation](self._engine, read(operation, body))


def _target(request: HttpRequest) -> str:
    return request.headers.get("x-amz-target", "")


async def _body(request: HttpRequest) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST:
            raise ApiError("ValidationException", f"The request has more than {_LARGEST} bytes.")
    return b"".join(chunks)


def _response(status: int, answer: JsonObject) -> Response:
    headers = {"x-amzn-requestid": str(uuid4())}
    return Response(json.dumps(answer), status, headers, _MEDIA_TYPE)
