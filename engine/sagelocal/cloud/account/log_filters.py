"""Filter patterns of CloudWatch Logs for lines of text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TERM = re.compile(
    r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>(?:[^%\\]|\\.)+)%|(?P<plain>[^\s"%]+))'
)


class PatternError(Exception):
    """A pattern that cannot be read, or that we do not serve."""


@dataclass(frozen=True, slots=True)
class _Term:
    sign: str
    holds: Callable[[str], bool]


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a line matches: terms that must all be in it, with ``?`` of which one must, with ``-`` that must not be.

    A term is a word, a quoted phrase or a regular expression between ``%``; case counts. An empty pattern matches all.

    Raises:
        PatternError: it is a pattern for JSON or for columns, or cannot be read.
    """
    if pattern.strip()[:1] in ("{", "["):
        message = f"sagelocal does not serve patterns for JSON or columns: {pattern!r}; give terms that the line contains"
        raise PatternError(message)
    terms = _terms(pattern)
    required = [term.holds for term in terms if term.sign == ""]
    optional = [term.holds for term in terms if term.sign == "?"]
    excluded = [term.holds for term in terms if term.sign == "-"]

    def matches(text: str) -> bool:
        return (
            all(holds(text) for holds in required)
            and (not optional or any(holds(text) for holds in optional))
            and not any(holds(text) for holds in excluded)
        )

    return matches


def _terms(pattern: str) -> list[_Term]:
    found, place, whole = [], 0, pattern.rstrip()
    while place < len(whole):
        match = _TERM.match(whole, place)
        if match is None:
            message = f"Invalid filter pattern: {pattern!r}"
            raise PatternError(message)
        found.append(_Term(match["sign"], _holds(match)))
        place = match.end()
    return found


def _holds(match: re.Match[str]) -> Callable[[str], bool]:
    if match["regex"] is not None:
        try:
            expression = re.compile(match["regex"])
        except re.error as error:
            message = f"Invalid regular expression {match['regex']!r}: {error}"
            raise PatternError(message) from None
        return lambda text: expression.search(text) is not None
    term = match["plain"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
    return lambda text: term in text
