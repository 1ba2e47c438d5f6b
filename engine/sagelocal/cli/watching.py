"""An execution watched to its end, and stopped by Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import typer
from rich.console import Console

from sagelocal.cli.documents import execution_document
from sagelocal.cli.interrupts import cancel_us, interrupts
from sagelocal.cli.output import say, say_json
from sagelocal.cli.progress import Progress, shown
from sagelocal.cli.summary import say_summary
from sagelocal.engine import Engine
from sagelocal.nearest import listed
from sagelocal.store.views import ExecutionView

EXIT_CODES: Mapping[str, int] = {"Succeeded": 0, "Failed": 1, "CompletedWithFailures": 1, "Stopped": 3}
"""Per status of an ended execution the exit code."""

Begin = Callable[[Engine], Awaitable[tuple[str, Mapping[str, str]]]]
"""Starts an execution, or goes on with one: its ARN, and the type of each of its steps."""


def watch(engine: Engine, begin: Begin, *, as_json: bool) -> typer.Exit:
    """Show how the execution goes, then how it ended; the answer says so to the shell."""
    try:
        view = asyncio.run(_watched(engine, begin))
    except asyncio.CancelledError:
        say("Stopped: nothing was started.", "yellow", error=True)
        return typer.Exit(EXIT_CODES["Stopped"])
    if as_json:
        say_json(execution_document(view))
    else:
        say_summary(view, engine.settings, engine.logs)
    return typer.Exit(EXIT_CODES[view.status])


async def _watched(engine: Engine, begin: Begin) -> ExecutionView:
    """The ended execution."""
    with interrupts(cancel_us()) as interrupt:
        async with engine:
            arn, types = await begin(engine)
            # Nothing runs before we await, so nothing is missed by looking only now.
            with shown(Console(stderr=True), types) as progress:
                interrupt.act = _Stop(engine, arn, progress)
                engine.subscribe(progress.change)
                engine.logs.subscribe(progress.line)
                engine.callbacks.subscribe(lambda awaited: progress.note(f"{awaited.step} {awaited.hint}"))
                return await engine.wait(arn)


@dataclass(slots=True)
class _Stop:
    """What an interrupt does: the first stops the execution, the second kills its jobs."""

    engine: Engine
    arn: str
    progress: Progress
    asked: bool = False

    def ended(self) -> bool:
        return self.engine.views.execution(self.arn).ended is not None

    def __call__(self, _: int) -> None:
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
