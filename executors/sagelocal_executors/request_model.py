"""How requests are read: the members that this machine acts on, whatever else there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from sagelocal.errors import UsageError
from sagelocal.expressions import render
from sagelocal.names import S3Uri
from sagelocal.values import JsonObject
from sagelocal_executors.faults import ill_formed


def _s3_uri(value: Any) -> Any:
    try:
        S3Uri.parse(str(value))
    except UsageError as error:
        raise ValueError(str(error)) from None
    return value


# A bare Get of an Integer parameter may stand where the API wants a string (semantics 02 §2.2).
Text = Annotated[str, BeforeValidator(render)]
Uri = Annotated[str, BeforeValidator(_s3_uri)]


class RequestModel(BaseModel):
    """A structure of the API: members in its spelling, unknown ones ignored, null ones absent."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: member for key, member in value.items() if member is not None}


_Request = TypeVar("_Request", bound=RequestModel)


def parse_request(kind: type[_Request], operation: str, arguments: JsonObject) -> _Request:
    """Read a request of that operation, ``CreateTrainingJob`` say.

    Raises:
        JobError: it does not have the operation's shape.
    """
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        raise ill_formed(operation, error) from None
