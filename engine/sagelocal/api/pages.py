"""Lists in pages, as every List operation has them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from typing import TypeVar

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Request
from sagelocal.values import Json

Item = TypeVar("Item")

Rank = tuple[str | float, ...]
"""What items are sorted by, the most important first; no two items have the same."""

_LARGEST = 100


@dataclass(frozen=True, slots=True)
class _Last:
    """The last item of a page: its key, its rank, whether ranks fall along the list."""

    key: str
    rank: Rank = ()
    falls: bool = False


def page(
    request: Request,
    items: Sequence[Item],
    key: Callable[[Item], str],
    member: str,
    show: Callable[[Item], Json],
    *,
    rank: Callable[[Item], Rank] | None = None,
) -> dict[str, Json]:
    """The answer of a List operation: up to MaxResults of the items, after the one that NextToken names.

    Args:
        request: with ``MaxResults`` and ``NextToken``, if given.
        items: all of them, in their order.
        key: names an item for the next page's token, so that a page goes on where the last one ended whatever came meanwhile.
        member: of the answer, that holds the items.
        show: an item as the API has it.
        rank: what the items are sorted by, so that a page goes on even when the last one's end has been deleted.

    Raises:
        ApiError: ValidationException, the token is none of this list; or its item is gone, and there is no rank.
    """
    size = min(request.get("MaxResults", _LARGEST), _LARGEST)
    start = 0
    if request.get("NextToken"):
        start = _after(_read(request, member), items, key, rank)
    shown = items[start : start + size]
    answer: dict[str, Json] = {member: [show(item) for item in shown]}
    if shown and start + size < len(items):
        last = _Last(key(shown[-1]))
        if rank:
            last = replace(last, rank=rank(shown[-1]), falls=rank(items[0]) > rank(items[-1]))
        answer["NextToken"] = _token(request, member, last)
    return answer


def within(request: Request, moment: float) -> bool:
    """Whether something was created when ``CreatedAfter`` and ``CreatedBefore`` want it; both bounds belong to it."""
    after, before = request.get("CreatedAfter", float("-inf")), request.get("CreatedBefore", float("inf"))
    return bool(after <= seconds(moment) <= before)


def descending(request: Request) -> bool:
    """Whether the latest comes first, which it does unless somebody says otherwise (semantics 10 §10.1)."""
    return bool(request.get("SortOrder", "Descending") == "Descending")


def seconds(moment: float) -> float:
    """A moment as answers have it: seconds since the epoch, to the millisecond."""
    return round(moment, 3)


def _token(request: Request, member: str, last: _Last) -> str:
    text = json.dumps([_list(request, member), *astuple(last)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read(request: Request, member: str) -> _Last:
    try:
        which, key, rank, falls = json.loads(base64.urlsafe_b64decode(request["NextToken"].encode()))
        last = _Last(str(key), tuple(rank), bool(falls))
    except (ValueError, TypeError, RecursionError):
        raise _invalid() from None
    if which != _list(request, member):
        raise _invalid()
    return last


def _list(request: Request, member: str) -> str:
    """What tells one list from others: the operation's member, with all that was asked for."""
    asked = {name: value for name, value in request.items() if name not in {"NextToken", "MaxResults"}}
    text = json.dumps([member, asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _after(
    last: _Last,
    items: Sequence[Item],
    key: Callable[[Item], str],
    rank: Callable[[Item], Rank] | None,
) -> int:
    position = next((index for index, item in enumerate(items) if key(item) == last.key), None)
    if position is not None:
        return position + 1
    if rank is None:
        raise _invalid()
    try:
        return sum(rank(item) >= last.rank if last.falls else rank(item) <= last.rank for item in items)
    except TypeError:
        raise _invalid() from None


def _invalid() -> ApiError:
    return ApiError("ValidationException", "Invalid NextToken: list anew without it.")
