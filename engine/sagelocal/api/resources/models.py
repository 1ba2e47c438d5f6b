"""Operations on models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.made import made
from sagelocal.api.resources.named import Named, Refusal, tag
from sagelocal.cloud.catalog import Kind
from sagelocal.definition.steps import StepType
from sagelocal.engine import Engine
from sagelocal.values import JsonObject

MODELS: Final = Named(
    Kind.MODEL,
    "Model",
    Refusal("ValidationException", 'Could not find model "{arn}".'),
    Refusal("ValidationException", 'Cannot create already existing model "{arn}".'),
)
_LISTING: Final = Listing("Models", "ModelSummary", "ModelName", "ModelName")


async def create(engine: Engine, request: Request) -> JsonObject:
    """CreateModel; as in a Model step, its data must exist."""
    name = request["ModelName"]
    arn = MODELS.arn(engine, name)
    if MODELS.find(engine, name) is not None:
        raise MODELS.taken.of(name, arn)
    await made(engine, StepType.MODEL, name, request)
    tag(engine, arn, request)
    return {"ModelArn": arn}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeModel."""
    return described("DescribeModel", MODELS.get(engine, request["ModelName"]))


def list_models(engine: Engine, request: Request) -> JsonObject:
    """ListModels."""
    return _LISTING.answer(request, MODELS.all(engine))


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteModel; its data stays."""
    MODELS.delete(engine, request["ModelName"])
    return {}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateModel": create,
    "DeleteModel": delete,
    "DescribeModel": describe,
    "ListModels": list_models,
}
