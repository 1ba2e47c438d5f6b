"""What counts as worse than a baseline."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clarify.drift import given, ndcg

CONFIG: dict[str, Any] = {
    "dataset_type": "text/csv",
    "label": "y",
    "label_values_or_threshold": [1],
    "facet": [{"name_or_index": "s", "value_or_threshold": [1]}],
    "methods": {"pre_training_bias": {"methods": ["CI", "DPL"]}},
}
DATA = "y,s,n\n1,0,4\n1,0,5\n1,0,6\n0,0,7\n1,1,8\n0,1,9\n"  # CI 1/3, DPL 1/4


def baseline(facet: str = "s", value: str = "1", **metrics: float | None) -> dict[str, Any]:
    listed = [{"name": name, "description": name, "value": each} for name, each in metrics.items()]
    facets = {facet: [{"value_or_threshold": value, "metrics": listed}]}
    return {"version": "1.0", "pre_training_bias_metrics": {"label": "y", "facets": facets}}


async def compared(job: Any, before: Any, config: Any = CONFIG, model: Any = None) -> Any:
    path = job.write("processing/baseline/constraints/analysis.json", json.dumps(before))
    return await job.run(config, model, baseline_constraints=str(path))


async def violations(job: Any, before: Any, **changed: Any) -> list[dict[str, str]]:
    end = await compared(job, before, {**CONFIG, **changed})
    assert end.code == 0, end.output
    report = end.json("constraint_violations.json")
    assert report["version"] == "1.0"
    found: list[dict[str, str]] = report["violations"]
    return found


async def test_the_same_data_violates_nothing(clarify_job: Any) -> None:
    clarify_job.data(DATA)
    first = await clarify_job.run(CONFIG)

    assert await violations(clarify_job, first.json()) == []


@pytest.mark.parametrize(
    ("before", "worse"),
    [(0.2, ["DPL"]), (-0.2, ["DPL"]), (0.25, []), (-0.25, []), (0.3, []), (-0.9, []), (None, [])],
)
async def test_a_metric_that_is_farther_from_zero_is_a_violation(
    clarify_job: Any, before: float | None, worse: list[str]
) -> None:
    clarify_job.data(DATA)

    found = await violations(clarify_job, baseline(CI=0.5, DPL=before))

    assert [violation["metric_name"] for violation in found] == worse


async def test_a_violation_is_written_as_model_monitor_writes_it(clarify_job: Any) -> None:
    clarify_job.data(DATA)

    assert await violations(clarify_job, baseline(DPL=0.1)) == [
        {
            "facet": "s",
            "facet_value": "1",
            "metric_name": "DPL",
            "constraint_check_type": "bias_drift_check",
            "description": "Value 0.25 does not meet the constraint requirement",
        }
    ]


async def test_a_threshold_is_the_same_one_whatever_the_largest_value(clarify_job: Any) -> None:
    clarify_job.data(DATA)
    facet = [{"name_or_index": "n", "value_or_threshold": [6]}]

    found = await violations(clarify_job, baseline("n", "(6, 100]", DPL=0.1), facet=facet)

    assert [violation["facet_value"] for violation in found] == ["6"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(40, 75]", "40"),
        ("(40.0, 75.5]", "40"),
        ("(0.25, 1.0]", "0.25"),
        ("1", "1"),
        ("a,b", "a,b"),
        ("(odd)", "(odd)"),
    ],
)
def test_an_interval_is_called_by_its_bound(text: str, said: str) -> None:
    assert given(text) == said


@pytest.mark.parametrize(("before", "worse"), [(0.6, ["DI"]), (1.4, ["DI"]), (0.2, []), (1.6, [])])
async def test_disparate_impact_is_balanced_at_one(clarify_job: Any, before: float, worse: list[str]) -> None:
    clarify_job.data("y,s,p\n1,0,1\n1,0,1\n1,1,1\n0,1,0\n")  # DI is a half
    methods = {"post_training_bias": {"methods": ["DI"]}}
    constraints = {"post_training_bias_metrics": baseline(DI=before)["pre_training_bias_metrics"]}

    found = await violations(clarify_job, constraints, methods=methods, predicted_label="p")

    assert [violation["metric_name"] for violation in found] == worse


async def test_an_infinite_metric_is_worse_than_any(clarify_job: Any) -> None:
    clarify_job.data("y,s\n1,0\n0,0\n0,1\n0,1\n")

    found = await violations(
        clarify_job, baseline(KL=5.0), methods={"pre_training_bias": {"methods": ["KL"]}}
    )

    assert [violation["description"] for violation in found] == [
        "Value inf does not meet the constraint requirement"
    ]


async def test_a_group_that_is_gone_is_a_violation(clarify_job: Any) -> None:
    clarify_job.data("y,s\n1,0\n0,0\n")

    found = await violations(clarify_job, baseline(DPL=0.9))

    assert [violation["description"] for violation in found] == [
        "Value Facet set is empty does not meet the constraint requirement"
    ]


async def test_what_is_not_measured_any_more_is_said(clarify_job: Any) -> None:
    clarify_job.data(DATA)

    end = await compared(clarify_job, baseline("age", "(40, 75]", DPL=0.1))

    assert end.json("constraint_violations.json")["violations"] == []
    assert (
        "note: the baseline's pre_training_bias_metrics of age (40) are not measured any more" in end.output
    )


def explained(**values: float) -> dict[str, Any]:
    return {
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": values, "expected_value": 0.5}}}
    }


def test_ndcg_is_awss_example() -> None:
    before = {"SAT score": 0.70, "GPA": 0.50, "Class rank": 0.05}
    now = {"SAT score": 0.10, "GPA": 0.20, "Class rank": 0.70}

    gained = 0.05 / 1 + 0.50 / 1.584962500721156 + 0.70 / 2
    best = 0.70 / 1 + 0.50 / 1.584962500721156 + 0.05 / 2
    assert ndcg(before, now) == pytest.approx(gained / best, rel=1e-9)
    assert round(ndcg(before, now), 2) == 0.69


@pytest.mark.parametrize(
    ("before", "now", "score"),
    [
        ({"a": 3, "b": 1}, {"a": 2, "b": 1}, 1),
        ({"a": -3, "b": 1}, {"a": 2, "b": -1}, 1),
        ({"a": 3}, {"a": 1}, 1),
        ({}, {"a": 1, "b": 2}, 1),
        ({"a": 1, "b": 0}, {"b": 2}, 1 / 1.584962500721156),
    ],
)
def test_ndcg_looks_at_the_order_of_magnitudes(before: Any, now: Any, score: float) -> None:
    assert ndcg(before, now) == pytest.approx(score, rel=1e-9)


SHAP: dict[str, Any] = {
    "dataset_type": "text/csv",
    "methods": {"shap": {"baseline": [[0, 0, 0]]}},
    "predictor": {"model_name": "m"},
}


@pytest.mark.parametrize(
    ("before", "worse"),
    [({"a": 0.7, "b": 0.5, "c": 0.05}, True), ({"a": 0.01, "b": 0.2, "c": 0.9}, False)],
)
async def test_attributions_whose_order_has_changed_are_a_violation(
    clarify_job: Any, csv_model: Any, before: dict[str, float], worse: bool
) -> None:
    clarify_job.data("a,b,c\n1,1,1\n2,2,2\n")

    end = await compared(
        clarify_job, explained(**before), SHAP, csv_model(lambda rows: rows @ [0.1, 0.2, 0.7])
    )

    found = end.json("constraint_violations.json")["violations"]
    if worse:
        score = ndcg(before, {"a": 0.1, "b": 0.2, "c": 0.7})
        assert found == [
            {
                "label": "label0",
                "metric_name": "shap",
                "constraint_check_type": "feature_attribution_drift_check",
                "description": f"Feature attribution drift {score} exceeds threshold 0.9",
            }
        ]
    else:
        assert found == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "analysis.json must be a JSON object"),
        ("{", "analysis.json cannot be read as JSON"),
        ('{"pre_training_bias_metrics": {"facets": {"s": [{}]}}}', "this is not what analysis.json has"),
    ],
)
async def test_a_baseline_that_is_none_is_refused(clarify_job: Any, content: str, said: str) -> None:
    clarify_job.data(DATA)
    path = clarify_job.write("processing/baseline/constraints/analysis.json", content)

    end = await clarify_job.run(CONFIG, None, baseline_constraints=str(path))

    assert end.code == 1
    assert f"baseline_constraints: {said}" in end.message
