"""The journal: what is written is what is read, also after a crash or on a full disk."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from sagelocal.database import MIGRATIONS, open_database, transaction
from sagelocal.errors import MachineError, NotFoundError
from sagelocal.events import Begun, Event, Fetched, Finished, ParallelismChanged, Started, StopRequested
from sagelocal.jobs import Failed, Stopped, Succeeded
from sagelocal.names import Partition
from sagelocal.state import Rules
from sagelocal.store.journal import Journal, Start
from sagelocal.store.pipelines import Pipelines
from sagelocal.store.views import Views
from sagelocal.values import ObjectText

PARTITION = Partition("us-east-1", "000000000000")
DEFINITION = json.dumps({"Steps": [{"Name": "A", "Type": "Lambda", "FunctionArn": "f", "Arguments": {}}]})
EVENTS: list[Event] = [
    Begun(1.0),
    Fetched("A", ObjectText("s3://bucket/k", None, "there is none"), 1.5),
    Started("A", 2.0),
    StopRequested(2.5),
    ParallelismChanged(3, 2.6),
    Finished("A", Succeeded({"x": [1, {"ü": None}]}, {"F": ObjectText("s3://bucket/f", "{}")}), 3.0),
    Finished("A", Failed("why", "AlgorithmError", {"y": True}), 3.0),
    Finished("A", Stopped({"z": 1.5}), 3.0),
]


def opened(path: Path | str = ":memory:") -> Journal:
    """A journal beside a pipeline."""
    connection = open_database(path)
    Pipelines(connection).put("p", PARTITION.pipeline("p"), DEFINITION, 0.0)
    return Journal(connection)


def begin(journal: Journal, identity: str = "abcdefghijkl", created: float = 0.0) -> str:
    arn = PARTITION.execution("p", identity)
    journal.begin(Start(arn, "p", 1, DEFINITION, created, "d", {"P": 1.0}, 2, {"TrialName": "t"}, Rules()))
    return arn


def test_every_event_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal = opened(tmp_path / "state.db")
    arn = begin(journal)
    for event in EVENTS:
        journal.append(arn, [event])
    assert list(Journal(open_database(tmp_path / "state.db")).events(arn)) == EVENTS


def test_a_start_is_read_as_it_was_written() -> None:
    journal = opened()
    begin(journal)
    (start,) = journal.starts()
    assert (start.parameters, start.max_parallel, start.experiment) == ({"P": 1.0}, 2, {"TrialName": "t"})
    assert start.definition == DEFINITION


def test_several_events_are_recorded_together_or_not_at_all() -> None:
    journal = opened()
    arn = begin(journal)
    journal.append(arn, [Begun(1.0)])
    with pytest.raises(TypeError):
        journal.append(arn, [Started("A", 2.0), Finished("A", Succeeded({"x": {1, 2}}), 3.0)])  # type: ignore[dict-item]  # a set is no JSON
    assert list(journal.events(arn)) == [Begun(1.0)]


def test_a_full_disk_is_told_with_a_way_out_and_loses_nothing(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "state.db")
    Pipelines(connection).put("p", PARTITION.pipeline("p"), DEFINITION, 0.0)
    journal = Journal(connection)
    arn = begin(journal)
    journal.append(arn, [Begun(1.0)])
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(MachineError, match="free some disk space"):
        journal.append(arn, [Finished("A", Succeeded({"x": "y" * 100_000}), 2.0)])
    connection.execute("PRAGMA max_page_count = 1000000")
    journal.append(arn, [Started("A", 3.0)])
    assert list(journal.events(arn)) == [Begun(1.0), Started("A", 3.0)]


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"x" * 4096)
    with pytest.raises(MachineError, match="move it away"):
        open_database(tmp_path / "state.db")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="the state cannot be kept"):
        open_database(tmp_path / "file" / "state.db")


def test_a_state_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_database(tmp_path / "state.db").execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(MachineError, match="newer sagelocal"):
        open_database(tmp_path / "state.db")


def test_an_interrupted_transaction_leaves_no_trace(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "state.db")

    def interrupted() -> None:
        with transaction(connection):
            connection.execute(
                "INSERT INTO pipelines (name, arn, created, updated) VALUES ('p', 'a', 0.0, 0.0)"
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert connection.execute("SELECT count(*) FROM pipelines").fetchone() == (0,)


def test_readers_see_a_running_writer(tmp_path: Path) -> None:
    journal = opened(tmp_path / "state.db")
    arn = begin(journal)
    reader = sqlite3.connect(tmp_path / "state.db")
    journal.append(arn, [Begun(1.0)])
    assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
    reader.close()


def views(journal: Journal) -> Views:
    return Views(journal, PARTITION, lambda _execution, _step: "")


def test_executions_are_found_by_id_beginning_arn_and_latest() -> None:
    journal = opened()
    first, second = begin(journal, "aaaaaaaaaaaa", 1.0), begin(journal, "abbbbbbbbbbb", 2.0)
    assert [view.arn for view in views(journal).executions()] == [second, first]
    for name in ("aaaaaaaaaaaa", "aa", first):
        assert views(journal).execution(name).arn == first
    assert views(journal).execution("latest").arn == second


@pytest.mark.parametrize(("name", "told"), [("a", "several executions"), ("zz", "No execution 'zz'")])
def test_a_name_that_means_none_or_several_is_refused(name: str, told: str) -> None:
    journal = opened()
    begin(journal, "aaaaaaaaaaaa")
    begin(journal, "abbbbbbbbbbb")
    with pytest.raises(NotFoundError, match=told):
        views(journal).execution(name)


def test_an_empty_state_says_how_to_begin() -> None:
    with pytest.raises(NotFoundError, match="sagelocal run"):
        views(Journal(open_database(":memory:"))).execution("latest")


def test_a_view_tells_what_the_journal_tells() -> None:
    journal = opened()
    arn = begin(journal)
    journal.append(arn, [Begun(1.0), Started("A", 2.0), Finished("A", Failed("why", "ClientError"), 3.0)])
    view = views(journal).execution(arn)
    (step,) = view.steps
    assert (view.status, view.started, view.ended) == ("Failed", 1.0, 3.0)
    assert view.failure_reason == "Step failure: One or multiple steps failed."
    assert (step.name, step.type, step.status, step.failure_reason) == ("A", "Lambda", "Failed", "why")
    assert (step.started, step.ended, step.attempt) == (2.0, 3.0, 1)
