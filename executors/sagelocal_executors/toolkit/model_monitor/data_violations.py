"""constraint_violations.json of a data set: where it breaks a baseline (guide: model-monitor-interpreting-violations)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any

from model_monitor import data_statistics, distances, documents, monitoring_config
from model_monitor.column import FRACTIONAL, INTEGRAL, UNKNOWN, Column, Expected
from model_monitor.monitoring_config import MonitoringConfig
from model_monitor.profile import Profile

Document = dict[str, Any]
_SHOWN = 5


class Baseline:
    """What a data set is held against; without statistics, distributions are not compared."""

    def __init__(self, constraints: Document, statistics: Document | None) -> None:
        self.constraints = constraints
        self.features = documents.features(constraints, "baseline_constraints")
        self.statistics = documents.features(statistics, "baseline_statistics") if statistics else {}

    def expected(self) -> dict[str, Expected]:
        """What must be known of each column, to judge it."""
        return {
            name: Expected(
                str(feature.get("inferred_type", UNKNOWN)), (*_domain(feature), *self.categories(name))
            )
            for name, feature in self.features.items()
        }

    def categories(self, name: str) -> dict[str, float]:
        return data_statistics.categories(self.statistics.get(name, {}))

    def quantiles(self, name: str) -> Document:
        return data_statistics.quantiles(self.statistics.get(name, {}))

    def config(self, name: str | None = None) -> MonitoringConfig:
        return monitoring_config.of(self.constraints, self.features.get(name or ""))


def _domain(feature: Mapping[str, Any]) -> list[str]:
    return [str(value) for value in (feature.get("string_constraints") or {}).get("domains") or ()]


def document(profile: Profile, statistics: Mapping[str, Any], baseline: Baseline) -> Document:
    """All violations: those of columns that both have, in order, then columns that one of them lacks.

    Args:
        profile: of the data set, made with what the baseline `expected`.
        statistics: the document about the same data set.
        baseline: to hold it against.
    """
    calculated = documents.features(statistics, "statistics.json")
    found: list[Document] = []
    for column in profile.columns:
        if column.name in baseline.features and baseline.config(column.name).evaluate:
            found += _of(column, profile, calculated[column.name], baseline)
    if baseline.config().evaluate:
        found += _absent(profile, baseline)
    return {"violations": found}


def _of(column: Column, profile: Profile, calculated: Document, baseline: Baseline) -> Iterator[Document]:
    feature, config = baseline.features[column.name], baseline.config(column.name)
    yield from _data_type(column, str(feature.get("inferred_type", UNKNOWN)), config)
    yield from _completeness(column, profile.completeness(column), feature)
    yield from _categorical_values(column, _domain(feature), config)
    if config.compare:
        yield from _numerical_drift(column.name, calculated, baseline, config)
        yield from _categorical_drift(column, baseline, config)


def _violation(name: str, check: str, description: str) -> Document:
    return {"feature_name": name, "constraint_check_type": check, "description": description}


def _percent(share: float) -> str:
    return f"{share * 100}%"


def _data_type(column: Column, expected: str, config: MonitoringConfig) -> Iterator[Document]:
    matching = {INTEGRAL: column.integral, FRACTIONAL: column.integral + column.fractional}.get(expected)
    if matching is None or not column.present:
        return
    share = matching / column.present
    if share < config.datatype_threshold:
        yield _violation(
            column.name,
            "data_type_check",
            f"Data type does not match. Expected data type: {expected},"
            f" Expected match: {_percent(config.datatype_threshold)}."
            f" Observed: Only {_percent(share)} of data is {expected}.",
        )


def _completeness(column: Column, observed: float, feature: Mapping[str, Any]) -> Iterator[Document]:
    wanted = feature.get("completeness")
    if isinstance(wanted, (int, float)) and observed < wanted:
        yield _violation(
            column.name,
            "completeness_check",
            f"Data completeness is too low. Expected: {_percent(wanted)}, Observed: {_percent(observed)}.",
        )


def _categorical_values(column: Column, domain: list[str], config: MonitoringConfig) -> Iterator[Document]:
    if not domain or not column.present or column.texts is None:
        return
    counts = column.texts.histogram.counts
    share = sum(counts.get(value, 0) for value in domain) / column.present
    if share < config.domain_threshold:
        unknown = sorted(set(counts) - set(domain), key=lambda value: (-counts[value], value))
        listed = ", ".join(map(repr, unknown[:_SHOWN])) + (", …" if len(unknown) > _SHOWN else "")
        yield _violation(
            column.name,
            "categorical_values_check",
            f"Values outside of the baseline's domain. Expected match: {_percent(config.domain_threshold)},"
            f" Observed: {_percent(share)}." + (f" Unknown values: {listed}" if listed else ""),
        )


def _numerical_drift(
    name: str, calculated: Document, baseline: Baseline, config: MonitoringConfig
) -> Iterator[Document]:
    distance = distances.numerical(
        baseline.quantiles(name), data_statistics.quantiles(calculated), config.comparison_method
    )
    yield from _drift(name, distance, config.comparison_threshold)


def _categorical_drift(column: Column, baseline: Baseline, config: MonitoringConfig) -> Iterator[Document]:
    categories = baseline.categories(column.name)
    if not categories or column.texts is None:
        return
    counts = column.texts.histogram.counts
    if config.categorical_method == "ChiSquared":
        chance = distances.chi_squared(categories, counts)
        if not isnan(chance) and chance < config.categorical_threshold:
            yield _violation(
                column.name,
                "baseline_drift_check",
                f"Baseline drift p-value: {chance} is below threshold: {config.categorical_threshold}",
            )
        return
    distance = distances.categorical(categories, counts, column.present, config.comparison_method)
    yield from _drift(column.name, distance, config.categorical_threshold)


def _drift(name: str, distance: float | None, threshold: float) -> Iterator[Document]:
    # Scripts of many authors read the two numbers by "distance: (.+) exceeds threshold: (.+)".
    if distance is not None and distance > threshold:
        text = f"Baseline drift distance: {distance} exceeds threshold: {threshold}"
        yield _violation(name, "baseline_drift_check", text)


def _absent(profile: Profile, baseline: Baseline) -> Iterator[Document]:
    here = [column.name for column in profile.columns]
    missing = [name for name in baseline.features if name not in here and baseline.config(name).evaluate]
    extra = [name for name in here if name not in baseline.features]
    numbers = (
        f"Number of columns in current dataset: {len(here)},"
        f" Number of columns in baseline constraints: {len(baseline.features)}"
    )
    if missing:
        text = f"Columns are missing in the current dataset: {', '.join(missing)}. {numbers}"
        yield _violation("Missing columns", "missing_column_check", text)
    if extra:
        text = f"Columns are only in the current dataset: {', '.join(extra)}. {numbers}"
        yield _violation("Extra columns", "extra_column_check", text)
