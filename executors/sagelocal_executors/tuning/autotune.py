"""Autotune: what the author left open, chosen here.

SageMaker does not tell its choices. Ours: a whole number is searched from a quarter to four times its hint, another from a
tenth to ten times (never over 1 for what is below 1), a text stays what it is; 20 training jobs unless the request says
otherwise, with early stopping, until convergence.
"""

from __future__ import annotations

from collections.abc import Iterator

from sagelocal_executors.tuning.ranges import number
from sagelocal_executors.tuning.request import AutoParameter, NumericRange, ParameterRanges

JOBS = 20
MOST_TUNED = 30


def static_hints(ranges: ParameterRanges) -> dict[str, str]:
    """The auto parameters that are not tuned: texts, and what is beyond the 30 that may be."""
    tuned = {each.name for each in _numeric(ranges)}
    return {each.name: each.value_hint for each in ranges.auto_parameters if each.name not in tuned}


def widened(ranges: ParameterRanges) -> ParameterRanges:
    """The ranges with those of the auto parameters among them."""
    whole_numbers, others = list(ranges.integer_parameter_ranges), list(ranges.continuous_parameter_ranges)
    for each in _numeric(ranges):
        if each.value_hint.strip().lstrip("+-").isdigit():
            whole_numbers.append(_range(each.name, *_around_whole(int(each.value_hint))))
        else:
            others.append(_range(each.name, *_around(float(each.value_hint))))
    return ranges.model_copy(
        update={
            "integer_parameter_ranges": tuple(whole_numbers),
            "continuous_parameter_ranges": tuple(others),
            "auto_parameters": (),
        }
    )


def _numeric(ranges: ParameterRanges) -> list[AutoParameter]:
    room = max(MOST_TUNED - len(ranges.names), 0)
    return [each for each in ranges.auto_parameters if number(each.value_hint) is not None][:room]


def _around_whole(hint: int) -> tuple[int, int]:
    if hint == 0:
        return 0, 10
    low, high = sorted((hint // 4, hint * 4))
    return (max(low, 1), high) if hint > 0 else (low, min(high, -1))


def _around(hint: float) -> tuple[float, float]:
    if hint == 0:
        return 0.0, 1.0
    low, high = sorted((hint / 10, hint * 10))
    return low, min(high, 1.0) if 0 < hint <= 1 else high


def _range(name: str, low: float, high: float) -> NumericRange:
    return NumericRange.model_validate({"Name": name, "MinValue": repr(low), "MaxValue": repr(high)})


def choices(ranges: ParameterRanges) -> Iterator[str]:
    """What was chosen, for the log."""
    for kind, members in (
        ("integer", ranges.integer_parameter_ranges),
        ("continuous", ranges.continuous_parameter_ranges),
    ):
        for each in members:
            yield f"Autotune: {each.name} is {kind}, from {each.min_value} to {each.max_value}"
