"""REST JSON: the operation in method and path, its members in path, query and body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sagelocal.cloud.protocols.json_bodies import parsed
from sagelocal.cloud.protocols.requests import access_key_of, body_of, responding
from sagelocal.cloud.protocols.service import RefusedError, Service, input_shape
from sagelocal.shapes import Shape, operation_traits, operations

_NO_BODY: Final = ("GET", "DELETE")


def rest_app(service: Service) -> ASGIApp:
    """The service at the paths of its model."""
    return responding(lambda request: _respond(request, service))


async def _respond(request: Request, service: Service) -> Response:
    headers = {"x-amzn-requestid": str(uuid4())}
    try:
        operation, placed = _operation(request, service)
        given = await _given(request, input_shape(service.model, operation), placed)
        found = await service.answer(operation, given, access_key_of(request.headers))
    except RefusedError as refusal:
        content, headers = {"Message": str(refusal)}, {**headers, "x-amzn-errortype": refusal.code}
        return Response(json.dumps(content), refusal.status, headers, "application/json")
    return Response(json.dumps(found), 200, headers, "application/json")


def _operation(request: Request, service: Service) -> tuple[str, Mapping[str, str]]:
    """The operation of the request, with what its path says."""
    path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0] or request.url.path
    for name, method, pattern in _routes(service.model):
        match = pattern.fullmatch(path)
        if match and method == request.method:
            return name, {member: unquote(text) for member, text in match.groupdict().items()}
    message = f"{service.model} has no operation {request.method} {request.url.path}"
    raise RefusedError(service.unknown, message, 404)


@lru_cache
def _routes(model: str) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Of every operation its name, its method and the paths that lead to it."""
    found = []
    for name in operations(model):
        http = operation_traits(name, model)["http"]
        path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
        found.append((name, http["method"], re.compile(f"{path}/?")))
    return tuple(found)


async def _given(request: Request, shape: Shape, placed: Mapping[str, str]) -> dict[str, Any]:
    body = await body_of(request)
    content = {} if request.method in _NO_BODY else parsed(body)
    if not isinstance(content, dict):
        raise RefusedError("SerializationException", "The request must be a JSON object.")
    return {**content, **dict(_from_url(request, shape, placed))}


def _from_url(request: Request, shape: Shape, placed: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, traits in shape.members.items():
        key = traits.get("locationName", name)
        if traits.get("location") == "uri" and key in placed:
            yield name, placed[key]
        elif traits.get("location") == "querystring" and key in request.query_params:
            texts = request.query_params.getlist(key)
            kind = shape.member(name).type
            yield name, texts if kind == "list" else _number(texts[0]) if kind == "integer" else texts[0]


def _number(text: str) -> int | str:
    """The number, or the text as it is, which then breaks the model."""
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text
