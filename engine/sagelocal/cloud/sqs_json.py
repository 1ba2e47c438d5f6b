"""SQS's JSON protocol, which boto3 speaks since 1.28.82."""

from __future__ import annotations

import base64
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sagelocal.cloud.protocols.json_bodies import parsed
from sagelocal.cloud.protocols.service import RefusedError
from sagelocal.cloud.sqs_faults import SqsError
from sagelocal.cloud.sqs_shapes import Arguments

_TYPE = "application/x-amz-json-1.0"


def operation(request: Request, body: bytes) -> str:  # noqa: ARG001 - one signature for both protocols
    return request.headers["x-amz-target"].rpartition(".")[2]


def raw(request: Request, body: bytes, name: str) -> Any:  # noqa: ARG001 - ditto
    """The arguments as they were written.

    Raises:
        SqsError: the body is no JSON that could be kept.
    """
    try:
        return parsed(body)
    except RefusedError as error:
        raise SqsError(error.code, str(error)) from None


def answer(name: str, result: Arguments, identity: str) -> Response:  # noqa: ARG001 - ditto
    content = json.dumps(result, default=_text).encode()
    return Response(content, headers={"x-amzn-RequestId": identity}, media_type=_TYPE)


def refusal(fault: SqsError, identity: str) -> Response:
    """The error, with the name that older clients know for it in a header (the model's trait awsQueryCompatible)."""
    content = json.dumps({"__type": fault.type, "message": str(fault)}).encode()
    headers = {
        "x-amzn-RequestId": identity,
        "x-amzn-query-error": f"{fault.code};{'Sender' if fault.by_sender else 'Receiver'}",
    }
    return Response(content, fault.status, headers, _TYPE)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
