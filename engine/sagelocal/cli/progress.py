"""What a person sees while an execution runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sagelocal.cli.output import counted, plain, seconds
from sagelocal.logs import NOTE
from sagelocal.store.views import ExecutionView, StepView

GLYPHS: Mapping[str, tuple[str, str]] = {
    "Starting": ("◌", "cyan"),
    "Executing": ("▸", "bold cyan"),
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "bold red"),
    "Stopping": ("◼", "yellow"),
    "Stopped": ("◼", "yellow"),
    "CompletedWithFailures": ("✗", "bold red"),
}
"""Per status its sign and its style."""

_UNDER_WAY = {"Starting", "Executing", "Stopping"}
_UNSTARTED = {"Waiting", "Ready", "Skipped"}
_RESERVED_LINES = 4
_MAX_LINE = 500


class Progress(Protocol):
    """Shows what happens; `change` comes from the event loop, `line` from any thread."""

    def change(self, view: StepView | ExecutionView) -> None: ...

    def line(self, execution: str, step: str, text: str) -> None: ...

    def note(self, text: str) -> None: ...


@contextmanager
def shown(console: Console, types: Mapping[str, str]) -> Iterator[Progress]:
    """A live table on a terminal, else a line for each change; `types` holds each step's type in the plan's order."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console, time.time())
        return
    board = Board(console, types)
    with Live(get_renderable=board.render, console=console, refresh_per_second=8):
        yield board


class Lines:
    """One plain line for each change of a step's status, with the time since the start; `prefix` begins each."""

    def __init__(self, console: Console, started: float, prefix: str = "") -> None:
        self._console = console
        self._started = started
        self._prefix = prefix
        self._known: dict[str, tuple[str, int]] = {}

    def change(self, view: StepView | ExecutionView) -> None:
        if isinstance(view, ExecutionView):
            # A step that the core decides by itself may be told of only here.
            for step in view.steps:
                self.change(step)
            return
        if view.status in _UNSTARTED:
            return
        if self._known.get(view.name) == (view.status, view.attempt):
            return
        self._known[view.name] = (view.status, view.attempt)
        parts = [f"{view.name} ({view.type}) {view.status}", *_remarks(view)]
        if view.failure_reason and view.status == "Failed":
            parts.append(plain(view.failure_reason.partition("\n")[0]))
        self.note(f"{time.time() - self._started:8.1f} s  {' · '.join(parts)}")

    def line(self, execution: str, step: str, text: str) -> None:
        """Logs stay in their files: they would bury the changes."""

    def note(self, text: str) -> None:
        self._console.print(self._prefix + text, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Board:
    """The live table: a line for each step in the plan's order."""

    def __init__(self, console: Console, types: Mapping[str, str]) -> None:
        self._console = console
        self._types = types
        self._views: dict[str, StepView] = {}
        self._last_lines: dict[str, str] = {}

    def change(self, view: StepView | ExecutionView) -> None:
        steps = view.steps if isinstance(view, ExecutionView) else (view,)
        self._views.update({step.name: step for step in steps if step.status not in _UNSTARTED})

    def line(self, execution: str, step: str, text: str) -> None:  # noqa: ARG002 - Progress has it
        # Colours and progress bars (carriage returns) of the job would upset the table.
        self._last_lines[step] = plain(text.rstrip().rpartition("\r")[2][-_MAX_LINE:]).removeprefix(NOTE)

    def note(self, text: str) -> None:
        self._console.print(Text(text, "yellow"))

    def render(self) -> RenderableType:
        """The table as it is now; when the terminal is too low for all steps, those under way come first."""
        # Room for the ^C that the terminal writes behind the table: wrapped, it would push a line out of our reach.
        width = max(self._console.width - len("^C "), 20)
        table = Table(box=None, show_header=False, pad_edge=False, expand=True, width=width)
        table.add_column(no_wrap=True, min_width=1)
        for _ in range(2):
            table.add_column(no_wrap=True, overflow="ellipsis", max_width=width // 2)
        table.add_column(justify="right", no_wrap=True, min_width=6)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        names = self._names()
        for name in names:
            table.add_row(*self._row(name))
        if len(names) < len(self._types):
            table.add_row("", Text(f"… and {counted(len(self._types) - len(names), 'step')} more", "dim"))
        return table

    def _names(self) -> list[str]:
        names = [*self._types, *(name for name in list(self._views) if name not in self._types)]
        room = max(self._console.height - _RESERVED_LINES, 3)
        if len(names) <= room:
            return names
        chosen = set(sorted(names, key=self._urgency)[:room])
        return [name for name in names if name in chosen]

    def _urgency(self, name: str) -> tuple[int, float]:
        """Steps under way, then failed ones, then the latest to end, then those that wait."""
        view = self._views.get(name)
        if view is None:
            return 3, 0.0
        if view.status in _UNDER_WAY:
            return 0, 0.0
        return (1 if view.status == "Failed" else 2), -(view.ended or 0.0)

    def _row(self, name: str) -> list[Text]:
        view = self._views.get(name)
        if view is None:
            return [Text(text, "dim") for text in ("·", name, self._types.get(name, ""), "", "")]
        sign, style = GLYPHS.get(view.status, ("?", ""))
        ticking = seconds((view.ended or time.time()) - view.started) if view.started else ""
        return [
            Text(sign, style),
            Text(name),
            Text(view.type, "dim"),
            Text(ticking),
            Text(self._remark(view), "dim"),
        ]

    def _remark(self, view: StepView) -> str:
        """Why it failed; while it runs, what it printed last; else where it ran."""
        if view.status == "Failed":
            return plain((view.failure_reason or "").partition("\n")[0])
        line = self._last_lines.get(view.name) if view.status in _UNDER_WAY else None
        return line or " · ".join(_remarks(view, timed=False))


def _remarks(view: StepView, *, timed: bool = True) -> Iterator[str]:
    if view.attempt > 1:
        yield f"attempt {view.attempt}"
    if view.outcome_of_condition is not None:
        yield str(view.outcome_of_condition)
    if view.where:
        yield view.where
    if timed and view.started is not None and view.ended is not None:
        yield seconds(view.ended - view.started)
