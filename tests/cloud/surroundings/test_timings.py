"""When rules and schedules are due, by the examples of AWS's user guides."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagelocal.cloud.eventbridge.cron import CronError, parse_cron
from sagelocal.cloud.eventbridge.expressions import (
    Expression,
    TimingError,
    rule_expression,
    schedule_expression,
)

THURSDAY = datetime(2026, 1, 1, 12, 0)  # noqa: DTZ001 - of the calendar

# From "Cron expressions" of the EventBridge user guide, with what it says that they mean, and further ones.
EXAMPLES = [
    ("0 10 * * ? *", ["01-02 10:00", "01-03 10:00"]),
    ("15 12 * * ? *", ["01-01 12:15", "01-02 12:15"]),
    ("0 18 ? * MON-FRI *", ["01-01 18:00", "01-02 18:00", "01-05 18:00"]),
    ("0 8 1 * ? *", ["02-01 08:00", "03-01 08:00"]),
    ("0/15 * * * ? *", ["01-01 12:15", "01-01 12:30", "01-01 12:45", "01-01 13:00"]),
    ("0/10 * ? * MON-FRI *", ["01-01 12:10", "01-01 12:20"]),
    ("0/5 8-17 ? * MON-FRI *", ["01-01 12:05", "01-01 12:10"]),
    ("0/30 20-2 ? * MON-FRI *", ["01-01 20:00", "01-01 20:30", "01-01 21:00"]),
    ("1/10 * * * ? *", ["01-01 12:01", "01-01 12:11", "01-01 12:21"]),
    ("0 0 ? * 3#2 *", ["01-13 00:00", "02-10 00:00"]),
    ("0 0 ? * 2#5 *", ["03-30 00:00", "06-29 00:00"]),
    ("0 0 ? * 6L *", ["01-30 00:00", "02-27 00:00"]),
    ("0 0 ? * L *", ["01-03 00:00", "01-10 00:00"]),
    ("0 0 ? * FRI-MON *", ["01-02 00:00", "01-03 00:00", "01-04 00:00", "01-05 00:00", "01-09 00:00"]),
    ("0 0 L * ? *", ["01-31 00:00", "02-28 00:00", "03-31 00:00"]),
    ("0 0 L-2 * ? *", ["01-29 00:00", "02-26 00:00"]),
    ("0 0 LW * ? *", ["01-30 00:00", "02-27 00:00", "03-31 00:00"]),
    ("0 0 3W * ? *", ["01-02 00:00", "02-03 00:00"]),
    ("0 0 1W * ? *", ["02-02 00:00", "03-02 00:00"]),
    ("0 0 31W * ? *", ["01-30 00:00", "03-31 00:00", "05-29 00:00"]),
    ("0 0 31 * ? *", ["01-31 00:00", "03-31 00:00"]),
    ("0 0 1 JAN,JUL ? *", ["07-01 00:00"]),
    ("0 0 1 NOV-FEB ? *", ["02-01 00:00", "11-01 00:00", "12-01 00:00"]),
    ("5 6 7 8 ? 2026", ["08-07 06:05"]),
]


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES)
def test_a_cron_expression_means_what_the_guide_says(expression: str, expected: list[str]) -> None:
    found = islice(parse_cron(expression).after(THURSDAY), len(expected))

    assert [moment.strftime("%m-%d %H:%M") for moment in found] == expected


def test_a_leap_day_is_waited_for_and_an_impossible_one_is_not() -> None:
    assert next(parse_cron("0 0 29 2 ? *").after(THURSDAY)).year == 2028
    assert list(parse_cron("0 0 30 2 ? *").after(THURSDAY)) == []
    assert list(parse_cron("0 0 1 1 ? 2020").after(THURSDAY)) == []


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "* * * * * *",
        "* * ? * ? *",
        "60 * * * ? *",
        "* 24 * * ? *",
        "* * 0 * ? *",
        "* * 32 * ? *",
        "* * * 13 ? *",
        "* * ? * 8 *",
        "* * ? * 0 *",
        "* * ? * MUN *",
        "* * ? * 3#6 *",
        "* * ? * 3#1,6#3 *",
        "* * * * ? 1969",
        "* * * * ? 2200",
        "*/0 * * * ? *",
        "*-5 * * * ? *",
        "1,,2 * * * ? *",
        "a * * * ? *",
        "? * * * ? *",
        "* * 3#1 * ? *",
    ],
)
def test_a_cron_expression_that_means_nothing_is_refused(expression: str) -> None:
    with pytest.raises(CronError):
        parse_cron(expression)


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3),
    days=st.sets(st.integers(1, 31), min_size=1, max_size=3),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
)
def test_moments_are_later_in_order_and_have_the_fields_that_were_asked_for(
    minutes: set[int], hours: set[int], days: set[int], start: datetime
) -> None:
    fields = [",".join(map(str, sorted(each))) for each in (minutes, hours, days)]
    found = list(islice(parse_cron(" ".join([*fields, "*", "?", "*"])).after(start), 20))

    assert all(moment > start for moment in found)
    assert found == sorted(set(found))
    assert all(
        moment.minute in minutes and moment.hour in hours and moment.day in days and not moment.second
        for moment in found
    )


def moments(expression: Expression, start: str, count: int) -> list[str]:
    """The next moments after a start, in UTC."""
    moment = anchor = datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
    found = []
    for _ in range(count):
        following = expression.following(moment, anchor)
        if following is None:
            break
        moment = following
        found.append(datetime.fromtimestamp(moment, UTC).isoformat()[5:16])
    return found


def test_a_rate_counts_from_its_anchor() -> None:
    expression = rule_expression("rate(5 minutes)")

    assert moments(expression, "2026-01-01T12:01:00", 2) == ["01-01T12:06", "01-01T12:11"]
    assert expression.following(1000.0, 700.0) == 1300.0
    assert expression.following(999.0, 700.0) == 1000.0
    assert expression.following(100.0, 700.0) == 700.0


@pytest.mark.parametrize("text", ["rate(1 minute)", "rate(2 hours)", "rate(1 day)", "cron(0 10 * * ? *)"])
def test_a_rule_takes_rates_and_cron_expressions(text: str) -> None:
    assert rule_expression(text).following(0.0, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "rate(1 minutes)",
        "rate(2 hour)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "rate(-5 minutes)",
        "rate(5minutes)",
        "every day",
        "",
        "cron(* * * * *)",
        "at(2026-01-01T00:00:00)",
    ],
)
def test_a_rule_takes_nothing_else(text: str) -> None:
    with pytest.raises(TimingError):
        rule_expression(text)


def test_a_schedule_is_due_once_at_a_moment_of_its_time_zone() -> None:
    expression = schedule_expression("at(2022-11-20T13:00:00)", "America/Los_Angeles")

    assert moments(expression, "2022-11-01T00:00:00", 2) == ["11-20T21:00"]


def test_what_falls_into_the_hour_that_summer_time_leaves_out_is_skipped() -> None:
    expression = schedule_expression("cron(30 2 * * ? *)", "America/Los_Angeles")

    # 2:00 to 3:00 of March 8 does not exist there.
    assert moments(expression, "2026-03-07T00:00:00", 3) == ["03-07T10:30", "03-09T09:30", "03-10T09:30"]


def test_what_falls_into_the_hour_that_comes_twice_is_due_once() -> None:
    expression = schedule_expression("cron(0/30 1 * * ? *)", "America/Los_Angeles")

    # 1:00 to 2:00 of November 1 comes twice there.
    assert moments(expression, "2026-11-01T00:00:00", 3) == ["11-01T08:00", "11-01T08:30", "11-02T09:00"]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("at(2026-01-01)", "UTC"),
        ("at(2026-13-01T00:00:00)", "UTC"),
        ("rate(0 days)", "UTC"),
        ("cron(0 0 * * * *)", "UTC"),
        ("rate(1 day)", "Mars/Olympus"),
        ("rate(1 day)", "../../etc/passwd"),
    ],
)
def test_a_schedule_that_means_nothing_is_refused(text: str, zone: str) -> None:
    with pytest.raises(TimingError):
        schedule_expression(text, zone)
