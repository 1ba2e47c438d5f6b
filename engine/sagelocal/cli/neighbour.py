"""Talks to the engine that another process runs on the same state folder."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sagelocal.cloud.beacon import announced
from sagelocal.errors import ConflictError, NotFoundError, SagelocalError, UsageError
from sagelocal.values import JsonObject

_SCOPE: Final = "AWS4-HMAC-SHA256 Credential=sagelocal/20000101/local/sagemaker/aws4_request"
"""All that our endpoint reads of a signature: which service the request is for."""
_PATIENCE: Final = 30.0  # seconds
_ERRORS: Final[Mapping[str, type[UsageError]]] = {
    "ResourceNotFound": NotFoundError,
    "ConflictException": ConflictError,
    "ValidationException": UsageError,
}


def ask(home: Path, target: str, request: JsonObject) -> dict[str, Any]:
    """Call an operation of the running engine, ``SageMaker.DescribePipelineExecution`` say; its answer.

    Raises:
        NotFoundError: no engine runs on this state folder, or it knows nothing of that name.
        ConflictError: not now.
        UsageError: the request is wrong.
    """
    url = announced(home)
    if url is None:
        raise NotFoundError(_nobody(home))
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_PATIENCE)
    headers = {"X-Amz-Target": target, "Authorization": _SCOPE, "Content-Type": "application/x-amz-json-1.1"}
    try:
        connection.request("POST", "/", json.dumps(request), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        raise NotFoundError(_nobody(home, url)) from None
    finally:
        connection.close()
    if response.status == http.client.OK:
        return answer
    raise _error(answer)


def _error(answer: Mapping[str, Any]) -> SagelocalError:
    return _ERRORS.get(str(answer.get("__type")), UsageError)(str(answer.get("message")))


def _nobody(home: Path, url: str = "") -> str:
    tried = f"the one at {url} has ended" if url else "start one with `sagelocal run`"
    return f"no engine with an endpoint runs on the state folder {home}: {tried}; another folder is named with --home"
