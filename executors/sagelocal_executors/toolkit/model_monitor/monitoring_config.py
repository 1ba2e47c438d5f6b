"""The ``monitoring_config`` that holds for one feature: the file's, with the feature's overrides on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_contract import JobError

from model_monitor.data_constraints import MONITORING_CONFIG
from model_monitor.distances import ROBUST

_OVERRIDES = ("monitoringConfigOverrides", "monitoring_config_overrides")
_METHODS = {
    "robust": ROBUST,
    "linf_robust": ROBUST,
    "simple": "Simple",
    "linf_simple": "Simple",
}
"""The schema and the table of the same page of the guide spell them differently."""
_CATEGORICAL_METHODS = {"linfinity": "LInfinity", "chisquared": "ChiSquared"}


@dataclass(frozen=True)
class MonitoringConfig:
    """What is checked, and from where on it is a violation."""

    evaluate: bool
    datatype_threshold: float
    domain_threshold: float
    compare: bool
    comparison_threshold: float
    comparison_method: str
    categorical_threshold: float
    categorical_method: str


def of(constraints: Mapping[str, Any], feature: Mapping[str, Any] | None = None) -> MonitoringConfig:
    """Defaults are those of generated files.

    Raises:
        JobError: naming the key, when a value is not what it can be.
    """
    given = _together(constraints.get("monitoring_config") or {}, _overrides(feature or {}))
    config = _together(MONITORING_CONFIG, given)
    compared = config["distribution_constraints"]
    own = (given.get("distribution_constraints") or {}).get("categorical_comparison_threshold")
    return MonitoringConfig(
        evaluate=_enabled(config, "evaluate_constraints"),
        datatype_threshold=_number(config, "datatype_check_threshold"),
        domain_threshold=_number(config, "domain_content_threshold"),
        compare=_enabled(compared, "perform_comparison"),
        comparison_threshold=_number(compared, "comparison_threshold"),
        comparison_method=_one_of(compared, "comparison_method", _METHODS),
        categorical_threshold=_number(
            compared, "comparison_threshold" if own is None else "categorical_comparison_threshold"
        ),
        categorical_method=_one_of(compared, "categorical_drift_method", _CATEGORICAL_METHODS),
    )


def _overrides(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    """The guide puts them into the feature; the SDK's ``Constraints.set_monitoring`` one level below."""
    for place in (feature, feature.get("string_constraints") or {}, feature.get("num_constraints") or {}):
        for name in _OVERRIDES:
            if isinstance(place.get(name), Mapping):
                found: Mapping[str, Any] = place[name]
                return found
    return {}


def _together(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for key, value in below.items():
        if isinstance(value, Mapping) and isinstance(above.get(key), Mapping):
            merged[key] = {**value, **above[key]}
    return merged


def _enabled(config: Mapping[str, Any], key: str) -> bool:
    return _one_of(config, key, {"enabled": "Enabled", "disabled": "Disabled"}) == "Enabled"


def _number(config: Mapping[str, Any], key: str) -> float:
    value = config[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise JobError(f"baseline_constraints: {key} is {value!r}, which is not a number")
    return float(value)


def _one_of(config: Mapping[str, Any], key: str, known: Mapping[str, str]) -> str:
    value = config[key]
    try:
        return known[str(value).lower()]
    except KeyError:
        raise JobError(
            f"baseline_constraints: {key} is {value!r}; it can be {', '.join(dict.fromkeys(known.values()))}"
        ) from None
