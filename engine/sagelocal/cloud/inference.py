"""What a model answers, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        content_type: the MIME type of the body; empty when the model named none.
        custom_attributes: what the model says beside the body; None when nothing.
    """

    body: bytes
    content_type: str
    custom_attributes: str | None = None


class InvocationError(Exception):
    """The model refused a request, or did not answer it in time.

    Attributes:
        status: HTTP status of the model's answer; 0 when there was none, as SageMaker writes it.
        text: what the model said, or what happened instead.
        container: which container of the model it was; empty when unknown.
    """

    def __init__(self, status: int, text: str, container: str = "") -> None:
        self.status = status
        self.text = text
        self.container = container
        said = f"answered with status {status}: {text}" if status else text
        super().__init__(f"{container} {said}".strip())


class Invoke(Protocol):
    """Asks a model for one answer.

    Raises:
        InvocationError: it gave none.
    """

    async def __call__(
        self, body: bytes, *, content_type: str | None, accept: str | None, custom_attributes: str | None
    ) -> Reply: ...


class ModelEndpoint:
    """One model in service; `failure` is what went wrong with it other than by its own answer."""

    def __init__(self, invoke: Invoke) -> None:
        self.invoke = invoke
        self.failure: Exception | None = None
