"""Executions that are kept folded: what is seen is what a fresh fold would show, for less work."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sagelocal.database import open_database
from sagelocal.errors import NotFoundError
from sagelocal.events import Begun, Event, Finished, ParallelismChanged, Started, StopRequested
from sagelocal.jobs import Failed, Stopped, Succeeded
from sagelocal.lifecycle import ExecutionStatus
from sagelocal.names import Partition
from sagelocal.resumption import replay
from sagelocal.state import Rules
from sagelocal.store import machines as kept
from sagelocal.store.journal import Journal, Start
from sagelocal.store.machines import Machines, fresh
from sagelocal.store.pipelines import Pipelines

PARTITION = Partition("us-east-1", "000000000000")
DEFINITION = json.dumps(
    {"Steps": [{"Name": name, "Type": "Lambda", "FunctionArn": "f", "Arguments": {}} for name in ("A", "B")]}
)
STORY: list[Event] = [
    Begun(1.0),
    Started("A", 2.0),
    ParallelismChanged(3, 2.5),
    Started("B", 3.0),
    Finished("A", Succeeded({"x": 1}), 4.0),
    StopRequested(5.0),
    Finished("B", Stopped(), 6.0),
]


class Counting(Journal):
    """A journal that counts the events it has been asked for."""

    read = 0

    def events(self, execution: str, after: int = 0) -> Iterator[Event]:
        for event in super().events(execution, after):
            self.read += 1
            yield event


@pytest.fixture(name="journal")
def _journal() -> Counting:
    connection = open_database(":memory:")
    Pipelines(connection).put("p", PARTITION.pipeline("p"), DEFINITION, 0.0)
    return Counting(connection)


def begin(journal: Journal, identity: str) -> str:
    arn = PARTITION.execution("p", identity)
    journal.begin(Start(arn, "p", 1, DEFINITION, 1.0, "d", {}, None, {}, Rules()))
    return arn


def test_only_what_has_come_since_is_read(journal: Counting) -> None:
    arn = begin(journal, "a" * 12)
    machines = Machines(journal, PARTITION)
    for number, event in enumerate(STORY):
        journal.append(arn, [event])
        for _ in range(3):
            seen = machines.of(machines.outline(arn)).execution
        assert journal.read == number + 1
        assert seen == replay(fresh(journal.start(arn), PARTITION), STORY[: number + 1])
    assert seen.status is ExecutionStatus.STOPPED
    assert seen.max_parallel == 3


def test_what_another_process_appends_is_seen(journal: Counting) -> None:
    arn = begin(journal, "a" * 12)
    machines = Machines(journal, PARTITION)
    outline = machines.outline(arn)
    journal.append(arn, STORY[:2])  # after the outline, before the fold
    assert set(machines.of(outline).execution.listed()[0][0]) == {"A"}
    journal.append(arn, STORY[2:])
    assert machines.of(machines.outline(arn)).execution.done


def test_few_steps_are_kept(journal: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST_STEPS", 5)
    arns = [begin(journal, letter * 12) for letter in "abc"]
    machines = Machines(journal, PARTITION)
    for arn in arns:
        journal.append(arn, STORY)
        machines.of(machines.outline(arn))
    read = journal.read
    for arn in reversed(arns):
        machines.of(machines.outline(arn))
    assert journal.read - read == len(STORY)  # two executions of two steps were kept, the first was not


def test_an_end_that_was_noted_needs_no_events(journal: Counting) -> None:
    arn = begin(journal, "a" * 12)
    journal.append(arn, STORY)
    journal.note_end(arn, ExecutionStatus.STOPPED, len(STORY))
    machines = Machines(journal, PARTITION)
    assert machines.status(machines.outline(arn)) == "Stopped"
    assert journal.read == 0


def test_an_end_that_was_noted_counts_only_until_the_next_event(journal: Counting) -> None:
    arn = begin(journal, "a" * 12)
    machines = Machines(journal, PARTITION)
    journal.append(arn, [Begun(1.0), Started("A", 2.0)])
    journal.note_end(arn, ExecutionStatus.STOPPED, 2)
    journal.append(arn, [Finished("A", Failed("no", "ClientError"), 3.0)])
    assert machines.status(machines.outline(arn)) == "Failed"


def test_an_end_that_is_found_is_noted(journal: Counting) -> None:
    arn = begin(journal, "a" * 12)
    journal.append(arn, STORY)
    machines = Machines(journal, PARTITION)
    assert machines.status(machines.outline(arn)) == "Stopped"
    assert machines.outline(arn).ended == "Stopped"


def test_a_deleted_execution_is_not_found_although_it_was_kept() -> None:
    connection = open_database(":memory:")
    pipelines, journal = Pipelines(connection), Journal(connection)
    pipelines.put("p", PARTITION.pipeline("p"), DEFINITION, 0.0)
    arn = begin(journal, "a" * 12)
    machines = Machines(journal, PARTITION)
    machines.of(machines.outline(arn))
    pipelines.delete("p")
    with pytest.raises(NotFoundError, match="does not exist"):
        machines.outline(arn)
