"""What becomes of executions and steps, put on the bus as SageMaker does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sagelocal.clock import Clock
from sagelocal.cloud.eventbridge.bus import Bus
from sagelocal.cloud.eventbridge.events import Event
from sagelocal.cloud.eventbridge.status_changes import ExecutionStatus, StatusChanges, StepStatus
from sagelocal.execution import Execution
from sagelocal.lifecycle import LISTED
from sagelocal.lifecycle import ExecutionStatus as ExecutionStates
from sagelocal.store.machines import Machine
from sagelocal.store.views import step_view


class Announcements:
    """Looks at an execution after each turn; as long as there are no rules, that costs nothing."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._changes = StatusChanges()

    def observe(self, machine: Machine, steps: Iterable[str]) -> None:
        """Put an event on the bus for each of these steps, and for the execution, whose status has changed."""
        if not self._bus.wanted:
            return
        now = self._clock.now()
        execution, start = machine.execution, machine.start
        status = ExecutionStatus(
            start.arn,
            execution.status,
            start.display_name,
            execution.started or start.created,
            execution.ended,
            start.description or "",
        )
        # Steps move after their execution has begun, and before it has ended, if all that is seen at once.
        first = (
            status if not execution.done else replace(status, status=ExecutionStates.EXECUTING, ended=None)
        )
        begun = (
            [] if execution.done and self._changes.seen(start.arn) else self._changes.of_execution(first, now)
        )
        moved = [event for name in steps for event in self._of_step(execution, name, now)]
        ended = self._changes.of_execution(status, now) if execution.done else []
        self._bus.put([*begun, *moved, *ended])

    def _of_step(self, execution: Execution, name: str, now: float) -> Iterator[Event]:
        if execution.steps[name].status not in LISTED:
            return
        view = step_view(execution, name, lambda _execution, _step: "")
        status = StepStatus(
            execution.identity.arn,
            name,
            view.type,
            view.status,
            view.started,
            view.ended,
            view.metadata,
            view.failure_reason,
        )
        yield from self._changes.of_step(status, now)
