"""Lists in pages, as every List operation has them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Request
from sagelocal.values import Json

Item = TypeVar("Item")

_LARGEST = 100


def page(
    request: Request,
    items: Sequence[Item],
    key: Callable[[Item], str],
    member: str,
    show: Callable[[Item], Json],
) -> dict[str, Json]:
    """The answer of a List operation: up to MaxResults of the items, after the one that NextToken names.

    Args:
        request: with ``MaxResults`` and ``NextToken``, if given.
        items: all of them, in their order.
        key: names an item for the next page's token, so that a page goes on where the last one ended whatever came meanwhile.
        member: of the answer, that holds the items.
        show: an item as the API has it.

    Raises:
        ApiError: ValidationException, the token is none of ours or its item is gone.
    """
    size = min(request.get("MaxResults", _LARGEST), _LARGEST)
    start = _after(request["NextToken"], [key(item) for item in items]) if request.get("NextToken") else 0
    shown = items[start : start + size]
    answer: dict[str, Json] = {member: [show(item) for item in shown]}
    if shown and start + size < len(items):
        answer["NextToken"] = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode()
    return answer


def _after(token: str, keys: list[str]) -> int:
    try:
        return keys.index(base64.urlsafe_b64decode(token.encode()).decode()) + 1
    except (ValueError, binascii.Error):
        raise ApiError("ValidationException", "Invalid NextToken: list anew without it.") from None
