"""Executions and steps as the JSON that ``--json`` prints."""

from __future__ import annotations

from sagelocal.clock import iso
from sagelocal.store.views import ExecutionView, StepView
from sagelocal.values import JsonObject


def execution_document(view: ExecutionView) -> JsonObject:
    """An execution with its steps.

    ``arn``, ``id``, ``pipeline``, ``display_name``, ``status``, ``failure_reason``, ``started`` and ``ended`` (ISO 8601,
    UTC; null when not yet), ``interrupted`` (true when its engine was killed), ``parameters``, ``max_parallel``, ``steps`` (started ones, in order of start) and
    ``not_started`` (names).
    """
    started = {step.name for step in view.steps}
    return {
        "arn": view.arn,
        "id": view.id,
        "pipeline": view.pipeline,
        "display_name": view.display_name,
        "status": view.status,
        "failure_reason": view.failure_reason,
        "started": _moment(view.started),
        "ended": _moment(view.ended),
        "interrupted": view.interrupted,
        "parameters": dict(view.parameters),
        "max_parallel": view.max_parallel,
        "steps": [step_document(step) for step in view.steps],
        "not_started": [name for name in view.planned if name not in started],
    }


def step_document(view: StepView) -> JsonObject:
    """A step.

    ``name``, ``type``, ``status``, ``started``, ``ended``, ``attempt``, ``failure_reason``, ``where``, ``display_name``, ``description``, ``outcome`` (of a Condition step: true or false), ``metadata``, ``arguments`` and
    ``properties``.
    """
    return {
        "name": view.name,
        "type": view.type,
        "status": view.status,
        "started": _moment(view.started),
        "ended": _moment(view.ended),
        "attempt": view.attempt,
        "failure_reason": view.failure_reason,
        "where": view.where,
        "display_name": view.display_name,
        "description": view.description,
        "outcome": view.outcome_of_condition,
        "metadata": view.metadata,
        "arguments": view.arguments,
        "properties": view.properties,
    }


def _moment(when: float | None) -> str | None:
    return None if when is None else iso(when)
