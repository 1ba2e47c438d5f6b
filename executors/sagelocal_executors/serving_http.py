"""What is said to a model's server over HTTP (semantics 08 §8.3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from sagelocal.cloud.inference import Reply
from sagelocal.values import JsonObject

_PING_SECONDS = 2.0
_PARAMETERS_SECONDS = 30.0
_IDLE_SECONDS = 1.0
"""Servers close idle connections from two seconds on (gunicorn); a request must not meet one that is being closed."""
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered to an invocation, whatever its status."""

    status: int
    reply: Reply


class Caller:
    """Calls the servers of one model, while entered; limits no invocation, neither their number nor their time."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=None,  # noqa: S113 - whoever waits for an invocation limits it
            limits=httpx.Limits(keepalive_expiry=_IDLE_SECONDS),
            headers={"Accept-Encoding": "identity"},
            trust_env=False,  # no proxy stands between us and this machine
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def ping(self, url: str) -> str:
        """Empty when the server says that it is ready, else what came instead."""
        try:
            response = await self._client.get(f"{url}/ping", timeout=_PING_SECONDS)
        except httpx.TimeoutException:
            return f"nothing within {_PING_SECONDS:g} s"
        except httpx.TransportError as error:
            return f"no connection ({error or type(error).__name__})"
        return "" if response.status_code == httpx.codes.OK else f"status {response.status_code}"

    async def parameters(self, url: str) -> JsonObject:
        """What /execution-parameters says; {} where it says nothing that can be read, as it is optional."""
        try:
            response = await self._client.get(f"{url}/execution-parameters", timeout=_PARAMETERS_SECONDS)
            found = json.loads(response.content) if response.is_success else {}
        except (httpx.TransportError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    async def invoke(
        self,
        url: str,
        body: bytes | AsyncIterator[bytes],
        *,
        content_type: str | None,
        accept: str | None,
        custom_attributes: str | None,
    ) -> Answer:
        """POST /invocations, with the headers that have a value.

        Raises:
            ConnectionError: the server gave no answer.
        """
        headers = {"Content-Type": content_type, "Accept": accept, _ATTRIBUTES: custom_attributes}
        given = {name: value for name, value in headers.items() if value}
        try:
            response = await self._client.post(f"{url}/invocations", content=body, headers=given)
        except httpx.TransportError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        told = response.headers
        reply = Reply(response.content, told.get("Content-Type", ""), told.get(_ATTRIBUTES))
        return Answer(response.status_code, reply)
