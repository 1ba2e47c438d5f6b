"""AWS JSON 1.1: the operation in a header, JSON in, JSON out."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sagelocal.cloud.protocols.json_bodies import parsed
from sagelocal.cloud.protocols.requests import access_key_of, body_of, responding
from sagelocal.cloud.protocols.service import RefusedError, Service

_MEDIA_TYPE: Final = "application/x-amz-json-1.1"


def json_app(service: Service) -> ASGIApp:
    """The service at any path, as ``X-Amz-Target: <prefix>.<operation>`` says."""
    return responding(lambda request: _respond(request, service))


async def _respond(request: Request, service: Service) -> Response:
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        given = parsed(await body_of(request))
        found = await service.answer(operation, given, access_key_of(request.headers))
    except RefusedError as refusal:
        return _response(refusal.status, {"__type": refusal.code, "message": str(refusal)})
    return _response(200, found)


def _response(status: int, content: Any) -> Response:
    headers = {"x-amzn-requestid": str(uuid4())}
    return Response(json.dumps(content), status, headers, _MEDIA_TYPE)
