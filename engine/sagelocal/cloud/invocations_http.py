"""SageMaker Runtime's HTTP interface."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sagelocal.cloud.inference import InvocationError, ModelEndpoint, Reply

_LARGEST = 100 << 20
"""Bytes of a body: the largest payload of a batch transform; real-time endpoints take less."""
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_VARIANT = "x-Amzn-Invoked-Production-Variant"


class _TooLargeError(Exception):
    """The body has more bytes than we take."""


def invocations_app(endpoints: Mapping[str, ModelEndpoint], account: str) -> ASGIApp:
    """Serves InvokeEndpoint over the endpoints that are in service now; texts name the account."""

    async def invoke(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in endpoints:
            message = f"Endpoint {name} of account {account} not found."
            return _refusal("ValidationError", 400, {"Message": message})
        try:
            return _answer(await _invoke(endpoints[name], request))
        except InvocationError as error:
            return _model_error(error)
        except _TooLargeError as error:
            return _refusal("ValidationError", 413, {"Message": str(error)})
        except ClientDisconnect:
            return Response()

    return Starlette(routes=[Route("/endpoints/{name}/invocations", invoke, methods=["POST"])])


async def _invoke(endpoint: ModelEndpoint, request: Request) -> Reply:
    body, headers = await _body(request), request.headers
    try:
        return await endpoint.invoke(
            body,
            content_type=headers.get("content-type"),
            accept=headers.get("accept"),
            custom_attributes=headers.get(_ATTRIBUTES),
        )
    except InvocationError:
        raise
    except Exception as error:  # it is raised again where the endpoint was opened
        endpoint.failure = endpoint.failure or error
        raise InvocationError(0, str(error)) from error


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            message = f"The body has more than {_LARGEST} bytes, the most that sagelocal takes."
            raise _TooLargeError(message)
    return bytes(body)


def _answer(reply: Reply) -> Response:
    attributes = {_ATTRIBUTES: reply.custom_attributes} if reply.custom_attributes is not None else {}
    # Given as a header, as Starlette would add a charset to a media type of text.
    kind = {"content-type": reply.content_type} if reply.content_type else {}
    headers = {**kind, **attributes, _VARIANT: "AllTraffic", "x-amzn-requestid": str(uuid4())}
    return Response(reply.body, headers=headers)


def _model_error(error: InvocationError) -> Response:
    """424: the model's fault, in the words of the API."""
    side = "client" if 400 <= error.status < 500 else "server"
    container = error.container or "the model"
    message = f'Received {side} error ({error.status}) from {container} with message "{error.text}".'
    answer = {
        "ErrorCode": f"{side.upper()}_ERROR_FROM_MODEL",
        "LogStreamArn": "",
        "Message": message,
        "OriginalMessage": error.text,
        "OriginalStatusCode": error.status,
    }
    return _refusal("ModelError", 424, answer)


def _refusal(code: str, status: int, answer: dict[str, object]) -> Response:
    return JSONResponse(answer, status, {"x-amzn-errortype": code, "x-amzn-requestid": str(uuid4())})
