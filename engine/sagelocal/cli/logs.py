"""The command ``logs``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from sagelocal.cli.configuration import settings_of
from sagelocal.cli.options import Config, Execution, Home
from sagelocal.cli.output import counted, say, say_json
from sagelocal.engine import open_logs, open_views
from sagelocal.errors import NotFoundError, UsageError
from sagelocal.logs import StepLogs
from sagelocal.nearest import did_you_mean
from sagelocal.store.views import ExecutionView

_PAUSE = 0.25
_ALL = 1 << 60


def logs(
    execution: Execution = "latest",
    step: Annotated[
        str | None,
        typer.Argument(
            metavar="[STEP[/JOB]]",
            show_default=False,
            help="Only this step's log, or that of one of its jobs.",
        ),
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the execution has ended.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", metavar="N", min=0, help="Only the last lines.")
    ] = None,
    config: Config = None,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: step to lines.")] = False,
) -> None:
    """Print what the steps of an execution printed.

    Lines that begin with `[sagelocal]` are ours: where a step runs, what was staged.

    For example:

    - `sagelocal logs`
    - `sagelocal logs latest Train --follow`
    - `sagelocal logs 4f2k -n 20`
    - `sagelocal logs latest Tune/Tune-abc-003-0f1e2d3c`
    """
    if follow and as_json:
        message = "--follow and --json do not go together: one JSON document cannot grow"
        raise UsageError(message)
    settings = settings_of(config, home)
    views, kept = open_views(settings), open_logs(settings)
    view = views.execution(execution)
    names = [step] if step and step in _children(view, kept, step) else _names(view, step)
    if follow:
        _follow(view.arn, names, kept, lambda: views.execution(view.arn).ended is not None)
    elif as_json:
        say_json({name: kept.tail(view.arn, name, _ALL if tail is None else tail) for name in names})
    else:
        _say_logs(view.arn, names, kept, _ALL if tail is None else tail, titled=step is None)
        _say_children(view, kept, names)


def _children(view: ExecutionView, kept: StepLogs, name: str) -> list[str]:
    """The logs of the jobs of a step; `name` is the step's, or that of such a log.

    Raises:
        NotFoundError: `name` is that of such a log, and there is none.
    """
    step, slash, _ = name.partition("/")
    there = kept.children(view.arn, step)
    if slash and name not in there:
        message = f"step {step} has no job {name}{did_you_mean(name, there)}"
        raise NotFoundError(message)
    return there


def _say_children(view: ExecutionView, kept: StepLogs, names: Iterable[str]) -> None:
    for name in names:
        there = kept.children(view.arn, name)
        if there:
            jobs = counted(len(there), "job")
            text = f"{jobs} of {name} with logs of their own: sagelocal logs {view.id} {there[0]}"
            say(f"{text} …" if len(there) > 1 else text, "dim", error=True)


def _names(view: ExecutionView, step: str | None) -> list[str]:
    """The steps whose logs are wanted, started ones first."""
    known = list(dict.fromkeys([*(step.name for step in view.steps), *view.planned]))
    if step is None:
        return known
    if step not in known:
        message = f"execution {view.id} has no step {step}{did_you_mean(step, known)}"
        raise NotFoundError(message)
    return [step]


def _say_logs(arn: str, names: Iterable[str], kept: StepLogs, lines: int, *, titled: bool) -> None:
    for name in names:
        if titled and kept.path(arn, name).exists():
            say(f"==> {name} <==", "bold")
        for line in kept.tail(arn, name, lines):
            say(line)


def _follow(arn: str, names: list[str], kept: StepLogs, ended: Callable[[], bool]) -> None:
    """Print whole lines as they come, with the step's name in front when there are several."""
    offsets = dict.fromkeys(names, 0)
    while True:
        # Asked before reading, so that what was printed before the end is read.
        last = ended()
        for name in names:
            text, offsets[name] = _grown(kept.path(arn, name), offsets[name])
            for line in text.splitlines():
                say(f"{name} │ {line}" if len(names) > 1 else line)
        if last:
            return
        time.sleep(_PAUSE)


def _grown(path: Path, offset: int) -> tuple[str, int]:
    """The whole lines after the offset, and the offset after them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return "", offset
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode(errors="replace"), offset + len(whole)
