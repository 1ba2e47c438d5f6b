"""Lambda's Runtime API for one process, through which it gets invocations and gives answers."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sagelocal.cloud.functions import Invoked

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

LONGEST_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes, as Lambda has it: 6 MB, and a little for the envelope."""
_VERSION = "/2018-06-01/runtime"
_ANSWER = re.compile(rf"{_VERSION}/invocation/(?P<id>[^/]+)/(?P<kind>response|error)")
_OK = b'{"status":"OK"}'


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the process is asked to do; `deadline` is in seconds since the epoch."""

    id: str
    arn: str
    payload: bytes
    deadline: float

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "lambda-runtime-aws-request-id": self.id,
            "lambda-runtime-deadline-ms": str(int(self.deadline * 1000)),
            "lambda-runtime-invoked-function-arn": self.arn,
            "lambda-runtime-trace-id": f"Root=1-{int(self.deadline):08x}-{self.id.replace('-', '')[:24]};Sampled=0",
        }


class RuntimeApi:
    """An ASGI app; `invoke` hands an invocation to the process that asks it for the next one."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the process has asked for its first invocation: its code is loaded."""
        self.init_error: bytes = b""
        """The error object of code that could not be loaded; empty when there was none."""
        self._given: asyncio.Queue[Invocation | None] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[Invoked]] = {}

    def invoke(self, invocation: Invocation) -> asyncio.Future[Invoked]:
        """The answer to come; never done when the process dies."""
        answer: asyncio.Future[Invoked] = asyncio.get_running_loop().create_future()
        self._answers = {invocation.id: answer}
        self._given.put_nowait(invocation)
        return answer

    def close(self) -> None:
        """Let a process that waits for its next invocation go."""
        self._given.put_nowait(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if method == "GET" and path == f"{_VERSION}/invocation/next":
            await self._next(send)
        elif method == "POST" and path == f"{_VERSION}/init/error":
            self.init_error = await _body(receive) or b"{}"
            await _send(send, 202, _OK)
        elif method == "POST" and (match := _ANSWER.fullmatch(path)):
            await self._answer(match["id"], match["kind"] == "error", receive, send)
        else:
            await _refuse(send, 404, "InvalidPath", f"{method} {path} is not part of the Runtime API")

    async def _next(self, send: Send) -> None:
        if not self.ready.done():
            self.ready.set_result(None)
        invocation = await self._given.get()
        if invocation is None:
            await _refuse(send, 410, "Gone", "This process is no longer needed")
        else:
            await _send(send, 200, invocation.payload, invocation.headers)

    async def _answer(self, identity: str, failed: bool, receive: Receive, send: Send) -> None:
        payload = await _body(receive)
        answer = self._answers.pop(identity, None)
        if answer is None or answer.done():
            await _refuse(send, 400, "InvalidRequestID", "Invalid request ID")
        elif payload is None:
            answer.set_result(Invoked(_too_large(identity), failed=True))
            await _refuse(send, 413, "Function.ResponseSizeTooLarge", "The response is too large")
        else:
            answer.set_result(Invoked(payload, failed))
            await _send(send, 202, _OK)


def error_object(kind: str, message: str, identity: str) -> bytes:
    """An error as Lambda answers when it is not the function's own code that reports it."""
    return json.dumps({"errorType": kind, "errorMessage": f"RequestId: {identity} Error: {message}"}).encode()


def _too_large(identity: str) -> bytes:
    message = f"Response payload size exceeded maximum allowed payload size ({LONGEST_RESPONSE} bytes)."
    return error_object("Function.ResponseSizeTooLarge", message, identity)


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None when it is too large, which is noticed without keeping it."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        part = event.get("body", b"")
        size += len(part)
        if size <= LONGEST_RESPONSE:
            parts.append(part)
        more = event.get("more_body", False)
    return b"".join(parts) if size <= LONGEST_RESPONSE else None


async def _refuse(send: Send, status: int, kind: str, message: str) -> None:
    await _send(send, status, json.dumps({"errorType": kind, "errorMessage": message}).encode())


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    every: dict[str, Any] = {
        "content-type": "application/json",
        **(headers or {}),
        "content-length": len(body),
    }
    listed = [(name.encode(), str(value).encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body})
