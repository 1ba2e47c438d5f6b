"""The report for people: one page of HTML that holds everything it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarify.bias import Measured, Section
from clarify.drawings import bars, curve
from clarify.drift import BALANCED_AT

if TYPE_CHECKING:
    from clarify.config import Report
    from clarify.dependence import Dependence
    from clarify.drift import Violation
    from clarify.explanations import Explained

_TOP = 20
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1e293b; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #cbd5e1; }
h3 { font-size: 1.05rem; margin-bottom: .3rem; } p.about { color: #475569; margin-top: 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #e2e8f0; vertical-align: top; }
th { font-weight: 600; background: #f1f5f9; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.none { color: #b45309; } tr.violation td { background: #fef2f2; }
svg { max-width: 100%; height: auto; }
"""
_SECTIONS = {
    "pre_training_bias_metrics": (
        "Bias in the data",
        "How observed labels are distributed between the groups.",
    ),
    "post_training_bias_metrics": (
        "Bias of the model",
        "How predictions, and their errors, differ between the groups.",
    ),
}


@dataclass
class Results:
    """Everything that was found out; what was not asked for is empty."""

    rows: int
    sections: list[Section] = field(default_factory=list)
    explained: Explained | None = None
    dependences: list[Dependence] = field(default_factory=list)
    violations: list[Violation] | None = None

    def json(self) -> dict[str, Any]:
        """The content of analysis.json."""
        content: dict[str, Any] = {"version": "1.0"}
        content.update({section.name: section.json() for section in self.sections})
        explanations: dict[str, Any] = {}
        if self.explained is not None:
            explanations["kernel_shap"] = self.explained.json()
        if self.dependences:
            explanations["pdp"] = [dependence.json() for dependence in self.dependences]
        if explanations:
            content["explanations"] = explanations
        return content


def write(results: Results, report: Report, folder: Path) -> None:
    """Leave the report as a page and as a notebook, both under its configured name."""
    body = "".join(_body(results, report))
    title = escape(report.title)
    (folder / f"{report.name}.html").write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n",
        encoding="utf-8",
    )
    (folder / f"{report.name}.ipynb").write_text(
        json.dumps(_notebook(report, body), indent=1), encoding="utf-8"
    )


def _notebook(report: Report, body: str) -> dict[str, Any]:
    """A notebook with the page as the output of its one cell."""
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": f"<style>{_STYLE}</style>{body}"},
    }
    title = {"cell_type": "markdown", "metadata": {}, "id": "title", "source": f"# {report.title}"}
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "report",
        "execution_count": None,
        "metadata": {},
        "source": "",
        "outputs": [output],
    }
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [title, cell]}


def _body(results: Results, report: Report) -> Iterator[str]:
    yield f"<h1>{escape(report.title)}</h1>"
    yield f'<p class="about">Computed from {results.rows} rows by sagelocal, after the published definitions.</p>'
    if results.violations is not None:
        yield from _violations(results.violations)
    for section in results.sections:
        yield from _section(section)
    if results.explained is not None:
        yield from _explanations(results.explained)
    if results.dependences:
        yield "<h2>Partial dependence</h2>"
        for dependence in results.dependences:
            yield from _dependence(dependence)


def _violations(violations: Sequence[Violation]) -> Iterator[str]:
    yield "<h2>Against the baseline</h2>"
    if not violations:
        yield "<p>Nothing is worse than in the baseline.</p>"
        return
    yield "<table><tr><th>what</th><th>metric</th><th>why</th></tr>"
    for violation in violations:
        what = violation.get("label") or f"{violation['facet']} ({violation['facet_value']})"
        cells = [what, violation["metric_name"], violation["description"]]
        yield f'<tr class="violation">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
    yield "</table>"


def _section(section: Section) -> Iterator[str]:
    title, about = _SECTIONS[section.name]
    yield f"<h2>{title}</h2>"
    yield (
        f'<p class="about">{about} Label {escape(section.label)},'
        f" positive: {escape(section.positive.text)}.</p>"
    )
    groups = {(measured.facet, measured.group.text): measured for measured in section.measured}
    for (facet, text), measured in groups.items():
        yield f"<h3>{escape(facet)}: {escape(text)} against the others</h3>"
        yield from _metrics(section, measured)


def _metrics(section: Section, measured: Measured) -> Iterator[str]:
    shown = next(
        group["metrics"]
        for group in section.json()["facets"][measured.facet]
        if group["value_or_threshold"] == measured.group.text
    )
    finite = [
        (metric["name"], metric["value"])
        for metric in shown
        if metric["value"] is not None
        and metric["name"] not in BALANCED_AT  # bars show distance from balance
    ]
    if finite:
        yield bars(finite)
    yield "<table><tr><th>metric</th><th></th><th>value</th></tr>"
    for metric in shown:
        value = metric["value"]
        cell = (
            f'<td class="number">{value:.6g}</td>'
            if value is not None
            else f'<td class="none">{escape(metric["error"])}</td>'
        )
        yield f"<tr><td>{metric['name']}</td><td>{escape(metric['description'])}</td>{cell}</tr>"
    yield "</table>"


def _explanations(explained: Explained) -> Iterator[str]:
    yield "<h2>What predictions rest on</h2>"
    yield '<p class="about">Shapley values of the features, aggregated over all records (Kernel SHAP).</p>'
    for i, label in enumerate(explained.labels):
        values = [(feature, float(explained.overall[i, j])) for j, feature in enumerate(explained.features)]
        values.sort(key=lambda item: -abs(item[1]))
        yield f"<h3>{escape(label)}</h3><p>Expected value: {explained.expected[i]:.6g}</p>{bars(values[:_TOP], '#059669')}"
        if len(values) > _TOP:
            yield f"<p>The {_TOP} most important of {len(values)} features; analysis.json has all.</p>"


def _dependence(dependence: Dependence) -> Iterator[str]:
    yield f"<h3>{escape(dependence.feature)}</h3>"
    if dependence.numerical:
        lines = [(label, dependence.predictions[i].tolist()) for i, label in enumerate(dependence.labels)]
        yield curve([float(value) for value in dependence.values], lines, dependence.shares)
        return
    for i, label in enumerate(dependence.labels):
        yield f"<p>{escape(label)}</p>"
        yield bars(
            [(str(value), float(dependence.predictions[i, j])) for j, value in enumerate(dependence.values)]
        )
