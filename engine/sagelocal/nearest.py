"""The name that a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

_SHOWN = 10


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name closest to `name`, whatever the case; empty when none is close."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask `` (did you mean X?)`` at the end of a message; empty when no known name is close."""
    meant = nearest(name, known)
    return f" (did you mean {meant}?)" if meant else ""


def listed(names: Iterable[str]) -> str:
    """List the first ten names, comma-separated, with a count of the others; ``nothing`` when there are none."""
    rest = iter(names)
    shown = ", ".join(islice(rest, _SHOWN))
    more = sum(1 for _ in rest)
    return f"{shown} and {more} more" if more else shown or "nothing"
