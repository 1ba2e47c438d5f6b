"""What the job of a stubbed check leaves: empty results in the right formats (semantics 08 §8.7)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

CHECK_TYPE = "SAGELOCAL_CHECK_TYPE"
"""The variable by which the job of a stubbed check learns its CheckType."""

_REPORT = "constraint_violations.json"
_DATA_CONSTRAINTS: JsonValue = {
    "version": 0.0,
    "features": [],
    "monitoring_config": {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": 0.1,
            "comparison_method": "Robust",
        },
    },
}
_NO_BIAS: JsonValue = {"label": "", "label_value_or_threshold": "", "facets": {}}
_PROBLEMS = {
    "Regression": "regression",
    "BinaryClassification": "binary_classification",
    "MulticlassClassification": "multiclass_classification",
}
_MADE_UP: Mapping[str, JsonValue] = {
    "feature_name": "stub",
    "constraint_check_type": "baseline_drift_check",
    "description": "sagelocal's stub runtime made this violation up, as the stub says violations: true",
}


def check_files(
    env: Mapping[str, str], violations: bool | Sequence[Mapping[str, JsonValue]]
) -> Mapping[str, str]:
    """Per file name, the text that a check's job leaves; nothing for the job of another step."""
    check_type = env.get(CHECK_TYPE)
    if check_type is None:
        return {}
    files = dict(_results(check_type, env.get("problem_type", "")))
    if violations:
        files[_REPORT] = {"violations": [dict(item) for item in _listed(violations)]}
    return {name: json.dumps(content, indent=2) for name, content in files.items()}


def _listed(violations: bool | Sequence[Mapping[str, JsonValue]]) -> Sequence[Mapping[str, JsonValue]]:
    return (_MADE_UP,) if isinstance(violations, bool) else violations


def _results(check_type: str, problem_type: str) -> Mapping[str, JsonValue]:
    match check_type:
        case "DATA_QUALITY":
            statistics: JsonValue = {"version": 0.0, "dataset": {"item_count": 0}, "features": []}
            return {"statistics.json": statistics, "constraints.json": _DATA_CONSTRAINTS}
        case "MODEL_QUALITY":
            problem = _PROBLEMS.get(problem_type, "regression")
            return {
                "statistics.json": {
                    "version": 0.0,
                    "dataset": {"item_count": 0},
                    f"{problem}_metrics": {},
                },
                "constraints.json": {"version": 0.0, f"{problem}_constraints": {}},
            }
        case "DATA_BIAS":
            return {"analysis.json": {"version": "1.0", "pre_training_bias_metrics": _NO_BIAS}}
        case "MODEL_BIAS":
            return {"analysis.json": {"version": "1.0", "post_training_bias_metrics": _NO_BIAS}}
        case _:
            return {"analysis.json": {"version": "1.0", "explanations": {"kernel_shap": {}}}}
