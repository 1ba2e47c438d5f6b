"""The SageMaker API of an engine, for its HTTP endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sagelocal.engine import Engine, Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["SERVICES", "sagemaker_app"]


def sagemaker_app(engine: Engine) -> ASGIApp:
    """The service ``sagemaker`` of an engine."""
    # Imported when the endpoint opens: starlette costs a fifth of a second that most runs need not pay.
    from sagelocal.api.app import App  # noqa: PLC0415 - start-up time

    return App(engine)


SERVICES: Mapping[str, Service] = {"sagemaker": sagemaker_app}
"""What doors hand to the engines they build, as `Engine(…, services=SERVICES)`."""
