"""What an execution still waits for when its engine is gone, so that another can go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sagelocal.events import (
    Cancel,
    Command,
    Conclude,
    Event,
    Fetch,
    Fetched,
    Finished,
    Launch,
    RetryDue,
    Started,
    WakeAt,
)
from sagelocal.execution import Execution
from sagelocal.jobs import Job


@dataclass(slots=True)
class Outstanding:
    """The commands that were given and not answered yet.

    Attributes:
        running: per step, the job that had its place: its `Started` is recorded, its `Finished` is not.
        stopping: of these, the ones that were to stop.
        commands: what has not begun: per step, its jobs, reads and waits, in the order in which they were given.
    """

    running: dict[str, Job] = field(default_factory=dict)
    stopping: dict[str, None] = field(default_factory=dict)
    commands: dict[str, dict[type[Command], Command]] = field(default_factory=dict)

    def take(self, event: Event, commands: Iterable[Command]) -> None:
        """Strike off what the event answers, add what it asks for."""
        match event:
            case Started(step):
                given = self.commands.get(step, {})
                given.pop(Conclude, None)
                match given.pop(Launch, None):
                    case Launch(job):
                        self.running[step] = job
            case Finished(step):
                self.running.pop(step, None)
                self.stopping.pop(step, None)
            case Fetched(step):
                self.commands.get(step, {}).pop(Fetch, None)
            case RetryDue(step):
                self.commands.get(step, {}).pop(WakeAt, None)
        for command in commands:
            self._add(command)

    def _add(self, command: Command) -> None:
        match command:
            case Launch(job):
                self.commands.setdefault(job.step, {})[Launch] = command
            case Cancel(step) if step in self.running:
                self.stopping[step] = None
            case Cancel(step):
                self.commands.pop(step, None)
            case Conclude(step) | Fetch(step) | WakeAt(step):
                self.commands.setdefault(step, {})[type(command)] = command

    def unanswered(self) -> list[Command]:
        """The commands to give again."""
        return [command for given in self.commands.values() for command in given.values()]


def replay(execution: Execution, events: Iterable[Event]) -> Execution:
    """Let a fresh execution live through recorded events; it ends in the state that the live one had."""
    for event in events:
        execution.apply(event)
    return execution


def relive(execution: Execution, events: Iterable[Event]) -> Outstanding:
    """Let a fresh execution live through recorded events; the answer is what has to be done to go on."""
    outstanding = Outstanding()
    for event in events:
        outstanding.take(event, execution.apply(event))
    return outstanding
