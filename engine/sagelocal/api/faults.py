"""How the SageMaker API refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sagelocal.errors import ConflictError, DefinitionError, MachineError, NotFoundError, UsageError


class ApiError(Exception):
    """A refusal under a name of the protocol that no error of ours has."""

    def __init__(self, name: str, message: str, status: int = 400) -> None:
        self.name = name
        self.status = status
        super().__init__(message)


NAMES: Final[Mapping[type[Exception], tuple[str, int]]] = {
    NotFoundError: ("ResourceNotFound", 400),
    ConflictError: ("ConflictException", 400),
    UsageError: ("ValidationException", 400),
    DefinitionError: ("ValidationException", 400),
    MachineError: ("InternalFailure", 500),
}
"""Per error its name on the wire and its HTTP status (semantics 10); an error counts as the first of its classes."""
BUG: Final = ("InternalFailure", 500)


def described(error: Exception) -> tuple[str, str, int]:
    """Name, text and HTTP status of an error on the wire."""
    if isinstance(error, ApiError):
        return error.name, str(error), error.status
    name, status = next((NAMES[kind] for kind in type(error).__mro__ if kind in NAMES), BUG)
    text = str(error)
    return name, text if (name, status) != BUG else f"{type(error).__name__}: {text}", status


def invalid(texts: Iterable[str]) -> ApiError:
    """All that is wrong with a request's members, in one text as AWS writes it (semantics 09 §9.1)."""
    found = list(texts)
    count = f"{len(found)} validation error{'s' * (len(found) != 1)} detected"
    return ApiError("ValidationException", f"{count}: {'; '.join(found)}")
