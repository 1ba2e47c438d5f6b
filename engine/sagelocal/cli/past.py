"""The commands that look at executions: ``list``, ``show`` and ``steps``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.cells import cell_len

from sagelocal.cli.configuration import settings_of
from sagelocal.cli.documents import execution_document, step_document
from sagelocal.cli.options import AsJson, Config, Execution, Home
from sagelocal.cli.output import moment, say, say_json, seconds
from sagelocal.cli.progress import GLYPHS
from sagelocal.cli.summary import say_outputs
from sagelocal.engine import open_views
from sagelocal.errors import NotFoundError
from sagelocal.nearest import did_you_mean, listed
from sagelocal.store.views import ExecutionView, StepView

INTERRUPTED = "Interrupted"
"""What ``list`` says of an execution that nobody drives any more; SageMaker has no such state."""


def list_(
    *,
    pipeline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only executions of this pipeline.")
    ] = None,
    config: Config = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the executions that the state folder keeps, the newest first."""
    views = open_views(settings_of(config, home)).executions(pipeline)
    if as_json:
        say_json([execution_document(view) for view in views])
        return
    if not views:
        say("no executions")
    rows = [
        (view.id, view.pipeline, moment(view.started), _length(view.started, view.ended), _progress(view))
        for view in views
    ]
    _say_rows([INTERRUPTED if view.interrupted else view.status for view in views], rows)


def show(
    execution: Execution = "latest",
    *,
    step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Show this step's resolved arguments and properties.")
    ] = None,
    config: Config = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show an execution: status, parameters, steps and outputs, or one step with its arguments and properties."""
    settings = settings_of(config, home)
    view = open_views(settings).execution(execution)
    if step is not None:
        _show_step(_step_of(view, step), as_json)
    elif as_json:
        say_json(execution_document(view))
    else:
        _show_execution(view)
        say_outputs(view, settings)


def steps(
    execution: Execution = "latest", config: Config = None, home: Home = None, as_json: AsJson = False
) -> None:
    """List the steps of an execution in the order of their start, then those that did not start."""
    view = open_views(settings_of(config, home)).execution(execution)
    if as_json:
        say_json([step_document(step) for step in view.steps])
    else:
        _say_steps(view)


def _show_execution(view: ExecutionView) -> None:
    sign, style = GLYPHS.get(view.status, ("?", ""))
    say(f"{sign} {view.pipeline} {view.status}", style)
    if view.interrupted:
        say(f"  its sagelocal was killed; `sagelocal resume {view.id}` goes on", "yellow")
    say(f"  {view.arn}")
    if view.display_name:
        say(f"  name: {view.display_name}")
    say(
        f"  started {moment(view.started)}"
        + (f", took {_length(view.started, view.ended)}" if view.ended else "")
    )
    if view.failure_reason:
        say(f"  {view.failure_reason}", "red")
    if view.parameters:
        say()
        say("Parameters", "bold")
        for name, value in view.parameters.items():
            say(f"  {name} = {value if isinstance(value, str) else json.dumps(value)}")
    say()
    say("Steps", "bold")
    _say_steps(view)


def _say_steps(view: ExecutionView) -> None:
    started = {step.name for step in view.steps}
    rest = [name for name in view.planned if name not in started]
    rows = [(step.name, step.type, _length(step.started, step.ended), _remark(step)) for step in view.steps]
    _say_rows([step.status for step in view.steps], rows)
    for name in rest:
        say(f"· Not started  {name}", "dim")


def _remark(step: StepView) -> str:
    reason = (step.failure_reason or "").partition("\n")[0]
    outcome = "" if step.outcome_of_condition is None else str(step.outcome_of_condition)
    attempt = f"attempt {step.attempt}" if step.attempt > 1 else ""
    return " · ".join(part for part in (attempt, outcome, reason or step.where) if part)


def _show_step(step: StepView, as_json: bool) -> None:
    if as_json:
        say_json(step_document(step))
        return
    sign, style = GLYPHS.get(step.status, ("?", ""))
    say(f"{sign} {step.name} ({step.type}) {step.status}", style)
    remarks = [part for part in (step.description, step.where, _length(step.started, step.ended)) if part]
    say("  " + " · ".join(remarks), "dim")
    if step.failure_reason:
        say(f"  {step.failure_reason}", "red")
    for title, content in (("Arguments", step.arguments), ("Properties", step.properties)):
        say()
        say(title, "bold")
        say(json.dumps(content, indent=2, ensure_ascii=False))


def _step_of(view: ExecutionView, name: str) -> StepView:
    found = next((step for step in view.steps if step.name == name), None)
    if found is not None:
        return found
    if name in view.planned:
        message = f"step {name} did not start in execution {view.id}"
        raise NotFoundError(message)
    hint = did_you_mean(name, view.planned) or f": it has {listed(view.planned)}"
    message = f"execution {view.id} has no step {name}{hint}"
    raise NotFoundError(message)


def _say_rows(statuses: list[str], rows: Sequence[tuple[str, ...]]) -> None:
    """Print aligned columns, the status in front and in its colour; the last column may have any length."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    room = max(map(len, statuses), default=0)
    for status, row in zip(statuses, rows, strict=True):
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        sign, style = GLYPHS.get(status, ("?", ""))
        say(f"{sign} {status:{room}}  {'  '.join(cells)}".rstrip(), style)


def _progress(view: ExecutionView) -> str:
    return f"{sum(step.status == 'Succeeded' for step in view.steps)}/{len(view.planned)} steps"


def _length(started: float | None, ended: float | None) -> str:
    return seconds(ended - started) if started is not None and ended is not None else ""
