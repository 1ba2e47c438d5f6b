"""The AWS services on one local HTTP port, for code in jobs.

Which service a request is for stands in the scope of its signature; the signature itself is not checked. What is checked
is the Host header, and the Origin header when there is one, so that no web page can reach the services through the
browser of whoever runs us (DNS rebinding, cross-site requests).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from sagelocal.cloud.others import OTHERS, can_play, way_out
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sagelocal.cloud.server import Listener

_LOOPBACK = "127.0.0.1"
_LOCAL = frozenset({_LOOPBACK, "localhost", "::1", "host.docker.internal"})
_PEEK = 64 << 10  # bytes of a form's body in which the name of its operation is looked for
_UNSIGNED = "s3"  # the one service with anonymous requests
_RUNTIME = "runtime.sagemaker"  # signed for SageMaker as well
_HARMLESS = frozenset({("s3", "GET"), ("s3", "HEAD")})
"""What a link or an image on any web page may ask for: it changes nothing, and the page cannot read it."""
_INVOCATION = re.compile(r"/endpoints/[^/]+/invocations")


class Endpoint:
    """Serves S3, with further services by name in the signature's scope, while entered.

    Args:
        store: what S3 serves.
        services: further services (or another S3): signing name, as ``sagemaker``, to ASGI app; `OTHERS` names the one that
            plays what nobody else serves.
        port: of 127.0.0.1; 0 picks a free one.

    Raises:
        UsageError: on entering, when the port is taken.
    """

    def __init__(
        self, store: ObjectStore, services: Mapping[str, ASGIApp] | None = None, *, port: int = 0
    ) -> None:
        self._store = store
        self._services = dict(services or {})
        self._port = port
        self._listeners: dict[str, Listener] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # Imported here: starlette and uvicorn cost a quarter of a second that commands without an endpoint need not pay.
        from sagelocal.cloud.s3_http import s3_app  # noqa: PLC0415 - start-up time

        self._services.setdefault("s3", s3_app(self._store))
        await self._listen(_LOOPBACK, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self._listeners.clear()

    @property
    def url(self) -> str:
        """Where this machine's own programs find the services."""
        return self._url(_LOOPBACK)

    async def listen_on(self, address: str) -> str:
        """Also listen on another address of this machine (the gateway of a Docker network), once; returns its URL.

        The port is the same where it is free there.

        Raises:
            MachineError: it is no address of this machine.
        """
        async with self._opening:
            if address not in self._listeners:
                try:
                    await self._listen(address, self._listeners[_LOOPBACK].port)
                except UsageError:
                    await self._listen(address, 0)
        return self._url(address)

    async def _listen(self, address: str, port: int) -> None:
        from sagelocal.cloud.last_resort import guarded  # noqa: PLC0415 - start-up time
        from sagelocal.cloud.server import Listener  # noqa: PLC0415 - start-up time

        listener = Listener(guarded(self._route), address, port)
        await listener.open()
        self._stack.push_async_callback(listener.close)
        self._listeners[address] = listener

    def _url(self, address: str) -> str:
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self._listeners[address].port}"

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if "expect" in headers:
            receive, send = _honest(receive, send)
        if stranger := self._stranger(headers):
            await _send(send, 403, *_xml("AccessDenied", stranger))
            return
        service = self._service(scope, headers)
        if _is_foreign(headers) and (service, scope["method"]) not in _HARMLESS:
            await _send(
                send, 403, *_xml("AccessDenied", "web pages from elsewhere may not use this endpoint")
            )
            return
        app = self._services.get(service)
        if app is None and OTHERS in self._services and can_play(service):
            app = self._services[OTHERS]
        if app is None:
            await _send(send, 501, *await _not_served(service, headers, scope, receive))
        else:
            await app(scope, receive, send)

    def _service(self, scope: Scope, headers: Mapping[str, str]) -> str:
        service = signed_for(headers, scope["query_string"].decode("latin-1"))
        invokes = scope["method"] == "POST" and _INVOCATION.fullmatch(scope["path"])
        # Programs in containers that have no SDK do not sign.
        unsigned = "authorization" not in headers and not scope["query_string"]
        ours = _RUNTIME in self._services and (unsigned or service == "sagemaker")
        return _RUNTIME if invokes and ours else service

    def _stranger(self, headers: Mapping[str, str]) -> str:
        """Why the request must not be served; empty when it may."""
        host = _host("//" + headers.get("host", ""))
        if not self._is_local(host):
            return (
                f"the Host header says {host or 'nothing'}, which is no name of this machine: use {self.url}"
            )
        if "origin" in headers and not self._is_local(_host(headers["origin"])):
            return f"web pages of {headers['origin']} may not use this endpoint"
        return ""

    def _is_local(self, host: str) -> bool:
        return host in _LOCAL or host in self._listeners or host.endswith(".localhost")


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site's page made it ask: it sends no Origin with an image or a link."""
    return headers.get("sec-fetch-site") == "cross-site" and "origin" not in headers


def signed_for(headers: Mapping[str, str], query: str) -> str:
    """The service in a request's signature: of version 4 or 4A, in a header or presigned; S3 when unsigned.

    The scope is ``<key id>/<date>[/<region>]/<service>/aws4_request``.
    """
    credential = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0]
    if not credential and "X-Amz-Credential" in query:
        credential = parse_qs(query).get("X-Amz-Credential", [""])[0]
    scope = credential.strip().split("/")
    return scope[-2] if len(scope) >= 4 else _UNSIGNED


def _honest(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Close the connection after an answer for which the body was not asked.

    A client that waits for "100 Continue" then keeps its body, and would send its next request in the body's place.
    """
    asked = False

    async def ask() -> Message:
        nonlocal asked
        asked = True
        return await receive()

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start" and not asked:
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return ask, answer


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def _not_served(
    service: str, headers: Mapping[str, str], scope: Scope, receive: Receive
) -> tuple[bytes, str]:
    """A refusal in the protocol that the client speaks: XML for the query protocol, JSON for all others."""
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    action = await _action(receive) if is_form else ""
    operation = target or action or f"{scope['method']} {scope['path']}"
    message = f"{service}: {operation} is not served yet by sagelocal{way_out(service)}"
    if is_form:
        return _xml("NotImplemented", message)
    return json.dumps({"__type": "NotImplemented", "message": message}).encode(), "application/x-amz-json-1.1"


async def _action(receive: Receive) -> str:
    body, more = b"", True
    while more and len(body) < _PEEK:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    return parse_qs(body.decode("latin-1")).get("Action", [""])[0]


def _xml(code: str, message: str) -> tuple[bytes, str]:
    # S3 reads <Error> at the root, the query protocol inside <ErrorResponse>; SDKs find it in both.
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    text = error if code == "AccessDenied" else f"<ErrorResponse>{error}</ErrorResponse>"
    return text.encode(), "application/xml"


async def _send(send: Send, status: int, body: bytes, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
