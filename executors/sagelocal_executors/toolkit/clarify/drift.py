"""What has become worse since a baseline (AWS: Bias Drift Violations; Model Feature Attribution Drift Violations)."""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_contract import JobError, missing_package

from clarify.bias import Measured, Section
from clarify.sample import EMPTY_FACET, EMPTY_REST
from clarify.wording import listed

if TYPE_CHECKING:
    from clarify.explanations import Explained

    Violation = Mapping[str, str]

BALANCED = 0.0
BALANCED_AT = {"DI": 1.0}
"""The value of a metric without bias; a metric drifts when it gets farther from it. The guide says so of zero; the ratio
DI, though, tells of parity at one."""

TOLERANCE = 1e-9
"""By how much a metric may be farther off: what computing in another order makes of the same data."""

LEAST_NDCG = 0.9
_EMPTY = {EMPTY_FACET, EMPTY_REST}
_INTERVAL = re.compile(r"^\((?P<bound>[^,\]]+), [^\]]+\]$")


def read_baseline(path: Path) -> Mapping[str, Any]:
    """An analysis.json of an earlier run, or constraints in its form.

    Raises:
        JobError: there is none, or it is no JSON object.
    """
    file = path
    if path.is_dir():
        there = sorted(path.glob("*.json"))
        if len(there) != 1:
            raise JobError(
                f"baseline_constraints: {path} must hold one JSON file, not {listed(p.name for p in there)}"
            )
        file = there[0]
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"baseline_constraints: {file.name} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise JobError(f"baseline_constraints: {file.name} must be a JSON object, as analysis.json is")
    return content


def violations(
    baseline: Mapping[str, Any], sections: Sequence[Section], explained: Explained | None
) -> list[Violation]:
    """Everything of the baseline that the new results are worse than."""
    found: list[Violation] = []
    for section in sections:
        before = _metrics(baseline.get(section.name))
        _say_gone(section, before)
        for measured in section.measured:
            found += _bias(measured, before.get((measured.facet, measured.group.given), {}))
    if explained is not None:
        found += _attributions(explained, baseline)
    return found


def _metrics(section: Any) -> dict[tuple[str, str], dict[str, float]]:
    """The values of a section of the baseline, by facet and by what of it is sensitive."""
    try:
        return {
            (facet, given(group["value_or_threshold"])): {
                metric["name"]: float(metric["value"])
                for metric in group["metrics"]
                if metric.get("value") is not None
            }
            for facet, groups in (section or {"facets": {}})["facets"].items()
            for group in groups
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobError(f"baseline_constraints: this is not what analysis.json has: {error!r}") from None


def given(text: Any) -> str:
    """What the configuration had said: of the interval ``(40, 75]`` the bound, as the other end moves with the data."""
    match = _INTERVAL.match(str(text))
    bound = match.group("bound") if match else str(text)
    return bound[:-2] if match and bound.endswith(".0") else bound


def _bias(measured: Measured, before: Mapping[str, float]) -> Iterator[Violation]:
    for name, limit in before.items():
        if name not in measured.values:
            continue
        value = measured.values[name]
        if _is_worse(name, value, limit, measured.errors.get(name, "")):
            shown = measured.errors[name] if value is None else value
            yield {
                "facet": measured.facet,
                "facet_value": measured.group.given,
                "metric_name": name,
                "constraint_check_type": "bias_drift_check",
                "description": f"Value {shown} does not meet the constraint requirement",
            }


def _is_worse(name: str, value: float | None, limit: float, error: str) -> bool:
    """Whether the metric is farther from balance than in the baseline, or has lost one of its facets."""
    if value is None:
        return error in _EMPTY
    balance = BALANCED_AT.get(name, BALANCED)
    now, then = abs(value - balance), abs(limit - balance)
    return now > then and not math.isclose(now, then, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _say_gone(section: Section, before: Mapping[tuple[str, str], Any]) -> None:
    now = {(measured.facet, measured.group.given) for measured in section.measured}
    gone = [f"{facet} ({value})" for facet, value in before if (facet, value) not in now]
    if gone:
        print(f"note: the baseline's {section.name} of {listed(gone)} are not measured any more", flush=True)


def _attributions(explained: Explained, baseline: Mapping[str, Any]) -> Iterator[Violation]:
    before = (baseline.get("explanations") or {}).get("kernel_shap") or {}
    for i, label in enumerate(explained.labels):
        if label not in before:
            print(f"note: the baseline explains no {label}; it has {listed(before)}", flush=True)
            continue
        now = {feature: float(explained.overall[i, j]) for j, feature in enumerate(explained.features)}
        score = ndcg(before[label].get("global_shap_values") or {}, now)
        if score < LEAST_NDCG:
            yield {
                "label": label,
                "metric_name": "shap",
                "constraint_check_type": "feature_attribution_drift_check",
                "description": f"Feature attribution drift {score} exceeds threshold {LEAST_NDCG}",
            }


def ndcg(before: Mapping[str, float], now: Mapping[str, float]) -> float:
    """How well the new ranking of features keeps what mattered: 1 when the order is the same.

    The magnitudes count; a feature that only one side has counts as nothing on the other.
    """
    features = list({**before, **now})
    relevance = [abs(before.get(feature, 0.0)) for feature in features]
    if len(features) < 2 or not any(relevance):
        return 1.0
    ranking = [abs(now.get(feature, 0.0)) for feature in features]
    return float(_metrics_library().ndcg_score([relevance], [ranking]))


def _metrics_library() -> Any:
    # Not imported at the top: it takes a second, and only explanations with a baseline need it.
    try:
        return importlib.import_module("sklearn.metrics")
    except ImportError:
        raise missing_package("scikit-learn", "checks") from None
