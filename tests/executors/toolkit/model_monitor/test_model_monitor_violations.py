"""A data set is held against another one's constraints, and every kind of violation is found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # scipy has no types for mypy

JSON_LINES = {"json": {"lines": True}}
Violation = dict[str, str]


def csv(**columns: Iterable[object]) -> str:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
    return "\n".join([",".join(columns), *lines]) + "\n"


def check(monitor: Any, before: str, after: str, **changes: object) -> list[Violation]:
    """The violations of the second data set against the first one's constraints."""
    monitor.write("data.csv", before)
    baseline = monitor.baseline(monitor.run(), **changes)
    monitor.write("data.csv", after)
    violations: list[Violation] = monitor.run(**baseline)["constraint_violations"]["violations"]
    return violations


def found(violations: list[Violation]) -> list[tuple[str, str]]:
    return [(violation["feature_name"], violation["constraint_check_type"]) for violation in violations]


def config(**members: object) -> dict[str, object]:
    compared = {"perform_comparison": "Enabled", "comparison_threshold": 0.1, "comparison_method": "Robust"}
    distribution = {**compared, **members.pop("distribution_constraints", {})}  # type: ignore[dict-item]  # a mapping
    return {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": distribution,
        **members,
    }


MIXED = csv(
    count=[1, 2, 3, 4] * 50,
    price=[1.5, 2, None, 4] * 50,
    state=["CA", "NY", "CA", "WA"] * 50,
    code=["7", "8", "x", "9"] * 50,
    flag=["true", "false", None, None] * 50,
    nothing=[None] * 200,
)


def test_a_data_set_does_not_violate_its_own_constraints(monitor: Any) -> None:
    assert check(monitor, MIXED, MIXED) == []


def test_suggested_constraints_say_what_the_data_are_like(monitor: Any) -> None:
    monitor.write("data.csv", MIXED)

    constraints = monitor.run()["constraints"]

    assert constraints["features"] == [
        {
            "name": "count",
            "inferred_type": "Integral",
            "completeness": 1.0,
            "num_constraints": {"is_non_negative": True},
        },
        {
            "name": "price",
            "inferred_type": "Fractional",
            "completeness": 0.75,
            "num_constraints": {"is_non_negative": True},
        },
        {
            "name": "state",
            "inferred_type": "String",
            "completeness": 1.0,
            "string_constraints": {"domains": ["CA", "NY", "WA"]},
        },
        {
            "name": "code",
            "inferred_type": "String",
            "completeness": 1.0,
            "string_constraints": {"domains": ["7", "8", "9", "x"]},
        },
        {
            "name": "flag",
            "inferred_type": "String",
            "completeness": 0.5,
            "string_constraints": {"domains": ["false", "true"]},
        },
        {"name": "nothing", "inferred_type": "Unknown", "completeness": 0.0},
    ]
    assert constraints["monitoring_config"]["distribution_constraints"] == {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "LInfinity",
    }


def test_a_domain_is_not_suggested_when_most_values_occur_once(monitor: Any) -> None:
    monitor.write("data.csv", csv(name=[f"n{index}" for index in range(50)], sign=["-", "+"] * 25))

    features = monitor.run()["constraints"]["features"]

    assert ["string_constraints" in feature for feature in features] == [False, True]


def test_values_of_another_type_are_counted(monitor: Any) -> None:
    before = csv(n=[1, 2, 3, 4] * 100)
    after = csv(n=[1, 2, 3.5, "x"] * 100)

    (violation,) = check(monitor, before, after)

    assert found([violation]) == [("n", "data_type_check")]
    assert "Expected data type: Integral, Expected match: 100.0%" in violation["description"]
    assert "Only 50.0% of data is Integral" in violation["description"]
    threshold = {"monitoring_config": config(datatype_check_threshold=0.5)}
    assert check(monitor, before, after, **threshold) == []


def test_whole_numbers_are_welcome_where_fractions_were(monitor: Any) -> None:
    before = csv(n=[1, 2.5, 3.75, 4.0] * 20)

    assert check(monitor, before, csv(n=[1, 2, 3.75, 4] * 20)) == []
    assert found(check(monitor, before, csv(n=["2", "x", "3", "3.5"] * 20))) == [("n", "data_type_check")]


def test_the_types_of_a_late_text_column_are_counted_to_the_end(monitor: Any) -> None:
    before = csv(n=[1, 2] * 100)
    after = "n\n" + "1\n2\n" * 150_000 + "x\n" + "3.5\n" * 99_999

    violations = check(monitor, before, after)

    assert "Only 75.0% of data is Integral" in violations[0]["description"]


def test_missing_values_are_counted(monitor: Any) -> None:
    before, after = csv(a=[1, 2, 3, None], b=[1, 1, 1, 1]), csv(a=[1, None, None, 3], b=[1, 1, 1, 1])

    (violation,) = check(monitor, before, after)

    assert found([violation]) == [("a", "completeness_check")]
    assert "Expected: 75.0%, Observed: 50.0%" in violation["description"]
    assert check(monitor, after, before) == []


def test_values_outside_of_the_domain_are_counted(monitor: Any) -> None:
    before = csv(state=["CA", "NY"] * 100)
    after = csv(state=["CA", "NY"] * 98 + ["XX", "XX", "YY", None])

    (unknown,) = [it for it in check(monitor, before, after) if "values" in it["constraint_check_type"]]

    assert unknown["feature_name"] == "state"
    assert f"Observed: {196 / 199 * 100}%" in unknown["description"]
    assert unknown["description"].endswith("Unknown values: 'XX', 'YY'")
    threshold = {"monitoring_config": config(domain_content_threshold=0.9)}
    assert ("state", "categorical_values_check") not in found(check(monitor, before, after, **threshold))


def test_a_domain_of_digits_is_still_a_domain(monitor: Any) -> None:
    before = csv(code=["1", "2", "x"] * 100)

    assert found(check(monitor, before, csv(code=["1", "2", "1"] * 100))) == [
        ("code", "baseline_drift_check")
    ]
    assert ("code", "categorical_values_check") in found(check(monitor, before, csv(code=["1", "3"] * 150)))


def test_columns_that_one_side_lacks_are_named(monitor: Any) -> None:
    violations = check(monitor, csv(a=[1], b=[2], c=[3]), csv(a=[1], d=[2]))

    assert found(violations) == [
        ("Missing columns", "missing_column_check"),
        ("Extra columns", "extra_column_check"),
    ]
    assert "b, c" in violations[0]["description"]
    assert "dataset: 2, Number of columns in baseline constraints: 3" in violations[0]["description"]
    assert ": d." in violations[1]["description"]


@pytest.mark.parametrize("shift", [0.0, 0.15, 1.0])
@pytest.mark.parametrize("method", ["Simple", "Robust"])
def test_numerical_drift_is_the_distance_of_the_cumulative_distributions(
    monitor: Any, method: str, shift: float
) -> None:
    rng = np.random.default_rng(11)
    old, new = rng.normal(0, 1, 2000).round(3), rng.normal(shift, 1, 1500).round(3)
    distance = stats.ks_2samp(old, new).statistic
    if method == "Robust":
        distance = max(0.0, distance - 1.8 * np.sqrt((2000 + 1500) / (2000 * 1500)))
    limit = {"comparison_method": method, "comparison_threshold": 0.02}

    violations = check(
        monitor, csv(x=old), csv(x=new), monitoring_config=config(distribution_constraints=limit)
    )

    assert bool(violations) == (distance > 0.02)
    for violation in violations:
        assert violation["constraint_check_type"] == "baseline_drift_check"
        told = (
            violation["description"].removeprefix("Baseline drift distance: ").split(" exceeds threshold: ")
        )
        assert [float(word) for word in told] == pytest.approx([distance, 0.02], rel=1e-9)


def test_drift_of_many_values_is_found_within_the_sketches_error(monitor: Any) -> None:
    rng = np.random.default_rng(12)
    old, new = rng.gamma(2, 1, 300_000).round(4), rng.gamma(2.3, 1, 250_000).round(4)

    (violation,) = check(
        monitor,
        csv(x=old),
        csv(x=new),
        monitoring_config=config(distribution_constraints={"comparison_threshold": 0.05}),
    )

    distance = float(violation["description"].split(": ")[1].split(" ")[0])
    exact = stats.ks_2samp(old, new).statistic - 1.8 * np.sqrt(550_000 / (300_000 * 250_000))
    assert distance == pytest.approx(exact, abs=0.006)


def test_a_baseline_of_buckets_alone_is_compared_at_their_bounds(monitor: Any) -> None:
    monitor.write("data.csv", csv(x=[0, 1, 2, 3, 4, 5, 6, 7, 8, 10] * 100))
    reports = monitor.run()
    (feature,) = reports["statistics"]["features"]
    del feature["numerical_statistics"]["distribution"]["kll"]["sketch"]
    baseline = monitor.baseline(reports)

    assert monitor.run(**baseline)["constraint_violations"] == {"violations": []}
    monitor.write("data.csv", csv(x=[8, 10] * 100))
    (violation,) = monitor.run(**baseline)["constraint_violations"]["violations"]
    assert violation["constraint_check_type"] == "baseline_drift_check"


@pytest.mark.parametrize("method", ["Simple", "Robust"])
def test_categorical_drift_is_the_largest_difference_of_shares(monitor: Any, method: str) -> None:
    before, after = ["a"] * 500 + ["b"] * 300 + ["c"] * 200, ["a"] * 150 + ["b"] * 300 + ["d"] * 50
    distance = 0.3  # of b: 0.6 after 0.3
    if method == "Robust":
        distance -= 1.8 * np.sqrt((1000 + 500) / (1000 * 500))

    violations = check(
        monitor,
        csv(x=before),
        csv(x=after),
        monitoring_config=config(distribution_constraints={"comparison_method": method}),
    )

    (drift,) = [it for it in violations if it["constraint_check_type"] == "baseline_drift_check"]
    assert float(drift["description"].split(": ")[1].split(" ")[0]) == pytest.approx(distance, rel=1e-9)


def test_categorical_drift_by_chi_squared_is_pearsons_test(monitor: Any) -> None:
    before, after = ["a"] * 500 + ["b"] * 300 + ["c"] * 200, ["a"] * 260 + ["b"] * 140 + ["c"] * 100
    chi = {"categorical_drift_method": "ChiSquared", "categorical_comparison_threshold": 0.9}
    expected = stats.chisquare([260, 140, 100], [250, 150, 100]).pvalue

    (violation,) = check(
        monitor, csv(x=before), csv(x=after), monitoring_config=config(distribution_constraints=chi)
    )

    assert float(violation["description"].split(": ")[1].split(" ")[0]) == pytest.approx(expected, rel=1e-9)
    lower = {**chi, "categorical_comparison_threshold": expected / 2}
    assert (
        check(monitor, csv(x=before), csv(x=after), monitoring_config=config(distribution_constraints=lower))
        == []
    )


def test_categories_that_are_expected_too_rarely_are_joined(monitor: Any) -> None:
    before = ["a"] * 600 + ["b"] * 380 + ["c"] * 8 + ["d"] * 12
    after = ["a"] * 50 + ["b"] * 40 + ["c"] * 10
    chi = {"categorical_drift_method": "ChiSquared", "categorical_comparison_threshold": 0.05}
    # c and d together are expected twice, which is still too rare, so b joins them; then a and the rest remain.
    expected = stats.chisquare([50, 50], [60, 40]).pvalue

    (violation,) = check(
        monitor, csv(x=before), csv(x=after), monitoring_config=config(distribution_constraints=chi)
    )

    assert float(violation["description"].split(": ")[1].split(" ")[0]) == pytest.approx(expected, rel=1e-9)


def test_shares_stay_right_when_there_are_too_many_categories_to_count(monitor: Any) -> None:
    before = csv(x=["a"] * 500 + ["b"] * 500)
    after = csv(x=["a"] * 4_000 + [f"new-{index}" for index in range(16_000)])

    drift = check(monitor, before, after)[-1]

    robust = 0.5 - 1.8 * np.sqrt((1000 + 20_000) / (1000 * 20_000))
    assert float(drift["description"].split(": ")[1].split(" ")[0]) == pytest.approx(robust, rel=1e-9)


BOTH = csv(a=[1, 2] * 100, b=[1, 2] * 100), csv(a=["x", "y"] * 100, b=["x", "y"] * 100)


@pytest.mark.parametrize("key", ["monitoringConfigOverrides", "monitoring_config_overrides"])
def test_a_feature_overrides_what_holds_for_all(monitor: Any, key: str) -> None:
    before, after = BOTH
    features = [
        {
            "name": "a",
            "inferred_type": "Integral",
            "completeness": 1.0,
            key: {"evaluate_constraints": "Disabled"},
        },
        {"name": "b", "inferred_type": "Integral", "completeness": 1.0},
    ]

    assert found(check(monitor, before, after, features=features)) == [("b", "data_type_check")]


def test_the_sdks_place_for_overrides_counts_too(monitor: Any) -> None:
    features = [
        {
            "name": "a",
            "inferred_type": "String",
            "completeness": 1.0,
            "string_constraints": {
                "domains": ["CA"],
                "monitoring_config_overrides": {"evaluate_constraints": "Disabled"},
            },
        }
    ]

    assert check(monitor, csv(a=["CA"] * 20), csv(a=["NY"] * 20), features=features) == []


def test_nothing_is_checked_when_constraints_are_disabled(monitor: Any) -> None:
    before, _ = BOTH
    disabled = config(evaluate_constraints="Disabled")

    assert check(monitor, before, csv(c=[1, 2] * 100), monitoring_config=disabled) == []


def test_a_feature_can_be_checked_although_the_others_are_not(monitor: Any) -> None:
    features = [
        {"name": "a", "inferred_type": "Integral", "completeness": 1.0},
        {
            "name": "b",
            "inferred_type": "Integral",
            "completeness": 1.0,
            "monitoringConfigOverrides": {"evaluate_constraints": "Enabled"},
        },
    ]
    disabled = config(evaluate_constraints="Disabled")

    violations = check(monitor, *BOTH, features=features, monitoring_config=disabled)

    assert found(violations) == [("b", "data_type_check")]


def test_drift_is_left_alone_when_comparison_is_disabled(monitor: Any) -> None:
    off = config(distribution_constraints={"perform_comparison": "Disabled"})

    assert check(monitor, csv(x=[1, 2] * 500), csv(x=[8, 9] * 500), monitoring_config=off) == []


def test_constraints_without_statistics_check_all_but_drift(
    monitor: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monitor.write("data.csv", csv(x=[1, 2] * 500, y=[0] * 1000))
    baseline = monitor.baseline(monitor.run())
    monitor.write("data.csv", csv(x=[8, None] * 500, y=[0] * 1000))

    reports = monitor.run(baseline_constraints=baseline["baseline_constraints"])

    assert found(reports["constraint_violations"]["violations"]) == [("x", "completeness_check")]
    assert "distributions are not compared" in capsys.readouterr().out


def test_without_a_baseline_there_is_no_violation_report(monitor: Any) -> None:
    monitor.write("data.csv", csv(x=[1]))

    assert sorted(monitor.run()) == ["constraints", "statistics"]


def test_json_lines_are_checked_like_csv(monitor: Any) -> None:
    monitor.json_lines([{"n": index, "s": "ab"[index % 2]} for index in range(400)])
    baseline = monitor.baseline(monitor.run(JSON_LINES))
    monitor.json_lines([{"n": index / 4, "s": "abc"[index % 3]} for index in range(400)])

    violations = monitor.run(JSON_LINES, **baseline)["constraint_violations"]["violations"]

    assert found(violations) == [
        ("n", "data_type_check"),
        ("n", "baseline_drift_check"),
        ("s", "categorical_values_check"),
        ("s", "baseline_drift_check"),
    ]


def test_the_exit_message_says_how_many_violations_there_are(monitor: Any) -> None:
    check(monitor, csv(x=[1, 2], y=[0, 0]), csv(x=["a", None], y=[0, 0]))

    message = (monitor.root / "output/message").read_text()

    assert message == "CompletedWithViolations: Job completed successfully with 2 violations."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"monitoring_config": config(datatype_check_threshold="much")},
            "datatype_check_threshold is 'much'",
        ),
        (
            {"monitoring_config": config(distribution_constraints={"comparison_method": "Guess"})},
            "comparison_method is 'Guess'; it can be Robust, Simple",
        ),
        ({"features": None}, "baseline_constraints: has no features"),
    ],
)
def test_a_baseline_that_makes_no_sense_is_refused(
    monitor: Any, changes: dict[str, object], words: str
) -> None:
    monitor.write("data.csv", csv(x=[1, 2]))
    baseline = monitor.baseline(monitor.run(), **changes)

    assert words in monitor.refusal(**baseline)
