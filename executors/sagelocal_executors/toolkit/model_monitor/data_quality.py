"""Data quality: statistics, constraints, and violations of a baseline's constraints."""

from __future__ import annotations

from typing import Any

from model_monitor import data_constraints, data_statistics, data_violations, documents, reading
from model_monitor.data_violations import Baseline
from model_monitor.profile import Profile, profile
from model_monitor.request import Request

Documents = dict[str, dict[str, Any]]


def analyze(request: Request) -> Documents:
    """The documents by file name; violations only when there is a baseline.

    Raises:
        JobError: when data or baseline cannot be read.
    """
    baseline = _baseline(request)
    found = profile(reading.dataset(request), baseline.expected() if baseline else {})
    _explain(found)
    statistics = data_statistics.document(found)
    made: Documents = {"statistics.json": statistics, "constraints.json": data_constraints.document(found)}
    if baseline:
        made["constraint_violations.json"] = data_violations.document(found, statistics, baseline)
    return made


def _baseline(request: Request) -> Baseline | None:
    if request.baseline_constraints is None:
        if request.baseline_statistics:
            print("baseline_statistics without baseline_constraints: nothing says what to check", flush=True)
        return None
    constraints = documents.read(request.baseline_constraints, "baseline_constraints")
    if request.baseline_statistics is None:
        print("no baseline_statistics: distributions are not compared", flush=True)
        return Baseline(constraints, None)
    return Baseline(constraints, documents.read(request.baseline_statistics, "baseline_statistics"))


def _explain(found: Profile) -> None:
    """Say why a column that mostly looks like numbers is text."""
    print(f"{found.records} records, {len(found.columns)} columns", flush=True)
    for column in found.columns:
        if column.odd:
            print(
                f"column {column.name!r} is String: it has values that are neither Integral nor Fractional,"
                f" such as {column.odd[:60]!r}",
                flush=True,
            )
