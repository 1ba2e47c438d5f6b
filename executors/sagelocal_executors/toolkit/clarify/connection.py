"""Requests to the AWS endpoint of the job over one connection that stays open."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ml_contract import JobError

from clarify.wording import first_line

_WAITS = (0.2, 1.0, 3.0)  # seconds before the second attempt and each further one
_BUSY = {
    500,
    502,
    503,
    504,
}  # faults of the platform; an error of the model is a 424 (InvokeEndpoint: ModelError)
_TIMEOUT = 900


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: bytes


@dataclass
class Connection:
    """Talks to ``AWS_ENDPOINT_URL`` as one of its services.

    Attributes:
        service: the name in the scope of the signature, by which the endpoint tells its services apart.
    """

    service: str
    _open: http.client.HTTPConnection | None = field(default=None, init=False)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request, tried again while the endpoint is not there or says that it is busy.

        Raises:
            JobError: it is not there in the end.
        """
        signed = {**self._signature(), **(headers or {})}
        for wait in (*_WAITS, None):
            try:
                reply = self._attempt(method, path, body, signed)
                if reply.status not in _BUSY or wait is None:
                    return reply
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if wait is None:
                    raise JobError(
                        f"{self._url} does not answer {self.service}: {first_line(error)}"
                    ) from None
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        if self._open is None:
            self._open = self._connected()
        self._open.request(method, path, body=body, headers=dict(headers))
        response = self._open.getresponse()
        return Reply(response.status, response.headers.get("Content-Type", ""), response.read())

    def _connected(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)

    @property
    def _url(self) -> str:
        url = os.environ.get("AWS_ENDPOINT_URL", "")
        if not url:
            raise JobError(
                f"The job cannot reach {self.service}: AWS_ENDPOINT_URL is not set (network isolation?)"
            )
        return url

    def _signature(self) -> dict[str, str]:
        """As version 4 of the signature looks: the endpoint reads its scope, and checks nothing."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        key = os.environ.get("AWS_ACCESS_KEY_ID", "sagelocal")
        scope = f"{key}/{moment[:8]}/{region}/{self.service}/aws4_request"
        return {
            "X-Amz-Date": moment,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        }

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
