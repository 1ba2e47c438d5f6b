"""Cron expressions as EventBridge has them: minutes, hours, day-of-month, month, day-of-week, year.

Own code: of the libraries, aws-croniter (2.1) finds nothing for ``L`` as a day of the week and fails at ``LW``, pyawscron
fails in short months, croniter and cronsim have neither years nor ``W``.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_NO_NAMES: Mapping[str, int] = {}
_ANY = "?"
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6

_Days = Callable[[int, int], set[int]]
"""The days of a month, by year and month."""


class CronError(ValueError):
    """An expression that EventBridge would refuse."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression; its moments are those of a calendar, in whatever time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: _Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The matching minutes later than the moment, in their order."""
        for year, month in ((year, month) for year in self.years for month in self.months):
            if (year, month) >= (moment.year, moment.month):
                yield from self._in_month(year, month, moment)

    def _in_month(self, year: int, month: int, moment: datetime) -> Iterator[datetime]:
        for day in sorted(self.days(year, month)):
            if date(year, month, day) < moment.date():
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime(year, month, day, hour, minute)  # noqa: DTZ001 - of the calendar
                    if found > moment:
                        yield found


def parse_cron(text: str) -> Cron:
    """Read the six fields.

    Raises:
        CronError: there are not six, one has a value out of its range, or not exactly one of the days is ``?``.
    """
    fields = text.upper().split()
    if len(fields) != 6:
        message = f"a cron expression has six fields, this one {len(fields)}: minutes hours day-of-month month day-of-week year"
        raise CronError(message)
    minutes, hours, month_days, months, week_days, years = fields
    if (month_days == _ANY) == (week_days == _ANY):
        message = "one of day-of-month and day-of-week must be ?, the other must not"
        raise CronError(message)
    return Cron(
        _plain(minutes, 0, 59),
        _plain(hours, 0, 23),
        _month_days(month_days) if week_days == _ANY else _week_days(week_days),
        _plain(months, 1, 12, _MONTHS),
        _plain(years, 1970, 2199),
    )


def _plain(field: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES) -> tuple[int, ...]:
    """The values of a field of numbers, ranges and steps; a range may go past the end: ``20-2``, ``FRI-MON``."""
    found: set[int] = set()
    for item in field.split(","):
        match = re.fullmatch(r"(?P<from>\*|\w+)(?:-(?P<to>\w+))?(?:/(?P<step>\d+))?", item)
        if match is None or (match["from"] == "*" and match["to"]):
            message = f"{item!r} in {field!r} is no value"
            raise CronError(message)
        found.update(_range(match, low, high, names))
    return tuple(sorted(found))


def _range(match: re.Match[str], low: int, high: int, names: Mapping[str, int]) -> Iterator[int]:
    step = int(match["step"] or 1)
    if step == 0:
        message = "a step must be at least 1"
        raise CronError(message)
    first = low if match["from"] == "*" else _value(match["from"], low, high, names)
    if match["to"]:
        last = _value(match["to"], low, high, names)
    else:
        last = high if match["from"] == "*" or match["step"] else first
    size = high - low + 1
    for distance in range(0, (last - first) % size + 1, step):
        yield low + (first - low + distance) % size


def _value(text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    number = names.get(text, int(text) if text.isdecimal() else -1)
    if not low <= number <= high:
        message = f"{text} is not between {low} and {high}"
        raise CronError(message)
    return number


def _month_days(field: str) -> _Days:
    """``L`` the last, ``L-2`` two days before it, ``LW`` the last weekday, ``15W`` the weekday next to the 15th."""
    parts = [_month_day(item) for item in field.split(",")]
    return lambda year, month: set().union(*(part(year, month) for part in parts))


def _month_day(item: str) -> _Days:
    if match := re.fullmatch(r"L(?:-(\d+))?", item):
        before = _value(match[1] or "0", 0, 30, _NO_NAMES)
        return lambda year, month: {day for day in [_length(year, month) - before] if day > 0}
    if item == "LW":
        return lambda year, month: {_nearest_weekday(year, month, _length(year, month))}
    if match := re.fullmatch(r"(\d+)W", item):
        wanted = _value(match[1], 1, 31, _NO_NAMES)
        return lambda year, month: (
            {_nearest_weekday(year, month, wanted)} if wanted <= _length(year, month) else set()
        )
    days = _plain(item, 1, 31)
    return lambda year, month: {day for day in days if day <= _length(year, month)}


def _week_days(field: str) -> _Days:
    """``L`` Saturday, ``6L`` the last Friday of the month, ``3#2`` the second Tuesday."""
    if match := re.fullmatch(r"(\w+)#(\d)", field):
        weekday, number = _value(match[1], 1, 7, _WEEKDAYS), _value(match[2], 1, 5, _NO_NAMES)
        return lambda year, month: set(_all_of(year, month, weekday)[number - 1 : number])
    parts = [_week_day(item) for item in field.split(",")]
    return lambda year, month: set().union(*(part(year, month) for part in parts))


def _week_day(item: str) -> _Days:
    match = re.fullmatch(r"(\w+?)L", item)
    if match:
        last = _value(match[1], 1, 7, _WEEKDAYS)
        return lambda year, month: set(_all_of(year, month, last)[-1:])
    weekdays = (7,) if item == "L" else _plain(item, 1, 7, _WEEKDAYS)
    return lambda year, month: {day for each in weekdays for day in _all_of(year, month, each)}


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def _all_of(year: int, month: int, weekday: int) -> list[int]:
    """The days of a month that are this weekday, 1 being Sunday."""
    first = date(year, month, 1).isoweekday() % 7 + 1
    return list(range(1 + (weekday - first) % 7, _length(year, month) + 1, 7))


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The weekday next to a day, in the same month."""
    match date(year, month, day).weekday():
        case weekday if weekday <= _FRIDAY:
            return day
        case weekday if weekday == _SATURDAY:
            return day - 1 if day > 1 else day + 2
        case _:
            return day + 1 if day < _length(year, month) else day - 2
