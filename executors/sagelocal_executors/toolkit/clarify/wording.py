"""How names are listed in messages, and the name that a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 10


def listed(names: Iterable[object]) -> str:
    """The first ten, comma-separated, with a count of the others; ``nothing`` when there are none."""
    words = [str(name) for name in names]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more or "nothing"


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Ask `` (did you mean X?)``; empty when no known name is close."""
    folded = {str(candidate).casefold(): str(candidate) for candidate in known}
    close = get_close_matches(str(name).casefold(), list(folded), n=1)
    return f" (did you mean {folded[close[0]]}?)" if close else ""


def first_line(error: BaseException) -> str:
    """What a library's error says, without the pages that some of them add."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
