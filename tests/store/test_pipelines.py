"""Pipelines, versions, aliases, tags and tokens as the state file keeps them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sagelocal.database import MIGRATIONS, open_database
from sagelocal.errors import ConflictError, NotFoundError, UsageError
from sagelocal.events import Begun
from sagelocal.names import Partition
from sagelocal.state import Rules
from sagelocal.store.journal import Journal, Start
from sagelocal.store.pipelines import Change, Pipeline, Pipelines
from sagelocal.store.tags import Tags
from sagelocal.store.tokens import Tokens
from sagelocal.store.views import Views
from sagelocal.values import JsonObject

PARTITION = Partition("us-east-1", "000000000000")
DEFINITION = json.dumps({"Steps": [{"Name": "A", "Type": "Lambda", "FunctionArn": "f", "Arguments": {}}]})
ARN = PARTITION.pipeline("p")


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = 1000.0

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += seconds


@pytest.fixture(name="connection")
def _connection() -> sqlite3.Connection:
    return open_database(":memory:")


@pytest.fixture(name="pipelines")
def _pipelines(connection: sqlite3.Connection) -> Pipelines:
    pipelines = Pipelines(connection)
    pipelines.create(Pipeline("p", ARN, 1.0, 1.0, role="r", max_parallel=2), "a", ["one"])
    return pipelines


def begun(connection: sqlite3.Connection, version: int, identity: str, created: float) -> str:
    arn = PARTITION.execution("p", identity)
    Journal(connection).begin(Start(arn, "p", version, "", created, "d", {}, None, {}, Rules()))
    return arn


def test_a_new_definition_is_a_new_version_and_the_same_is_not(connection: sqlite3.Connection) -> None:
    pipelines = Pipelines(connection)
    assert [pipelines.put("p", ARN, text, 0.0) for text in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    assert [pipelines.definition("p", number) for number in (1, 2, 3)] == ["a", "b", "a"]
    assert pipelines.version("p").number == 3


def test_what_an_update_does_not_name_stays(pipelines: Pipelines) -> None:
    pipelines.update("p", Change(display_name="P", description=""), 5.0)
    kept = Pipeline("p", ARN, 1.0, 5.0, "r", "P", "", 2)
    assert pipelines.get("p") == kept
    pipelines.put("p", ARN, "b", 6.0)
    assert pipelines.all() == [replace(kept, updated=6.0)]


def test_an_update_that_is_refused_changes_nothing(pipelines: Pipelines) -> None:
    before = pipelines.get("p"), pipelines.versions("p")
    with pytest.raises(UsageError, match="only be given when the definition changes"):
        pipelines.update("p", Change(role="other"), 5.0, "a", ["two"])
    with pytest.raises(ConflictError, match="belongs to version 1"):
        pipelines.update("p", Change(role="other"), 5.0, "b", ["one"])
    assert (pipelines.get("p"), pipelines.versions("p")) == before


def test_a_version_knows_its_latest_execution(pipelines: Pipelines, connection: sqlite3.Connection) -> None:
    pipelines.update("p", Change(), 2.0, "b")
    arns = [begun(connection, number, identity, 3.0) for number, identity in ((1, "a" * 12), (1, "b" * 12))]
    assert [version.last_execution for version in pipelines.versions("p")] == [None, arns[1]]
    assert pipelines.get("p").last_started == 3.0


def test_a_deleted_pipeline_leaves_nothing(pipelines: Pipelines, connection: sqlite3.Connection) -> None:
    arn = begun(connection, 1, "a" * 12, 3.0)
    Journal(connection).append(arn, [Begun(3.0)])
    pipelines.put("q", PARTITION.pipeline("q"), DEFINITION, 4.0)
    pipelines.delete("p")
    counts = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("pipelines", "pipeline_versions", "pipeline_aliases", "executions", "events")
    }
    assert counts == {
        "pipelines": 1,
        "pipeline_versions": 1,
        "pipeline_aliases": 0,
        "executions": 0,
        "events": 0,
    }
    with pytest.raises(NotFoundError, match="'p' does not exist"):
        pipelines.delete("p")


def test_a_state_file_of_the_release_before_is_migrated(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    for number, script in enumerate(MIGRATIONS[:2], 1):
        old.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
    arn = PARTITION.execution("p", "abcdefghijkl")
    facts = {
        "display_name": "old",
        "parameters": {"N": 1},
        "max_parallel": 3,
        "experiment": {},
        "rules": {"start_after_failure": True, "lower_case_pipeline_name": False},
        "origin": {},
    }
    old.execute("INSERT INTO pipelines VALUES ('p', ?, 1.0, 2.0)", (ARN,))
    old.execute("INSERT INTO pipeline_versions VALUES ('p', 1, 1.0, ?)", (DEFINITION,))
    old.execute(
        "INSERT INTO executions VALUES (7, ?, 'abcdefghijkl', 'p', 1, 3.0, ?)", (arn, json.dumps(facts))
    )
    old.execute("INSERT INTO events VALUES (7, 1, 4.0, 'Begun', '{}')")
    old.close()

    connection = open_database(tmp_path / "state.db")

    assert Pipelines(connection).all() == [Pipeline("p", ARN, 1.0, 2.0, last_started=3.0)]
    views = Views(Journal(connection), PARTITION, lambda _execution, _step: "")
    view = views.execution(arn)
    assert (view.display_name, view.max_parallel, view.parameters) == ("old", 3, {"N": 1})
    outline = views.machines.outline(arn)
    assert (outline.display_name, outline.description, outline.events) == ("old", None, 1)
    Journal(connection).rename(arn, "new", None, 9.0)
    assert views.machines.outline(arn).display_name == "new"
    assert views.execution(arn).display_name == "new"


def test_tags_belong_to_one_arn(connection: sqlite3.Connection) -> None:
    tags = Tags(connection)
    tags.put("a", {"k": "1", "j": "2"})
    tags.put("b", {"k": "3"})
    tags.put("a", {"k": "4"})
    assert (tags.of("a"), tags.of("b"), tags.of("c")) == ({"j": "2", "k": "4"}, {"k": "3"}, {})
    tags.remove("a", ["j", "nothing"])
    tags.forget("b")
    assert (tags.of("a"), tags.of("b")) == ({"k": "4"}, {})


def test_a_resource_has_fifty_tags_at_the_most(connection: sqlite3.Connection) -> None:
    tags = Tags(connection)
    many = {str(number): "" for number in range(50)}
    tags.put("a", many)
    tags.put("a", {"7": "changed"})
    with pytest.raises(UsageError, match="more than 50 tags"):
        tags.put("a", {"one more": "", "8": "changed"})
    assert tags.of("a") == many | {"7": "changed"}


class Counted:
    """Answers with the number of its calls, some turns of the loop later; fails as long as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self.failures = failures

    async def __call__(self) -> JsonObject:
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls <= self.failures:
            message = "not now"
            raise UsageError(message)
        return {"PipelineArn": f"{ARN}", "n": self.calls}


async def test_a_repeated_request_is_answered_as_the_first_was(connection: sqlite3.Connection) -> None:
    do, clock = Counted(), Clock()
    first = await Tokens(connection, clock).once("Create", "t", {"a": 1}, do)
    clock.moment += 8 * 3600
    again = await Tokens(connection, clock).once("Create", "t", {"a": 1}, do)
    assert (again, do.calls) == (first, 1)
    clock.moment += 1
    assert (await Tokens(connection, clock).once("Create", "t", {"a": 2}, do))["n"] == 2
    assert connection.execute("SELECT count(*) FROM request_tokens").fetchone() == (1,)


async def test_a_token_means_one_request_of_one_operation(connection: sqlite3.Connection) -> None:
    tokens, do = Tokens(connection, Clock()), Counted()
    await tokens.once("Create", "t", {"a": 1, "b": 2}, do)
    assert (await tokens.once("Create", "t", {"b": 2, "a": 1}, do))["n"] == 1
    with pytest.raises(ConflictError, match="Token t was used for another Create request"):
        await tokens.once("Create", "t", {"a": 2}, do)
    assert (await tokens.once("Delete", "t", {"a": 2}, do))["n"] == 2
    for token in (None, ""):
        await tokens.once("Create", token, {"a": 1}, do)
    assert do.calls == 4


async def test_a_request_that_failed_is_tried_again(connection: sqlite3.Connection) -> None:
    tokens, do = Tokens(connection, Clock()), Counted(failures=1)
    with pytest.raises(UsageError):
        await tokens.once("Create", "t", {}, do)
    assert (await tokens.once("Create", "t", {}, do))["n"] == 2


@pytest.mark.parametrize("failures", [0, 1])
async def test_of_requests_at_the_same_time_one_is_done(
    connection: sqlite3.Connection, failures: int
) -> None:
    tokens, do = Tokens(connection, Clock()), Counted(failures)
    ended = await asyncio.gather(
        *(tokens.once("Create", "t", {}, do) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, UsageError) for each in ended) == failures
    assert do.calls == 1 + failures


async def test_answers_about_what_is_gone_are_forgotten(connection: sqlite3.Connection) -> None:
    tokens = Tokens(connection, Clock())
    answers = {"a": ARN, "b": f"{ARN}/execution/x", "c": f"{ARN}2"}
    for token, arn in answers.items():
        await tokens.once("Create", token, {}, partial(dict, Arn=arn))
    tokens.forget(ARN)
    kept = {token: (await tokens.once("Create", token, {}, dict)) for token in answers}
    assert kept == {"a": {}, "b": {}, "c": {"Arn": f"{ARN}2"}}
