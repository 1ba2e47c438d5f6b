"""IAM's lists in pages: Marker, MaxItems, IsTruncated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sagelocal.cloud.protocols.pages import BadTokenError, page
from sagelocal.cloud.protocols.service import Call, RefusedError
from sagelocal.values import Json, JsonObject

Item = TypeVar("Item")

_PAGE = 100


def paged(
    call: Call, member: str, items: Iterable[Item], key: Callable[[Item], str], show: Callable[[Item], Json]
) -> JsonObject:
    """The answer of a List operation, in the order of the items' keys.

    Raises:
        RefusedError: the Marker is none of ours.
    """
    try:
        shown, marker = page(items, call.arguments.get("MaxItems", _PAGE), call.arguments.get("Marker"), key)
    except BadTokenError:
        raise RefusedError("ValidationError", "Invalid Marker.") from None
    answer: dict[str, Json] = {member: [show(item) for item in shown], "IsTruncated": marker is not None}
    return answer if marker is None else {**answer, "Marker": marker}
