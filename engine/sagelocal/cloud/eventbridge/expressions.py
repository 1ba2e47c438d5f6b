"""When something is due: ``rate(…)``, ``cron(…)`` and ``at(…)``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sagelocal.cloud.eventbridge.cron import Cron, CronError, parse_cron

_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


class TimingError(ValueError):
    """An expression or time zone that EventBridge would refuse."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds, counted from an anchor."""

    seconds: float

    def following(self, moment: float, anchor: float) -> float:
        """The first moment later than `moment`, the anchor being one."""
        if moment < anchor:
            return anchor
        return anchor + (math.floor((moment - anchor) / self.seconds) + 1) * self.seconds


@dataclass(frozen=True, slots=True)
class Calendar:
    """At the minutes of a calendar, in a time zone.

    What falls into the hour that a change to summer time leaves out is skipped, what falls into the hour that comes twice
    is due in the first (EventBridge Scheduler user guide, "Daylight savings time").
    """

    cron: Cron
    zone: tzinfo

    def following(self, moment: float, anchor: float) -> float | None:
        """The first moment later than `moment`, and not before the anchor; None when there is none."""
        start = datetime.fromtimestamp(max(moment, anchor - 1), self.zone).replace(tzinfo=None)
        for local in self.cron.after(start):
            found = local.replace(tzinfo=self.zone).timestamp()
            exists = datetime.fromtimestamp(found, self.zone).replace(tzinfo=None) == local
            if exists and found > moment and found >= anchor:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Once:
    """At one moment, in seconds since the epoch."""

    moment: float

    def following(self, moment: float, anchor: float) -> float | None:
        """The moment, as long as it lies ahead; the anchor does not count."""
        del anchor
        return self.moment if self.moment > moment else None


Expression = Rate | Calendar | Once


def rule_expression(text: str) -> Expression:
    """The ScheduleExpression of a rule: a rate whose unit has the right number, or a cron expression in UTC.

    Raises:
        TimingError: it is neither.
    """
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", text):
        number = int(match[1])
        if number and (number > 1) == bool(match[3]):
            return Rate(number * _SECONDS[match[2]])
    elif match := re.fullmatch(r"cron\((.+)\)", text):
        return _calendar(match[1], UTC)
    raise TimingError(text)


def schedule_expression(text: str, zone_name: str) -> Expression:
    """The ScheduleExpression of a schedule, in its time zone.

    Raises:
        TimingError: it is none, or the time zone is unknown.
    """
    zone = _zone(zone_name)
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", text):
        if int(match[1]):
            return Rate(int(match[1]) * _SECONDS[match[2]])
    elif match := re.fullmatch(r"cron\((.+)\)", text):
        return _calendar(match[1], zone)
    elif match := re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", text):
        return _checked(lambda: Once(datetime.fromisoformat(match[1]).replace(tzinfo=zone).timestamp()))
    raise TimingError(text)


def _calendar(text: str, zone: tzinfo) -> Expression:
    return _checked(lambda: Calendar(parse_cron(text), zone))


def _checked(make: Callable[[], Expression]) -> Expression:
    try:
        return make()
    except (CronError, ValueError) as error:
        raise TimingError(str(error)) from None


def _zone(name: str) -> tzinfo:
    if name in ("UTC", "Etc/UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"Invalid ScheduleExpressionTimezone: {name}"
        raise TimingError(message) from None
