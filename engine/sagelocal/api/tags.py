"""Operations on tags, whatever has them."""

from __future__ import annotations

from sagelocal.api.pages import page
from sagelocal.api.requests import Request
from sagelocal.engine import Engine
from sagelocal.values import JsonObject


def add(engine: Engine, request: Request) -> JsonObject:
    """AddTags; the answer has all tags of the resource."""
    arn = request["ResourceArn"]
    engine.tags.put(arn, {tag["Key"]: tag["Value"] for tag in request["Tags"]})
    return {"Tags": [_tag(each) for each in engine.tags.of(arn).items()]}


def list_tags(engine: Engine, request: Request) -> JsonObject:
    """ListTags."""
    tags = list(engine.tags.of(request["ResourceArn"]).items())
    return page(request, tags, lambda each: each[0], "Tags", _tag, rank=lambda each: (each[0],))


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteTags."""
    engine.tags.remove(request["ResourceArn"], request["TagKeys"])
    return {}


def _tag(each: tuple[str, str]) -> JsonObject:
    key, value = each
    return {"Key": key, "Value": value}
