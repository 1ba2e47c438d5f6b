"""Ranges: from the unit interval to values and back, on every scale."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from sagelocal_executors.tuning.autotune import static_hints, widened
from sagelocal_executors.tuning.ranges import SCALES, Categorical, Continuous, Integer, scale_of
from sagelocal_executors.tuning.request import ParameterRanges

SHARES = some.floats(0, 1)
LINEAR, LOGARITHMIC, REVERSE = (SCALES[name] for name in ("Linear", "Logarithmic", "ReverseLogarithmic"))


@given(some.floats(-1e9, 1e9), some.floats(-1e9, 1e9), SHARES)
def test_a_linear_range_is_cut_in_proportion(low: float, high: float, share: float) -> None:
    assume(low < high)
    value = float(Continuous("x", low, high, LINEAR).at(share))

    assert low <= value <= high
    assert value == pytest.approx(low * (1 - share) + high * share, rel=1e-9, abs=1e-6)


@given(some.floats(1e-9, 1e9), some.floats(1e-9, 1e9), SHARES)
def test_a_logarithmic_range_is_cut_by_ratios(low: float, high: float, share: float) -> None:
    assume(low < high)
    value = float(Continuous("x", low, high, LOGARITHMIC).at(share))

    assert low <= value <= high
    assert value == pytest.approx(low ** (1 - share) * high**share, rel=1e-9)


@given(some.floats(0, 0.999999), some.floats(0, 0.999999), SHARES)
def test_a_reverse_logarithmic_range_is_a_logarithmic_one_seen_from_one(
    low: float, high: float, share: float
) -> None:
    assume(low < high)
    value = float(Continuous("x", low, high, REVERSE).at(share))

    assert low <= value <= high
    assert 1 - value == pytest.approx((1 - low) ** (1 - share) * (1 - high) ** share, rel=1e-6, abs=1e-12)


def test_reverse_logarithmic_looks_closest_near_one() -> None:
    """Of a range from 0 to 0.999, a third of the draws each are below 0.9, below 0.99 and above."""
    each = Continuous("momentum", 0.0, 0.999, REVERSE)
    drawn = [float(each.at((number + 0.5) / 3000)) for number in range(3000)]

    assert sum(value < 0.9 for value in drawn) == 1000
    assert sum(0.9 <= value < 0.99 for value in drawn) == 1000


@given(some.integers(-1000, 1000), some.integers(1, 50), some.sampled_from([LINEAR, LOGARITHMIC]), SHARES)
def test_an_integer_range_gives_whole_numbers_within(low: int, width: int, scale: Any, share: float) -> None:
    assume(scale is LINEAR or low > 0)
    each = Integer("n", low, low + width, scale)

    assert low <= int(each.at(share)) <= low + width
    assert (each.at(0), each.at(1)) == (str(low), str(low + width))


def test_each_integer_of_a_linear_range_is_as_likely() -> None:
    drawn = [Integer("n", 3, 7, LINEAR).at((number + 0.5) / 5000) for number in range(5000)]

    assert {value: drawn.count(value) for value in set(drawn)} == {str(value): 1000 for value in range(3, 8)}


def test_an_integer_of_a_logarithmic_range_is_as_likely_as_its_stretch_is_long() -> None:
    each = Integer("n", 1, 64, LOGARITHMIC)
    drawn = [int(each.at((number + 0.5) / 10_000)) for number in range(10_000)]

    for value in (1, 2, 10, 64):
        stretch = math.log((value + 0.5) / (value - 0.5)) / math.log(64.5 / 0.5)
        assert drawn.count(value) / 10_000 == pytest.approx(stretch, abs=2e-4)


@given(some.lists(some.text(), min_size=1, max_size=30, unique=True))
def test_every_category_has_an_equal_part(values: list[str]) -> None:
    each = Categorical("c", values)
    shares = [(number + 0.5) / len(values) for number in range(len(values))]

    assert [each.at(share) for share in shares] == values
    assert [each.share(value) for value in values] == pytest.approx(shares)
    assert (each.at(0), each.at(1)) == (values[0], values[-1])


NUMERIC = some.sampled_from(
    [
        Continuous("x", -3.0, 5.0, LINEAR),
        Continuous("x", 1e-6, 1.0, LOGARITHMIC),
        Continuous("x", 0.0, 0.9999, REVERSE),
        Integer("n", -7, 90, LINEAR),
        Integer("n", 1, 4000, LOGARITHMIC),
    ]
)


@given(NUMERIC, SHARES)
def test_a_value_finds_its_place_again(each: Any, share: float) -> None:
    text = each.at(share)
    place = each.share(text)

    assert each.at(place) == text or float(each.at(place)) == pytest.approx(float(text), rel=1e-9, abs=1e-12)


@given(NUMERIC, some.lists(SHARES, min_size=2, max_size=20))
def test_further_along_is_never_less(each: Any, shares: list[float]) -> None:
    values = [float(each.at(share)) for share in sorted(shares)]

    assert all(one <= other for one, other in pairwise(values))


@pytest.mark.parametrize("text", ["-3.1", "5.5", "abc", "nan", "inf", ""])
def test_what_is_outside_has_no_place(text: str) -> None:
    assert Continuous("x", -3.0, 5.0, LINEAR).share(text) is None
    assert Integer("n", -3, 5, LINEAR).share(text) is None
    assert Categorical("c", ["a"]).share(text) is None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1e-5, 1e-3, LOGARITHMIC), (1, 99, LINEAR), (1, 100, LOGARITHMIC), (0, 1e6, LINEAR), (-1, 1e6, LINEAR)],
)
def test_auto_is_logarithmic_over_two_orders_of_magnitude(low: float, high: float, expected: Any) -> None:
    assert scale_of("Auto", low, high) is expected
    assert scale_of("Linear", low, high) is LINEAR


def auto(**hints: str) -> ParameterRanges:
    parameters = [{"Name": name, "ValueHint": hint} for name, hint in hints.items()]
    return ParameterRanges.model_validate({"AutoParameters": parameters})


def test_autotune_searches_around_the_hints() -> None:
    ranges = auto(
        depth="6", zero="0", eta="0.2", alpha="2.0", none="0.0", tree="hist", back="-4", least="-0.5"
    )
    opened = widened(ranges)

    integers = {
        each.name: (int(each.min_value), int(each.max_value)) for each in opened.integer_parameter_ranges
    }
    numbers = {
        each.name: (float(each.min_value), float(each.max_value))
        for each in opened.continuous_parameter_ranges
    }
    assert integers == {"depth": (1, 24), "zero": (0, 10), "back": (-16, -1)}
    assert numbers == {
        "eta": (pytest.approx(0.02), 1.0),
        "alpha": (pytest.approx(0.2), 20.0),
        "none": (0.0, 1.0),
        "least": (-5.0, -0.05),
    }
    assert static_hints(ranges) == {"tree": "hist"}


@given(some.one_of(some.integers(-(10**6), 10**6).map(str), some.floats(-1e6, 1e6).map(repr)))
def test_autotune_always_finds_a_range_with_the_hint_in_it(hint: str) -> None:
    opened = widened(auto(x=hint))
    (each,) = (*opened.integer_parameter_ranges, *opened.continuous_parameter_ranges)

    assert float(each.min_value) < float(each.max_value)
    assert float(each.min_value) <= float(hint) <= float(each.max_value)
