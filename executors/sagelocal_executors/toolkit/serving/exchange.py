"""What the HTTP server and a model say to one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

TEXT = "text/plain; charset=utf-8"
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@dataclass(frozen=True)
class Request:
    """An invocation: the body, and the headers by their names in lower case."""

    body: bytes
    headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """Its value; empty when it was not sent."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    content_type: str = TEXT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  # an answer, not an error of ours
    """The request gets this status and text; nothing is wrong with the server."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes:
        invoke: what ``POST /invocations`` answers; raises `Refused`, or whatever the author's code raises.
        execution_parameters: what ``GET /execution-parameters`` answers; None answers 404, as most images do.
    """

    invoke: Callable[[Request], Answer]
    execution_parameters: Callable[[], Answer] | None = None


def media_type(header: str) -> str:
    """``text/csv`` of ``Text/CSV; charset=utf-8``."""
    return header.partition(";")[0].strip().lower()


def accepted(header: str, supported: Iterable[str], default: str) -> str:
    """The first supported type of an Accept header, `default` for none and for anything.

    Raises:
        Refused: 406, with what there is instead.
    """
    known = list(supported)
    for each in (header or "*/*").split(","):
        wanted = media_type(each)
        wanted = media_type(default) if wanted in ("", "*/*") else wanted
        if wanted in known:
            return wanted
    raise Refused(
        406, f"Accept type {header or default} is not supported. Supported are: {', '.join(known)}."
    )
