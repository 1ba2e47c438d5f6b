"""How the SageMaker API refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
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
BUG: Final = ("InternalFailure", "A bug of sagelocal: its own output says more.", 500)
"""What any other exception is on the wire: our own bug."""

_TOLD = 20  # problems of a definition that are told
_PARSING = "Unable to parse pipeline definition."
_OWN_WORDS: Final = (
    "Cannot parse object",
    "Expecting start of Json",
    "Malformed JSON",
    "Model Validation failed",
    "Unknown Argument member",
)
"""How the service's own sentences about definitions begin (semantics 09 §9.2)."""


def described(error: Exception) -> tuple[str, str, int]:
    """Name, text and HTTP status of an error on the wire; what our bugs look like inside is nobody's business there."""
    if isinstance(error, ApiError):
        return error.name, str(error), error.status
    if is_bug(error):
        return BUG
    name, status = next(NAMES[kind] for kind in type(error).__mro__ if kind in NAMES)
    return name, _unparsable(error) if isinstance(error, DefinitionError) else str(error), status


def is_bug(error: Exception) -> bool:
    """Whether an error is none that a client or its machine can have caused."""
    return not isinstance(error, (ApiError, *NAMES))


def _unparsable(error: DefinitionError) -> str:
    """All problems of a definition in one text: the first as the service says it, then each as we do."""
    first = error.problems[0].message
    known = first.startswith(_OWN_WORDS)
    text = f"{_PARSING} {first}" if known else f"{_PARSING} Model Validation failed: {first}"
    ours = list(map(str, islice(error.problems, _TOLD)))
    if len(error.problems) > _TOLD:
        ours.append(f"… and {len(error.problems) - _TOLD} more")
    return text if ours == [first] else "\n".join([text, *ours])


def invalid(texts: Iterable[str]) -> ApiError:
    """All that is wrong with a request's members, in one text as AWS writes it (semantics 09 §9.1)."""
    found = list(texts)
    count = f"{len(found)} validation error{'s' * (len(found) != 1)} detected"
    return ApiError("ValidationException", f"{count}: {'; '.join(found)}")
