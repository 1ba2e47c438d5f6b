"""constraints.json of a data set: what to ask of the next one (guide: model-monitor-byoc-constraints)."""

from __future__ import annotations

from typing import Any

from model_monitor.column import STRING, Column
from model_monitor.histogram import Histogram
from model_monitor.profile import Profile

Document = dict[str, Any]

RARE = 0.1
"""At most this share of the distinct values may occur only once, for the values to be a domain (Deequ: CategoricalRangeRule)."""

MONITORING_CONFIG: Document = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "LInfinity",
    },
}
"""As generated files have it; the guide's schema shows other thresholds."""


def document(profile: Profile) -> Document:
    return {
        "version": 0.0,
        "features": [_feature(profile, column) for column in profile.columns],
        "monitoring_config": MONITORING_CONFIG,
    }


def _feature(profile: Profile, column: Column) -> Document:
    feature: Document = {
        "name": column.name,
        "inferred_type": column.type,
        "completeness": profile.completeness(column),
    }
    if column.present and column.numbers is not None:
        feature["num_constraints"] = {"is_non_negative": column.numbers.least >= 0}
    elif column.type == STRING and column.texts is not None:
        domain = _domain(column.texts.histogram)
        if domain:
            feature["string_constraints"] = {"domains": domain}
    return feature


def _domain(histogram: Histogram) -> list[str]:
    listed = histogram.listed()
    once = sum(count == 1 for count in listed.values())
    return list(listed) if once <= RARE * len(listed) else []
