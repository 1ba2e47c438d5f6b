"""SageMaker Runtime: models that are served here, under the names of endpoints (API: InvokeEndpoint)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sagelocal.cloud.inference import Invoke, ModelEndpoint

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SERVICE = "runtime.sagemaker"
"""Under which name `sagelocal.cloud.endpoint.Endpoint` finds the app; requests are signed for ``sagemaker``."""


class Invocations:
    """The endpoints of the account that are in service.

    Args:
        account: what texts call the account.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._endpoints: dict[str, ModelEndpoint] = {}

    @contextmanager
    def open(self, name: str, invoke: Invoke) -> Iterator[None]:
        """Let `name` answer requests by `invoke`, while entered.

        What `invoke` raises beside InvocationError is told to the client and raised again at the end: the client's own
        failure would hide it.
        """
        assert name not in self._endpoints, f"endpoint {name} is open already"
        endpoint = self._endpoints[name] = ModelEndpoint(invoke)
        try:
            yield
        finally:
            del self._endpoints[name]
        if endpoint.failure is not None:
            raise endpoint.failure

    def app(self) -> ASGIApp:
        """The ASGI app that serves ``POST /endpoints/{name}/invocations``."""
        # Imported here: starlette costs start-up time that executors without an endpoint need not pay.
        from sagelocal.cloud.invocations_http import invocations_app  # noqa: PLC0415 - start-up time

        return invocations_app(self._endpoints, self._account)
