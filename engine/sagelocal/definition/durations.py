"""How long a cached result lasts: the durations of ``ExpireAfter``."""

from __future__ import annotations

import re

_UNITS = {
    "years": 365 * 86400,
    "months": 30 * 86400,
    "weeks": 7 * 86400,
    "days": 86400,
    "hours": 3600,
    "minutes": 60,
    "seconds": 1,
}
# The same letter is a month before T, a minute after it.
_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST = 40


def duration_seconds(text: str) -> float:
    """Read an ISO-8601 duration as leniently as the service does (semantics 06 §6.5): ``P30D``, ``30d``, ``T12H``.

    The leading ``P`` may be absent and letters may be small. A month counts 30 days, a year 365.

    Raises:
        ValueError: it is no duration.
    """
    match = _DURATION.fullmatch(text) if len(text) <= _LONGEST else None
    numbers = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not numbers:
        raise ValueError(f"{text!r} is not a duration")
    return float(sum(float(number) * _UNITS[unit] for unit, number in numbers.items()))
