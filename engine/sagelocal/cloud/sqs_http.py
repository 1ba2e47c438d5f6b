"""SQS's HTTP interface over the queues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sagelocal.cloud import sqs_json, sqs_query
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_faults import SqsError
from sagelocal.cloud.sqs_operations import OPERATIONS, Call, Operation
from sagelocal.cloud.sqs_shapes import Arguments, accepted, input_shape
from sagelocal.errors import MachineError

_LARGEST = (
    8 << 20
)  # bytes of a body: a full batch, each byte escaped as the JSON (\\u0041) or query (%41) protocol does


class _Dialect(NamedTuple):
    """One of the protocols: reads the operation's name and its raw arguments, writes answers and refusals."""

    operation: Callable[[Request, bytes], str]
    raw: Callable[[Request, bytes, str], Any]
    answer: Callable[[str, Arguments, str], Response]
    refusal: Callable[[SqsError, str], Response]


_JSON = _Dialect(sqs_json.operation, sqs_json.raw, sqs_json.answer, sqs_json.refusal)
_QUERY = _Dialect(sqs_query.operation, sqs_query.raw, sqs_query.answer, sqs_query.refusal)


def sqs_app(queues: Queues) -> ASGIApp:
    """SQS in its JSON protocol and, for older clients, its query protocol; at ``/`` or at a queue's own URL."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        dialect = _JSON if "x-amz-target" in request.headers else _QUERY
        try:
            response = await _respond(request, dialect, queues)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    return answer


async def _respond(request: Request, dialect: _Dialect, queues: Queues) -> Response:
    identity = str(uuid4())
    try:
        body = await _body(request)
        name = dialect.operation(request, body)
        operation = _operation(name)
        arguments = accepted(input_shape(name), dialect.raw(request, body, name))
        call = Call(queues, arguments, f"{request.url.scheme}://{request.url.netloc}")
        result = await _while_connected(request, operation(call))
    except SqsError as fault:
        return dialect.refusal(fault, identity)
    except MachineError as error:
        return dialect.refusal(SqsError("InternalFailure", str(error)), identity)
    return dialect.answer(name, result, identity)


def _operation(name: str) -> Operation:
    input_shape(name)  # raises for what SQS does not have
    if name not in OPERATIONS:
        raise SqsError("UnsupportedOperation", f"SQS's {name} is not served by sagelocal.")
    return OPERATIONS[name]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            message = f"The request is longer than {_LARGEST} bytes."
            raise SqsError("InvalidParameterValueException", message)
    return bytes(body)


async def _while_connected(request: Request, work: Coroutine[Any, Any, Arguments]) -> Arguments:
    """Give up when the client goes.

    A receiver that was killed would otherwise get the next message, which nobody would see for its visibility timeout.

    Raises:
        ClientDisconnect: it went.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
