"""The graph of a definition as text: Mermaid, DOT or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sagelocal.definition.steps import StepType, Trigger
from sagelocal.plan import Plan
from sagelocal.values import Json

_FILL = {
    "Succeeded": "#d5f0dc",
    "Failed": "#f8d4d4",
    "Stopped": "#e8e3d3",
    "Stopping": "#e8e3d3",
    "Executing": "#d3e6fa",
    "Starting": "#eaf2fb",
    "NotStarted": "#f4f4f4",
}
"""Per status of a step the colour of its box; ``NotStarted`` is ours, for steps that an execution did not reach."""

_OPEN_CLOSE = {StepType.CONDITION: ("{", "}"), StepType.FAIL: ("([", "])")}


@dataclass(frozen=True, slots=True)
class Arrow:
    """One edge of the picture: `end` waits for `start`.

    Attributes:
        reasons: why: ``data``, ``depends-on``, ``branch``; at least one.
        trigger: how `start` must end.
        side: the side of Condition step `start` that must be taken; None when `end` is not in a branch of it.
    """

    start: str
    end: str
    reasons: tuple[str, ...]
    trigger: Trigger
    side: bool | None

    @property
    def label(self) -> str:
        """``True``, ``data``, ``data, depends-on`` or ``depends-on: Failed``."""
        parts = [reason for reason in self.reasons if reason != "branch"]
        if self.trigger is not Trigger.COMPLETED:
            parts = [f"{', '.join(parts)}: {self.trigger.value}"]
        return ", ".join(([str(self.side)] if self.side is not None else []) + parts)


def arrows(plan: Plan) -> Iterator[Arrow]:
    """Every edge once, in the order of the steps they end at; a branch edge joins what else its two steps share."""
    for name in plan.steps:
        branch = plan.branch.get(name)
        waits = {edge.step: edge for edge in plan.edges.get(name, ())}
        if branch and branch.condition not in waits:
            yield Arrow(branch.condition, name, ("branch",), Trigger.COMPLETED, branch.side)
        for edge in waits.values():
            taken = branch is not None and branch.condition == edge.step
            reasons = ("branch", *edge.reasons) if taken else edge.reasons
            yield Arrow(edge.step, name, reasons, edge.trigger, branch.side if branch and taken else None)


def mermaid(plan: Plan, statuses: Mapping[str, str] | None = None) -> str:
    """A Mermaid flowchart; with `statuses` (step to status of an execution) the boxes are coloured by class."""
    ids = {name: f"s{number}" for number, name in enumerate(plan.steps)}
    lines = ["flowchart TD"]
    for name, step in plan.steps.items():
        left, right = _OPEN_CLOSE.get(step.type, ("[", "]"))
        mark = f":::{_status(statuses, name)}" if statuses is not None else ""
        lines.append(f'    {ids[name]}{left}"{_for_mermaid(name)}<br/>{step.type.value}"{right}{mark}')
    lines += [f'    {ids[arrow.start]} -->|"{arrow.label}"| {ids[arrow.end]}' for arrow in arrows(plan)]
    if statuses is not None:
        used = sorted({_status(statuses, name) for name in plan.steps})
        lines += [
            f"    classDef {status} fill:{_FILL.get(status, '#ffffff')},color:#222222" for status in used
        ]
    return "\n".join(lines) + "\n"


def dot(plan: Plan, statuses: Mapping[str, str] | None = None) -> str:
    """A digraph for Graphviz."""
    lines = ["digraph pipeline {", '  node [shape=box, style="rounded,filled", fillcolor="#ffffff"];']
    for name, step in plan.steps.items():
        # Its \n is Graphviz's own, read inside the quotes.
        attributes = [f'label="{_for_dot(name)}\\n{step.type.value}"']
        if step.type is StepType.CONDITION:
            attributes.append("shape=diamond")
        if statuses is not None:
            attributes.append(f'fillcolor="{_FILL.get(_status(statuses, name), "#ffffff")}"')
        lines.append(f'  "{_for_dot(name)}" [{", ".join(attributes)}];')
    lines += [
        f'  "{_for_dot(arrow.start)}" -> "{_for_dot(arrow.end)}" [label="{arrow.label}"];'
        for arrow in arrows(plan)
    ]
    return "\n".join([*lines, "}"]) + "\n"


def as_json(plan: Plan, statuses: Mapping[str, str] | None = None) -> str:
    """One JSON document.

    ``steps``: in a runnable order, each with ``name``, ``type`` and, with `statuses`, ``status`` (``NotStarted`` when it
    did not start). ``edges``: each with ``from``, ``to``, ``reasons`` (``data``, ``depends-on``, ``branch``), ``trigger``
    and ``side`` (true, false or null).
    """
    steps: list[dict[str, Json]] = [
        {"name": name, "type": step.type.value} for name, step in plan.steps.items()
    ]
    if statuses is not None:
        steps = [step | {"status": _status(statuses, str(step["name"]))} for step in steps]
    edges: list[dict[str, Json]] = [
        {
            "from": arrow.start,
            "to": arrow.end,
            "reasons": list(arrow.reasons),
            "trigger": arrow.trigger.value,
            "side": arrow.side,
        }
        for arrow in arrows(plan)
    ]
    return json.dumps({"steps": steps, "edges": edges}, indent=2) + "\n"


FORMATS: Mapping[str, Callable[[Plan, Mapping[str, str] | None], str]] = {
    "mermaid": mermaid,
    "dot": dot,
    "json": as_json,
}
"""Format names to what writes them."""


def _status(statuses: Mapping[str, str] | None, name: str) -> str:
    return (statuses or {}).get(name, "NotStarted")


def _for_mermaid(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _for_dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
