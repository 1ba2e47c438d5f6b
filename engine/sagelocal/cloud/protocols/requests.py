"""What all protocols read alike from a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sagelocal.cloud.protocols.service import RefusedError

_LARGEST: Final = 4 << 20  # bytes of a body; the largest that AWS takes here are a batch of events, 1 MiB


def responding(respond: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """An app that answers with what `respond` makes of a request, and nothing once the client has gone."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await respond(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    return answer


async def body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        RefusedError: it is longer than any that the services take.
        ClientDisconnect: the client went.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise RefusedError("RequestEntityTooLarge", f"The request has more than {_LARGEST} bytes.", 413)
    return bytes(body)


def access_key_of(headers: Mapping[str, str]) -> str:
    """The key id in a request's signature; empty when it is not signed."""
    credential = headers.get("authorization", "").partition("Credential=")[2]
    return credential.partition("/")[0].strip()
