"""How all executions of an engine go, told on standard error a line for each change."""

from __future__ import annotations

import asyncio
import io
import time

from rich.console import Console

from sagelocal.callbacks import Awaited
from sagelocal.cli.faults import report
from sagelocal.cli.output import counted, plain, seconds
from sagelocal.cli.progress import GLYPHS, Lines
from sagelocal.engine import Engine
from sagelocal.names import execution_id
from sagelocal.store.views import ExecutionView, StepView


class Feed:
    """Tells of every execution that an engine drives, whoever has started it.

    Args:
        quiet: tell of errors only.

    Attributes:
        statuses: per execution that has ended, by ARN, how.
        faults: exit codes of what went wrong with the engine itself.
    """

    def __init__(self, engine: Engine, *, quiet: bool) -> None:
        self.statuses: dict[str, str] = {}
        self.faults: list[int] = []
        self._engine = engine
        self._console = Console(file=io.StringIO()) if quiet else Console(stderr=True)
        self._lines: dict[str, Lines] = {}
        self._following: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """Tell from now on."""
        self._engine.subscribe(self._change)
        self._engine.callbacks.subscribe(self._awaited)

    @property
    def running(self) -> list[str]:
        """The ARNs of the executions that have not ended."""
        return list(self._engine.views.machines.live)

    async def settled(self) -> None:
        """Wait until neither an execution runs any more nor a job that was created by itself."""
        while True:
            for execution in self.running:
                self._of(execution)
            if not self._following:
                break
            await asyncio.wait(self._following)
        await self._engine.jobs.wait_all()

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _change(self, view: StepView | ExecutionView) -> None:
        self._of(view.arn if isinstance(view, ExecutionView) else view.execution).change(view)

    def _awaited(self, awaited: Awaited) -> None:
        self._of(awaited.execution).note(f"{awaited.step} {awaited.hint}")

    def _of(self, execution: str) -> Lines:
        """The lines of an execution; where it is new it is followed to its end."""
        if execution not in self._lines:
            name = execution_id(execution)
            self._lines[execution] = Lines(self._console, time.time(), f"{name} ")
            machine = self._engine.views.machines.live.get(execution)
            if machine is not None:
                count = counted(len(machine.execution.plan.steps), "step")
                self.note(f"{name} {machine.start.pipeline} · {count}")
            task = asyncio.create_task(self._follow(execution))
            self._following.add(task)
            task.add_done_callback(self._following.discard)
        return self._lines[execution]

    async def _follow(self, execution: str) -> None:
        try:
            view = await self._engine.wait(execution)
        except Exception as error:  # nobody else waits for it
            self.faults.append(report(error))
            return
        if view.ended is None:  # left to another engine
            return
        self.statuses[execution] = view.status
        sign, _ = GLYPHS.get(view.status, ("?", ""))
        self.note(f"{view.id} {sign} {view.pipeline} {view.status} in {seconds(view.ended - view.started)}")
        failed = [step for step in view.steps if step.status == "Failed"]
        if view.failure_reason and not failed:
            self.note(f"{view.id}   {plain(view.failure_reason)}")
        for step in failed:
            self.note(f"{view.id}   sagelocal logs {view.id} {step.name}")
