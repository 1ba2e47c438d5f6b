"""What a handler may know of its request, as multi-model-server and TorchServe tell it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ml_contract import MODEL


class Context:
    """The last argument of handlers that take one more than they need.

    Attributes:
        system_properties: ``model_dir`` and what else the servers say about themselves.
        request_processor: one element, with ``get_request_properties()``.
        content_type: of the response, when the handler has set one.
        status: of the response, when the handler has set one.
        headers: of the response.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._request = headers
        self.model_name = "model"
        self.manifest: dict[str, object] = {}
        self.system_properties = {
            "model_dir": str(MODEL),
            "gpu_id": None,
            "batch_size": 1,
            "server_name": "sagelocal",
            "server_version": os.environ.get("SAGELOCAL_FAMILY_VERSION", ""),
        }
        self.request_processor = [self]
        self.content_type = ""
        self.status = 0
        self.headers: dict[str, str] = {}

    def get_request_header(self, idx: int, key: str, exp: object = None) -> str | None:  # noqa: ARG002  # the signature is TorchServe's
        return self._request.get(key.lower())

    def get_all_request_header(self, idx: int) -> dict[str, str]:  # noqa: ARG002  # likewise
        return self.get_request_properties()

    def get_request_properties(self) -> dict[str, str]:
        """All headers, by names as HTTP's documents spell them: ``Content-Type``."""
        return {name.title(): value for name, value in self._request.items()}

    def get_request_property(self, key: str) -> str | None:
        return self._request.get(key.lower())

    def set_response_content_type(self, idx: int, value: str) -> None:  # noqa: ARG002  # likewise
        self.content_type = value

    def set_response_header(self, idx: int, key: str, value: str) -> None:  # noqa: ARG002  # likewise
        self.headers[key] = value

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:  # noqa: ARG002  # likewise
        self.status = code
