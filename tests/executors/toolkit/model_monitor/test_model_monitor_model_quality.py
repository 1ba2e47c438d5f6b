"""Metrics agree with scikit-learn and with the guide's examples; constraints and violations follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

HEADERLESS = {"csv": {"header": False}}
JSON_LINES = {"json": {"lines": True}}
REGRESSION = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "Regression",
    "inference_attribute": "prediction",
    "ground_truth_attribute": "label",
}
BINARY = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "probability_attribute": "probability",
    "ground_truth_attribute": "label",
}
MULTICLASS = {**REGRESSION, "problem_type": "MulticlassClassification"}


def values(document: dict[str, Any]) -> dict[str, float]:
    return {name: it["value"] for name, it in document.items() if "value" in it}


@pytest.fixture(name="scored")
def _scored() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    label = rng.integers(0, 2, 3000)
    probability = np.clip(label * 0.3 + rng.random(3000) * 0.7, 0, 1).round(2)
    return pd.DataFrame(
        {"other": "x", "label": label, "probability": probability, "prediction": (probability >= 0.6) * 1}
    )


@pytest.fixture(name="classes")
def _classes() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    label = rng.choice(["cat", "dog", "owl"], 2500, p=[0.6, 0.3, 0.1])
    wrong = rng.random(2500) < 0.3
    return pd.DataFrame(
        {"label": label, "prediction": np.where(wrong, rng.choice(["cat", "dog"], 2500), label)}
    )


def test_regression_metrics_agree_with_scikit_learn(monitor: Any) -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(5, 2, 1000)
    predicted = truth + rng.normal(0.1, 0.5, 1000)
    monitor.write("data.csv", pd.DataFrame({"label": truth, "prediction": predicted}).to_csv(index=False))

    document = monitor.run(**REGRESSION)["statistics"]

    assert document["dataset"] == {"item_count": 1000}
    mse = metrics.mean_squared_error(truth, predicted)
    assert values(document["regression_metrics"]) == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(truth, predicted),
            "mse": mse,
            "rmse": mse**0.5,
            "r2": metrics.r2_score(truth, predicted),
        },
        rel=1e-9,
    )


def test_binary_metrics_agree_with_scikit_learn(monitor: Any, scored: pd.DataFrame) -> None:
    monitor.write("data.csv", scored.to_csv(index=False))

    found = monitor.run(**BINARY)["statistics"]["binary_classification_metrics"]

    truth, predicted, scores = scored["label"], scored["prediction"], scored["probability"]
    ((tn, fp), (fn, tp)) = metrics.confusion_matrix(truth, predicted)
    assert found["confusion_matrix"] == {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}}
    ones = np.ones_like(truth)
    scores_of = {"f0_5": 0.5, "f1": 1, "f2": 2}
    expected = {
        "recall": metrics.recall_score(truth, predicted),
        "precision": metrics.precision_score(truth, predicted),
        "accuracy": metrics.accuracy_score(truth, predicted),
        "true_positive_rate": tp / (tp + fn),
        "true_negative_rate": tn / (tn + fp),
        "false_positive_rate": fp / (fp + tn),
        "false_negative_rate": fn / (fn + tp),
        "auc": metrics.roc_auc_score(truth, scores),
        **{name: metrics.fbeta_score(truth, predicted, beta=beta) for name, beta in scores_of.items()},
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": truth.mean(),
        "accuracy_best_constant_classifier": truth.mean(),
        **{
            f"{name}_best_constant_classifier": metrics.fbeta_score(truth, ones, beta=beta)
            for name, beta in scores_of.items()
        },
    }
    assert values(found) == pytest.approx(expected, rel=1e-9)
    rates, recalls, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    curve = found["receiver_operating_characteristic_curve"]
    assert curve["false_positive_rates"] == pytest.approx([*rates, 1.0], rel=1e-9)
    assert curve["true_positive_rates"] == pytest.approx([*recalls, 1.0], rel=1e-9)
    precisions, recalls, _ = metrics.precision_recall_curve(truth, scores)
    curve = found["precision_recall_curve"]
    assert curve["recalls"] == pytest.approx(recalls[::-1].tolist(), rel=1e-9)
    assert curve["precisions"][1:] == pytest.approx(precisions[::-1][1:].tolist(), rel=1e-9)


def test_multiclass_metrics_agree_with_scikit_learn(monitor: Any, classes: pd.DataFrame) -> None:
    monitor.write("data.csv", classes.to_csv(index=False))

    found = monitor.run(**MULTICLASS)["statistics"]["multiclass_classification_metrics"]

    truth, predicted = classes["label"], classes["prediction"]
    names = ["cat", "dog", "owl"]
    matrix = metrics.confusion_matrix(truth, predicted, labels=names)
    assert found["confusion_matrix"] == {
        name: dict(zip(names, row, strict=True)) for name, row in zip(names, matrix.tolist(), strict=True)
    }

    def expected(guess: Any) -> dict[str, float]:
        how: dict[str, Any] = {"average": "weighted", "zero_division": 0}
        return {
            "accuracy": metrics.accuracy_score(truth, guess),
            "weighted_recall": metrics.recall_score(truth, guess, **how),
            "weighted_precision": metrics.precision_score(truth, guess, **how),
            "weighted_f0_5": metrics.fbeta_score(truth, guess, beta=0.5, **how),
            "weighted_f1": metrics.fbeta_score(truth, guess, beta=1, **how),
            "weighted_f2": metrics.fbeta_score(truth, guess, beta=2, **how),
        }

    constant = expected(np.full(len(truth), "owl"))
    assert values(found) == pytest.approx(
        {
            **expected(predicted),
            **{f"{name}_best_constant_classifier": value for name, value in constant.items()},
        },
        rel=1e-9,
    )


def pairs(*counts: tuple[int, int, int]) -> str:
    """CSV of so many records per (true label, predicted label)."""
    lines = [f"{true},{predicted}" for true, predicted, count in counts for _ in range(count)]
    return "\n".join(["label,prediction", *lines])


def test_the_guides_multiclass_example_is_reproduced(monitor: Any) -> None:
    monitor.write("data.csv", pairs((0, 0, 1180), (0, 1, 510), (1, 0, 268), (1, 1, 138)))

    found = values(monitor.run(**MULTICLASS)["statistics"]["multiclass_classification_metrics"])

    assert found == pytest.approx(
        {
            "accuracy": 0.6288167938931297,
            "weighted_recall": 0.6288167938931297,
            "weighted_precision": 0.6983172269629505,
            "weighted_f0_5": 0.6803947317178771,
            "weighted_f1": 0.6571162346664904,
            "weighted_f2": 0.6384024354394601,
            "accuracy_best_constant_classifier": 0.19370229007633588,
            "weighted_recall_best_constant_classifier": 0.19370229007633588,
            "weighted_precision_best_constant_classifier": 0.03752057718081697,
            "weighted_f0_5_best_constant_classifier": 0.04473443104152011,
            "weighted_f1_best_constant_classifier": 0.06286421244683643,
            "weighted_f2_best_constant_classifier": 0.10570313141262414,
        },
        rel=1e-9,
    )


def test_the_guides_binary_example_is_reproduced(monitor: Any) -> None:
    monitor.write("data.csv", pairs((0, 0, 1), (0, 1, 2), (1, 1, 1)))

    found = monitor.run(**{**BINARY, "probability_attribute": ""})["statistics"][
        "binary_classification_metrics"
    ]

    assert {it["standard_deviation"] for name, it in found.items() if name != "confusion_matrix"} == {"NaN"}
    assert values(found) == pytest.approx(
        {
            "recall": 1.0,
            "precision": 0.3333333333333333,
            "accuracy": 0.5,
            "true_positive_rate": 1.0,
            "true_negative_rate": 0.33333333333333337,
            "false_positive_rate": 0.6666666666666666,
            "false_negative_rate": 0.0,
            "f0_5": 0.3846153846153846,
            "f1": 0.5,
            "f2": 0.7142857142857143,
            "recall_best_constant_classifier": 1.0,
            "precision_best_constant_classifier": 0.25,
            "accuracy_best_constant_classifier": 0.25,
            "f0_5_best_constant_classifier": 0.29411764705882354,
            "f1_best_constant_classifier": 0.4,
            "f2_best_constant_classifier": 0.625,
        },
        rel=1e-9,
    )


def test_the_standard_deviation_is_that_of_samples_without_replacement(monitor: Any) -> None:
    monitor.write("data.csv", pairs((0, 0, 1180), (0, 1, 510), (1, 0, 268), (1, 1, 138)))

    first = monitor.run(**MULTICLASS)["statistics"]

    deviation = first["multiclass_classification_metrics"]["accuracy"]["standard_deviation"]
    share, count = 0.6288, 2096
    expected = (share * (1 - share) / (0.8 * count) * 0.2) ** 0.5
    assert expected / 4 < deviation < expected * 2.5  # of five samples only
    assert monitor.run(**MULTICLASS)["statistics"] == first


def test_without_a_prediction_the_probability_decides(monitor: Any, scored: pd.DataFrame) -> None:
    monitor.write("data.csv", scored.to_csv(index=False, header=False))
    variables = {
        **BINARY,
        "inference_attribute": "",
        "probability_attribute": "_c2",
        "ground_truth_attribute": "1",
        "probability_threshold_attribute": "0.6",
    }

    found = monitor.run(HEADERLESS, **variables)["statistics"]["binary_classification_metrics"]

    assert found["accuracy"]["value"] == pytest.approx(
        metrics.accuracy_score(scored["label"], scored["probability"] >= 0.6), rel=1e-9
    )


def test_json_lines_are_measured_by_json_path(monitor: Any) -> None:
    truth, predicted = [1.0, 2.0, 3.5], [1.5, 2.0, 3.0]
    monitor.json_lines(
        [{"label": true, "output": {"scores": [guess]}} for true, guess in zip(truth, predicted, strict=True)]
    )

    document = monitor.run(JSON_LINES, **{**REGRESSION, "inference_attribute": "$.output.scores[0]"})

    assert document["statistics"]["regression_metrics"]["mae"]["value"] == pytest.approx(1 / 3)


def test_labels_mean_the_same_however_they_are_written(monitor: Any) -> None:
    monitor.write("data.csv", "label,prediction\n1.0,True\n0,false\n1,TRUE\n0.0,True\n")

    found = monitor.run(**{**BINARY, "probability_attribute": ""})["statistics"][
        "binary_classification_metrics"
    ]

    assert found["confusion_matrix"] == {"0": {"0": 1, "1": 1}, "1": {"0": 0, "1": 2}}


def test_number_labels_are_ordered_as_numbers(monitor: Any) -> None:
    monitor.write("data.csv", "label,prediction\n10,10.0\n2,2\n2,10\n")

    found = monitor.run(**MULTICLASS)["statistics"]["multiclass_classification_metrics"]["confusion_matrix"]

    assert list(found) == ["2", "10"]
    assert found["2"] == {"2": 1, "10": 1}


def test_a_curve_of_many_points_is_thinned_and_its_area_is_not(monitor: Any) -> None:
    rng = np.random.default_rng(8)
    label = rng.integers(0, 2, 5000)
    probability = rng.random(5000) + label / 3
    frame = pd.DataFrame({"label": label, "probability": probability, "prediction": label})
    monitor.write("data.csv", frame.to_csv(index=False))

    found = monitor.run(**BINARY)["statistics"]["binary_classification_metrics"]

    curve = found["receiver_operating_characteristic_curve"]
    assert len(curve["true_positive_rates"]) == len(curve["false_positive_rates"]) == 1002
    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(label, probability), rel=1e-9)
    thinned = metrics.auc(curve["false_positive_rates"], curve["true_positive_rates"])
    assert thinned == pytest.approx(found["auc"]["value"], abs=1e-3)


@pytest.mark.parametrize("label", ["0", "1"])
def test_one_label_alone_has_metrics_nevertheless(monitor: Any, label: str) -> None:
    monitor.write("data.csv", f"label,prediction,probability\n{label},0,0.2\n{label},1,0.9\n")

    found = values(monitor.run(**BINARY)["statistics"]["binary_classification_metrics"])

    assert found["accuracy"] == 0.5
    assert found["auc"] == float(label)


def test_a_constant_truth_has_no_r2_and_no_constraint_on_it(monitor: Any) -> None:
    monitor.write("data.csv", "label,prediction\n3,1\n3,2\n")

    reports = monitor.run(**REGRESSION)

    assert reports["statistics"]["regression_metrics"]["r2"]["value"] == "NaN"
    assert sorted(reports["constraints"]["regression_constraints"]) == ["mae", "mse", "rmse"]


def test_constraints_are_the_metrics_with_the_direction_that_is_worse(
    monitor: Any, scored: pd.DataFrame
) -> None:
    monitor.write("data.csv", scored.to_csv(index=False))

    reports = monitor.run(**BINARY)

    found = values(reports["statistics"]["binary_classification_metrics"])
    constraints = reports["constraints"]["binary_classification_constraints"]
    worse = dict.fromkeys(("false_positive_rate", "false_negative_rate"), "GreaterThanThreshold")
    names = [name for name in found if not name.endswith("best_constant_classifier")]
    assert constraints == {
        name: {"threshold": found[name], "comparison_operator": worse.get(name, "LessThanThreshold")}
        for name in names
    }


def test_a_worse_model_violates_the_better_ones_constraints(monitor: Any) -> None:
    monitor.write("data.csv", "label,prediction\n1,1.1\n2,2\n3,2.9\n")
    baseline = monitor.baseline(monitor.run(**REGRESSION))

    assert monitor.run(**REGRESSION, **baseline)["constraint_violations"] == {"violations": []}

    monitor.write("data.csv", "label,prediction\n1,2\n2,2\n3,2\n")
    violations = monitor.run(**REGRESSION, **baseline)["constraint_violations"]["violations"]

    assert [(it["metric_name"], it["constraint_check_type"]) for it in violations] == [
        ("mae", "GreaterThanThreshold"),
        ("mse", "GreaterThanThreshold"),
        ("rmse", "GreaterThanThreshold"),
        ("r2", "LessThanThreshold"),
    ]
    assert violations[3]["description"].startswith("Metric r2 with 0.0 +/- NaN was LessThanThreshold 0.99")


def test_a_metric_that_lost_its_value_is_a_violation(monitor: Any) -> None:
    monitor.write("data.csv", "label,prediction\n1,1\n2,2\n")
    baseline = monitor.baseline(monitor.run(**REGRESSION))
    monitor.write("data.csv", "label,prediction\n2,2\n2,2\n")

    violations = monitor.run(**REGRESSION, **baseline)["constraint_violations"]["violations"]

    assert [it["metric_name"] for it in violations] == ["r2"]


@pytest.mark.parametrize(
    ("content", "variables", "words"),
    [
        (
            "label,prediction\n1,2\n3,many\n",
            REGRESSION,
            "data.csv, record 2: inference_attribute prediction is 'many', which is not a number",
        ),
        (
            "label,prediction,probability\n1,1,0.5\n,0,0.5\nyes,1,0.5\n",
            BINARY,
            "data.csv, record 3: ground_truth_attribute label is 'yes', but labels of BinaryClassification are",
        ),
        (
            "label,guess\n1,2\n",
            REGRESSION,
            "there is no column 'prediction'; there are: label, guess",
        ),
        (
            "label,prediction\n1,2\n",
            {**REGRESSION, "ground_truth_attribute": "_c7"},
            "there is no column '_c7'",
        ),
        (
            "label,prediction\n,2\n1,\n",
            REGRESSION,
            "no record has a value for each of ground_truth_attribute (label), inference_attribute (prediction)",
        ),
        (
            "label,prediction\n1,2\n",
            {**REGRESSION, "inference_attribute": ""},
            "inference_attribute is missing; Regression needs it",
        ),
        (
            "label,prediction\n1,2\n",
            {**BINARY, "probability_threshold_attribute": "half"},
            "probability_threshold_attribute is 'half', which is not a number",
        ),
        ("label,prediction\n1,2\n3\n", REGRESSION, "data.csv, line 3: 1 field(s), but the header has 2"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    monitor: Any, content: str, variables: dict[str, str], words: str
) -> None:
    monitor.write("data.csv", content)

    assert words in monitor.refusal(**variables)


def test_a_baseline_of_another_kind_is_refused(monitor: Any) -> None:
    monitor.write("data.csv", "label,prediction\n1,1\n2,2\n")
    data_quality = monitor.baseline(monitor.run())

    assert "has no regression_constraints, but version, features, monitoring_config" in monitor.refusal(
        **REGRESSION, **data_quality
    )

    model_quality = monitor.baseline(monitor.run(**REGRESSION))
    assert "baseline_constraints: has no features, but version, regression_constraints" in monitor.refusal(
        **model_quality
    )


def test_captured_data_are_measured_by_index(monitor: Any) -> None:
    sides = {
        "endpointInput": {"data": "3", "encoding": "CSV"},
        "endpointOutput": {"data": "5", "encoding": "CSV"},
    }
    monitor.json_lines([{"captureData": sides}])
    variables = {**REGRESSION, "inference_attribute": "_c0", "ground_truth_attribute": "_c1"}

    document = monitor.run({"sagemakerCaptureJson": {}}, **variables)["statistics"]

    assert document["regression_metrics"]["mae"]["value"] == 2.0
