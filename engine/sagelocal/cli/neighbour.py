"""Talks to the engines that other processes run on the same state folder."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sagelocal.cloud.beacon import announced
from sagelocal.errors import ConflictError, NotFoundError, SagelocalError, UsageError
from sagelocal.nearest import listed
from sagelocal.values import JsonObject

_SCOPE: Final = "AWS4-HMAC-SHA256 Credential=sagelocal/20000101/local/sagemaker/aws4_request"
"""All that our endpoint reads of a signature: which service the request is for."""
_PATIENCE: Final = 30.0  # seconds
_ERRORS: Final[Mapping[str, type[UsageError]]] = {
    "ResourceNotFound": NotFoundError,
    "ConflictException": ConflictError,
    "ValidationException": UsageError,
}


class NobodyError(NotFoundError):
    """No engine answers."""


def ask(home: Path, target: str, request: JsonObject) -> dict[str, Any]:
    """Call an operation, ``SageMaker.StopPipelineExecution`` say, of the first running engine that takes it; the answer.

    Raises:
        NobodyError: no engine with an endpoint runs on this state folder.
        NotFoundError: none of them knows anything of that name.
        ConflictError: not now, or not by any of them.
        UsageError: the request is wrong.
    """
    refused: list[UsageError] = []
    gone: list[str] = []
    for url in announced(home):
        try:
            return _call(url, target, request)
        except NobodyError:
            gone.append(url)
        except (NotFoundError, ConflictError) as error:
            # It may be another engine's execution.
            refused.append(error)
    if not refused:
        raise NobodyError(_nobody(home, *gone))
    # Who knows it but cannot says more than who does not.
    raise next((error for error in refused if isinstance(error, ConflictError)), refused[0])


def ask_all(home: Path, target: str, request: JsonObject) -> list[dict[str, Any]]:
    """The answers of all running engines to an operation.

    Raises:
        NobodyError: no engine with an endpoint runs on this state folder.
        UsageError: the request is wrong.
    """
    answers: list[dict[str, Any]] = []
    gone: list[str] = []
    for url in announced(home):
        try:
            answers.append(_call(url, target, request))
        except NobodyError:
            gone.append(url)
    if not answers:
        raise NobodyError(_nobody(home, *gone))
    return answers


def _call(url: str, target: str, request: JsonObject) -> dict[str, Any]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_PATIENCE)
    headers = {"X-Amz-Target": target, "Authorization": _SCOPE, "Content-Type": "application/x-amz-json-1.1"}
    try:
        connection.request("POST", "/", json.dumps(request), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        raise NobodyError(url) from None
    finally:
        connection.close()
    if response.status == http.client.OK:
        return answer
    raise _error(answer)


def _error(answer: Mapping[str, Any]) -> SagelocalError:
    return _ERRORS.get(str(answer.get("__type")), UsageError)(str(answer.get("message")))


def _nobody(home: Path, *gone: str) -> str:
    tried = f"the one at {listed(gone)} has ended" if gone else "start one with `sagelocal serve`"
    return f"no engine with an endpoint runs on the state folder {home}: {tried}; another folder is named with --home"
