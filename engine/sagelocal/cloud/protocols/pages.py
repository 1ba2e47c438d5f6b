"""Lists in pages that go on where the last one ended, whatever came or went meanwhile."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


class BadTokenError(Exception):
    """A token that none of our pages has ended with."""


def page(
    items: Iterable[Item],
    most: int,
    token: str | None,
    key: Callable[[Item], str],
    *,
    descending: bool = False,
) -> tuple[list[Item], str | None]:
    """Up to `most` items in the order of their keys, after the page that ended with `token`; and this page's token.

    Raises:
        BadTokenError: the token is none of ours.
    """
    last = _read(token) if token else None
    rest = [item for item in items if last is None or (key(item) < last if descending else key(item) > last)]
    rest.sort(key=key, reverse=descending)
    shown = rest[:most]
    return shown, _written(key(shown[-1])) if len(rest) > most else None


def _written(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadTokenError(token) from None
