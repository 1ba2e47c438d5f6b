"""The command ``run``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sagelocal.api import SERVICES
from sagelocal.cli.checking import Checked, checked
from sagelocal.cli.configuration import settings_of
from sagelocal.cli.documents import execution_document
from sagelocal.cli.options import AsJson, Config, Home, Source
from sagelocal.cli.output import say, say_json
from sagelocal.cli.parameters import given
from sagelocal.cli.progress import Progress, shown
from sagelocal.cli.summary import say_summary
from sagelocal.engine import Engine, load_stubs
from sagelocal.nearest import listed
from sagelocal.settings import Runtime
from sagelocal.store.views import ExecutionView
from sagelocal.values import Scalar

EXIT_CODES: Mapping[str, int] = {"Succeeded": 0, "Failed": 1, "CompletedWithFailures": 1, "Stopped": 3}
"""Per status of an ended execution the exit code."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What to run, and how."""

    checked: Checked
    name: str
    parameters: Mapping[str, Scalar]
    max_parallel: int | None


def run(
    source: Source,
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", metavar="NAME=VALUE", help="A pipeline parameter; can be repeated."
        ),
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Parameters as JSON: an object, or a list of {Name, Value}; -p wins."
        ),
    ] = None,
    runtime: Annotated[
        Runtime | None,
        typer.Option(
            help="What plays the containers: Docker, a sandboxed process, nothing, or what fits each job."
        ),
    ] = None,
    stubs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What stubbed steps report, as YAML or JSON.")
    ] = None,
    max_parallel: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many steps may run at the same time.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="PIPELINE", help="The pipeline's name, instead of that of the file or folder."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=65535, help="Where S3, SQS, Lambda and SageMaker answer; 0: any."
        ),
    ] = None,
    config: Config = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check a definition, run it, and show how it goes.

    Ctrl-C stops the execution as StopPipelineExecution does; a second one kills its jobs.

    Exits with 0 when the execution succeeded, 1 when it failed, 2 when the definition or the call is wrong, 3 when it
    was stopped, 4 when this machine lacks something.

    For example:

    - `sagelocal run pipeline.json -p InstanceCount=2`
    - `sagelocal run pipeline.json --runtime stub --stubs stubs.yaml`
    - `sagelocal run pipeline.py:get_pipeline --json > result.json`
    """
    found = checked(source)
    settings = settings_of(config, home, found.source.folder, runtime=runtime)
    wish = _Wish(found, name or found.source.name, given(parameter or [], parameters), max_parallel)
    engine = Engine(settings, stubs=load_stubs(stubs) if stubs else None, services=SERVICES, port=port)
    try:
        view = asyncio.run(_run(engine, wish))
    except asyncio.CancelledError:
        say("Stopped: nothing was started.", "yellow", error=True)
        raise typer.Exit(EXIT_CODES["Stopped"]) from None
    if as_json:
        say_json(execution_document(view))
    else:
        say_summary(view, settings, engine.logs)
    raise typer.Exit(EXIT_CODES[view.status])


async def _run(engine: Engine, wish: _Wish) -> ExecutionView:
    """The ended execution."""
    types = {name: step.type.value for name, step in wish.checked.plan.steps.items()}
    with _on_interrupt(_cancel_us()) as interrupt:
        async with engine:
            engine.create_pipeline(wish.name, wish.checked.source.text)
            arn = await engine.start(wish.name, wish.parameters, max_parallel=wish.max_parallel)
            # `start` returns before anything runs, so nothing is missed by looking only now.
            with shown(Console(stderr=True), types) as progress:
                interrupt.act = _Stop(engine, arn, progress)
                engine.subscribe(progress.change)
                engine.logs.subscribe(progress.line)
                engine.callbacks.subscribe(lambda awaited: progress.note(f"{awaited.step} {awaited.hint}"))
                return await engine.wait(arn)


def _cancel_us() -> Callable[[], None]:
    task = asyncio.current_task()
    assert task

    def cancel() -> None:
        task.cancel()

    return cancel


@dataclass(slots=True)
class _Stop:
    """What an interrupt does: the first stops the execution, the second kills its jobs."""

    engine: Engine
    arn: str
    progress: Progress
    asked: bool = False

    def ended(self) -> bool:
        return self.engine.views.execution(self.arn).ended is not None

    def __call__(self) -> None:
        if self.ended():
            # All that is left is to close, which must not be broken off.
            return
        again = "Stopping without waiting for the jobs."
        first = "Stopping: the jobs are asked to end. Interrupt again to kill them."
        self.progress.note(again if self.asked else first)
        waiting = [
            awaited.step for awaited in self.engine.callbacks.awaited() if awaited.execution == self.arn
        ]
        if waiting and not self.asked:
            # As at SageMaker, a Callback step ends only with its answer (semantics 06 §6.2).
            note = f"Callback steps still wait for an answer: {listed(waiting)}. See `sagelocal callback list`; interrupt again to give them up."
            self.progress.note(note)
        self.asked = True
        self.engine.stop(self.arn)


@dataclass(slots=True)
class _Interrupt:
    """What an interrupt does at the moment."""

    act: Callable[[], None]

    def __call__(self) -> None:
        self.act()


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[_Interrupt]:
    """Act on the event loop at each Ctrl-C or SIGTERM, at first by `act`."""
    loop, interrupt = asyncio.get_running_loop(), _Interrupt(act)
    signals = (signal.SIGINT, signal.SIGTERM)
    # Windows has no signal handlers in its loop: there Ctrl-C cancels the main task, and SIGTERM just ends us.
    with suppress(NotImplementedError):
        for number in signals:
            loop.add_signal_handler(number, interrupt)
    try:
        yield interrupt
    finally:
        with suppress(NotImplementedError):
            for number in signals:
                loop.remove_signal_handler(number)
