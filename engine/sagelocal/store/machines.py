"""Executions as their events have left them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sagelocal.check.whole import Checked
from sagelocal.definition import parse
from sagelocal.errors import NotFoundError
from sagelocal.execution import Execution
from sagelocal.names import Partition
from sagelocal.plan import plan
from sagelocal.state import Identity
from sagelocal.store.journal import Journal, Outline, Start

_MOST_STEPS: Final = 20_000
"""How many steps the executions together have that are kept; some 100 MB of memory."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An execution with how it was started."""

    start: Start
    execution: Execution


class Machines:
    """Folds executions from a journal, keeping the latest that were asked for.

    One that is asked for again lives through the events that have come meanwhile, and no others.

    Attributes:
        live: by ARN, the executions that the engine which asks drives itself; it keeps them there while it does.
    """

    def __init__(self, journal: Journal, partition: Partition) -> None:
        self.live: dict[str, Machine] = {}
        self._journal = journal
        self._partition = partition
        self._kept: OrderedDict[str, tuple[Machine, int]] = OrderedDict()

    def of(self, outline: Outline) -> Machine:
        """The execution as it is now; to be read only."""
        if outline.arn in self.live:
            return self.live[outline.arn]
        machine, folded = self._kept.pop(outline.arn, (None, 0))
        if machine is None:
            start = self._journal.start(outline.arn)
            machine = Machine(start, fresh(start, self._partition))
        for event in self._journal.events(outline.arn, folded):
            machine.execution.apply(event)
            folded += 1
        self._keep(machine, folded)
        return machine

    def ended(self, machine: Machine) -> None:
        """Keep an execution that has lived to its end elsewhere, instead of folding it anew, and note its end."""
        outline = self.outline(machine.start.arn)
        self._journal.note_end(outline.arn, machine.execution.status, outline.events)
        self._keep(machine, outline.events)

    def kept(self, execution: str) -> Machine | None:
        """The execution as it was when it was last asked for, should it still be there; reads nothing."""
        return self._kept[execution][0] if execution in self._kept else None

    def status(self, outline: Outline) -> str:
        """The execution's status, without reading its events when their end has been noted."""
        if outline.ended is not None:
            return outline.ended
        execution = self.of(outline).execution
        if execution.done and outline.arn in self._kept:
            self._journal.note_end(outline.arn, execution.status, self._kept[outline.arn][1])
        return execution.status

    def outline(self, execution: str) -> Outline:
        """What is known of an execution without its events.

        Raises:
            NotFoundError: there is none of that ARN.
        """
        outline = self._journal.outline(execution)
        if outline is None:
            self._kept.pop(execution, None)
            message = f"Pipeline execution '{execution}' does not exist."
            raise NotFoundError(message)
        return outline

    def outlines(self, pipeline: str) -> list[Outline]:
        """What is known of the executions of a pipeline without their events, oldest first."""
        return self._journal.outlines(pipeline)

    def _keep(self, machine: Machine, events: int) -> None:
        self._kept[machine.start.arn] = machine, events
        room = _MOST_STEPS
        for arn in reversed(list(self._kept)):
            room -= len(self._kept[arn][0].execution.steps)
            if room < 0 and arn != machine.start.arn:
                del self._kept[arn]


def fresh(start: Start, partition: Partition) -> Execution:
    """The execution as it was before its first event."""
    identity = Identity(start.pipeline, partition.pipeline(start.pipeline), start.arn)
    return Execution(identity, read(start.definition).plan, start.parameters, start.rules, start.experiment)


# Executions of a pipeline share its plan, which costs more to make than most of them to fold.
@lru_cache(maxsize=8)
def read(definition: str) -> Checked:
    """A definition that was checked when it was given, with its graph."""
    parsed = parse(definition)
    return Checked(parsed, plan(parsed))
