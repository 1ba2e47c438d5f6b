"""How an execution ended, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sagelocal.cli.output import counted, plain, say, seconds
from sagelocal.cli.outputs import outputs
from sagelocal.cli.progress import GLYPHS
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.logs import StepLogs
from sagelocal.nearest import listed
from sagelocal.settings import Settings
from sagelocal.store.views import ExecutionView, StepView

_TAIL = 10
_LONGEST = 500


def say_summary(view: ExecutionView, settings: Settings, logs: StepLogs) -> None:
    """Print status and duration, failures with the ends of their logs, outputs, and what to try next."""
    sign, style = GLYPHS.get(view.status, ("?", ""))
    length = f" in {seconds(view.ended - view.started)}" if view.ended else ""
    say(f"{sign} {view.pipeline} {view.status}{length} · execution {view.id}", style)
    failed = [step for step in view.steps if step.status == "Failed"]
    # With failed steps to show, the service's own "One or multiple steps failed" adds nothing.
    if view.failure_reason and not failed:
        say(f"  {view.failure_reason}", "red")
    _say_untaken(view)
    for step in failed:
        _say_failure(view, step, logs)
    say_outputs(view, settings)
    say()
    say("Next", "bold")
    for command in _next(view, failed, settings):
        say(f"  {command}")


def _say_failure(view: ExecutionView, step: StepView, logs: StepLogs) -> None:
    say()
    say(f"✗ {step.name} ({step.type}) Failed", "bold red")
    say(_indented(step.failure_reason or "no reason given"), "red")
    # What a Processing job's container left in /opt/ml/output/message; its FailureReason does not repeat it.
    if words := step.properties.get("ExitMessage"):
        say(_indented(str(words)), "red")
    tail = logs.tail(view.arn, step.name, _TAIL)
    for line in tail:
        shown = plain(line)
        say(f"  │ {shown[:_LONGEST]}{'…' * (len(shown) > _LONGEST)}", "dim")
    if tail:
        say(f"  log: {relative(logs.path(view.arn, step.name))}", "dim")


def _indented(text: str) -> str:
    return "\n".join(f"  {plain(line)}" for line in text.split("\n"))


def _say_untaken(view: ExecutionView) -> None:
    started = {step.name for step in view.steps}
    rest = [name for name in view.planned if name not in started]
    if rest:
        say(f"  {counted(len(rest), 'step')} not started: {listed(rest)}", "dim")


def say_outputs(view: ExecutionView, settings: Settings) -> None:
    """Print what the steps made, with the file or folder that holds it."""
    found = list(outputs(view.steps, ObjectStore(settings.home / "s3")))
    if not found:
        return
    say()
    say("Outputs", "bold")
    for output in found:
        say(f"  {output.step} · {output.name}: {output.uri}")
        if output.path:
            say(f"    {relative(output.path)}", "dim")


def _next(view: ExecutionView, failed: list[StepView], settings: Settings) -> Iterator[str]:
    """Commands to try; with ``--home`` where another folder's state would be looked at without it."""
    home = "" if settings.home == Path.cwd() / ".sagelocal" else f" --home {relative(settings.home)}"
    stopped = [step for step in view.steps if step.status == "Stopped"]
    interesting = [*failed, *stopped, *reversed(view.steps)]
    if interesting:
        # Only what ran somewhere has a log.
        if interesting[0].where:
            yield f"sagelocal logs {view.id} {interesting[0].name}{home}"
        yield f"sagelocal show {view.id} --step {interesting[0].name}{home}"
    else:
        yield f"sagelocal show {view.id}{home}"


def relative(path: Path) -> str:
    """The path from the current folder when it lies below it, else in full."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
