"""Services that are not ours, played by moto where it is installed.

moto keeps what it is told in the memory of this process, apart from our state folder: it is gone when the process ends. It
knows the account of the settings, nothing of what we serve, and executes next to nothing: good enough for a secret, a
parameter, a table or a key that a script reads in passing.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from sagelocal.errors import MachineError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

OURS = frozenset(
    {
        "ecr",
        "events",
        "iam",
        "lambda",
        "logs",
        "runtime.sagemaker",
        "s3",
        "sagemaker",
        "scheduler",
        "sqs",
        "sts",
    }
)
"""Signing names that moto is never asked for, whether or not they are served just now."""
OTHERS = "*"
"""The name, among an endpoint's services, of the one that plays what nobody else serves."""
_MODULE = "moto"
_LARGEST = 64 << 20  # bytes of a body, which moto holds in memory

_Wsgi = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]


def can_play(service: str) -> bool:
    """Whether moto may be asked for a service: it is installed, and the service is neither ours nor about SageMaker."""
    return _might(service) and find_spec(_MODULE) is not None


def way_out(service: str) -> str:
    """What to do about a service that is not served, as the end of a sentence; empty when there is nothing."""
    if not _might(service):
        return ""
    return (
        ": pip install 'sagelocal[moto]' and moto plays it in this process, or name another endpoint for it to your "
        "program (AWS_ENDPOINT_URL_<SERVICE>)"
    )


def _might(service: str) -> bool:
    return service not in OURS and "sagemaker" not in service


class Moto:
    """moto's server inside this process, as an app; loaded at the first request (a second), which waits for it.

    Args:
        account: of the settings; moto would say 123456789012.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._loaded: asyncio.Task[_Wsgi] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        if self._loaded is None:
            self._loaded = asyncio.create_task(asyncio.to_thread(_load))
        try:
            app = await asyncio.shield(self._loaded)
            environ = _environ(scope, body, self._account)
            status, headers, content = await asyncio.to_thread(_ask, app, environ)
        except Exception as error:  # whatever moto stumbles over, the client is told
            told = json.dumps(
                {"__type": "InternalFailure", "message": f"moto: {type(error).__name__}: {error}"}
            )
            status, headers, content = 500, [(b"content-type", b"application/json")], told.encode()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _load() -> _Wsgi:
    try:
        server = importlib.import_module("moto.moto_server.werkzeug_app")
    except ImportError as error:
        message = f"moto cannot be loaded: {error}: pip install 'sagelocal[moto]'"
        raise MachineError(message) from None
    app: _Wsgi = server.DomainDispatcherApplication(server.create_backend_app)
    return app


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the client went."""
    body, more = bytearray(), True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        if len(body) <= _LARGEST:
            body += event.get("body", b"")
        more = event.get("more_body", False)
    return bytes(body[:_LARGEST])


def _environ(scope: Scope, body: bytes, account: str) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333)."""
    server, port = scope.get("server") or ("127.0.0.1", 80)
    path = unquote_to_bytes(scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in _headers(scope).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return {**environ, "CONTENT_LENGTH": str(len(body)), "HTTP_X_MOTO_ACCOUNT_ID": account}


def _headers(scope: Scope) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _ask(app: _Wsgi, environ: dict[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        del exc_info
        started.append((status, headers))

    answer = app(environ, start_response)
    try:
        content = b"".join(answer)
    finally:
        getattr(answer, "close", lambda: None)()
    status, headers = started[-1]
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return int(status.split(" ")[0]), encoded, content
