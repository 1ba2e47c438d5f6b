"""CloudWatch Logs over the logs of jobs and functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job
from sagelocal.logs import StepLog

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import World

TRAINING = "/aws/sagemaker/TrainingJobs"
EXECUTION = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p/execution/abc123abc123"


def job(name: str = "train-1", step: str = "Train", instances: int = 1, **changes: Any) -> Job:
    arguments = {"ResourceConfig": {"InstanceCount": instances}}
    return Job(EXECUTION, step, StepType.TRAINING, 1, name, arguments, **changes)


async def write(world: World, which: Job, *lines: str, pause: float = 0.0) -> None:
    with world.logs.of(which, StepType.TRAINING) as log:
        for line in lines:
            log.line(line)
            if pause:
                await world.clock.advance(pause)


async def stream_of(world: World, name: str) -> str:
    found = await world.call(
        "logs", "describe_log_streams", logGroupName=TRAINING, logStreamNamePrefix=f"{name}/"
    )
    return str(found["logStreams"][0]["logStreamName"])


async def read(world: World, name: str = "train-1", **arguments: Any) -> Any:
    stream = await stream_of(world, name)
    return await world.call(
        "logs", "get_log_events", logGroupName=TRAINING, logStreamName=stream, **arguments
    )


def texts(answer: Any) -> list[str]:
    return [event["message"] for event in answer["events"]]


async def test_a_jobs_lines_are_the_events_of_its_stream(world: World) -> None:
    begun = int(world.clock.now())
    await write(world, job(), "one", "two", pause=1.0)

    [stream] = (await world.call("logs", "describe_log_streams", logGroupName=TRAINING))["logStreams"]
    answer = await read(world, startFromHead=True)

    assert stream["logStreamName"] == f"train-1/algo-1-{begun}"
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (
        begun * 1000,
        begun * 1000 + 1000,
    )
    assert [(event["timestamp"], event["message"]) for event in answer["events"]] == [
        (begun * 1000, "one"),
        (begun * 1000 + 1000, "two"),
    ]


async def test_lines_that_come_together_share_a_moment_which_never_changes(world: World) -> None:
    with world.logs.of(job(), StepType.TRAINING) as log:
        log.line("one")
        await world.clock.advance(0.1)
        log.line("two")
        before = await read(world)
        await world.clock.advance(0.2)
        log.line("three")
    after = await read(world)

    moments = [event["timestamp"] - after["events"][0]["timestamp"] for event in after["events"]]
    assert moments == [0, 0, 300]
    assert after["events"][:2] == before["events"]


async def test_the_token_stays_the_same_at_the_end_until_there_is_more(world: World) -> None:
    await write(world, job(), "one", "two", "three")
    first = await read(world, startFromHead=True, limit=2)
    second = await read(world, startFromHead=True, nextToken=first["nextForwardToken"])
    third = await read(world, startFromHead=True, nextToken=second["nextForwardToken"])
    await write(world, job(), "four")
    fourth = await read(world, startFromHead=True, nextToken=third["nextForwardToken"])

    assert [texts(each) for each in (first, second, third, fourth)] == [
        ["one", "two"],
        ["three"],
        [],
        ["four"],
    ]
    assert third["nextForwardToken"] == second["nextForwardToken"]


async def test_without_a_wish_the_last_events_come_and_the_token_leads_back(world: World) -> None:
    await write(world, job(), *(f"line {number}" for number in range(10)))

    last = await read(world, limit=3)
    before = await read(world, limit=4, nextToken=last["nextBackwardToken"])
    first = await read(world, limit=9, nextToken=before["nextBackwardToken"])
    nothing = await read(world, nextToken=first["nextBackwardToken"])

    assert [len(each["events"]) for each in (last, before, first, nothing)] == [3, 4, 3, 0]
    assert [*texts(first), *texts(before), *texts(last)] == [f"line {number}" for number in range(10)]
    assert nothing["nextBackwardToken"] == first["nextBackwardToken"]


async def test_a_long_log_is_read_from_either_end_in_answers_of_a_mebibyte(world: World) -> None:
    lines = [f"{number:06d} {'x' * 300}" for number in range(9000)]
    await write(world, job(), *lines)

    forward: list[str] = []
    token: dict[str, str] = {}
    for _ in range(4):
        answer = await read(world, startFromHead=True, **token)
        forward += texts(answer)
        token = {"nextToken": answer["nextForwardToken"]}
    tail = await read(world)

    assert forward == lines
    assert texts(tail) == lines[-len(tail["events"]) :]
    assert 3000 < len(tail["events"]) < 9000


async def test_events_are_chosen_by_time(world: World) -> None:
    begun = int(world.clock.now() * 1000)
    await write(world, job(), "one", "two", "three", pause=1.0)

    some = await read(world, startTime=begun + 1000, endTime=begun + 2000)
    later = await read(world, startTime=begun + 5000, startFromHead=True)

    assert texts(some) == ["two"]
    assert texts(later) == []


async def test_each_instance_has_its_stream(world: World) -> None:
    await write(world, job(instances=2), "staged", "[algo-2] second", "[algo-1] first", "[algo-2] more")

    found = await world.call("logs", "describe_log_streams", logGroupName=TRAINING)
    names = [stream["logStreamName"] for stream in found["logStreams"]]
    answers = [
        await world.call("logs", "get_log_events", logGroupName=TRAINING, logStreamName=name)
        for name in names
    ]

    assert [name.rpartition("-")[0] for name in names] == ["train-1/algo-1", "train-1/algo-2"]
    assert [texts(answer) for answer in answers] == [["staged", "first"], ["second", "more"]]


async def test_a_further_attempt_has_its_own_stream_of_the_steps_log(world: World) -> None:
    await write(world, job("train-1"), "first attempt")
    await write(world, job("train-1-1"), "second attempt")

    assert texts(await read(world, "train-1")) == ["first attempt"]
    assert texts(await read(world, "train-1-1")) == ["second attempt"]


async def test_an_engine_that_goes_on_with_a_job_goes_on_with_its_stream(world: World) -> None:
    await write(world, job(), "before")
    await write(world, job(), "after")

    assert texts(await read(world)) == ["before", "after"]


async def test_jobs_that_a_job_has_started_have_streams_too(world: World) -> None:
    await write(world, job("tune-001-abc", "Tune", child=True), "trial")

    assert texts(await read(world, "tune-001-abc")) == ["trial"]


async def test_a_line_that_is_not_whole_yet_is_not_shown(world: World) -> None:
    await write(world, job(), "whole")
    with (world.root / "logs/abc123abc123/Train.log").open("a") as file:
        file.write("half")

    assert texts(await read(world)) == ["whole"]


async def test_logs_written_before_there_were_moments_have_that_of_their_job(world: World) -> None:
    begun = int(world.clock.now() * 1000)
    await write(world, job(), "old")
    (world.root / "logs/abc123abc123/Train.times").unlink()

    [event] = (await read(world))["events"]

    assert (event["message"], event["timestamp"]) == ("old", begun)


async def test_functions_have_a_group_each(world: World) -> None:
    path = world.root / "logs/functions/notify.log"
    with StepLog(path, lambda _: None, world.clock) as log:
        log.line("START RequestId: 1")

    [group] = (await world.call("logs", "describe_log_groups", logGroupNamePrefix="/aws/lambda"))["logGroups"]
    found = await world.call("logs", "filter_log_events", logGroupName=group["logGroupName"])

    assert group["logGroupName"] == "/aws/lambda/notify"
    assert group["arn"] == "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/notify:*"
    assert texts(found) == ["START RequestId: 1"]
    assert found["events"][0]["logStreamName"].startswith("2026/01/01/[$LATEST]")


async def test_groups_are_found_by_beginning_or_part(world: World) -> None:
    with world.logs.of(job("p-1", "P"), StepType.PROCESSING) as log:
        log.line("x")
    await write(world, job(), "y")

    assert [
        each["logGroupName"]
        for each in await world.pages("logs", "describe_log_groups", "logGroups", PageSize=1)
    ] == [
        "/aws/sagemaker/ProcessingJobs",
        TRAINING,
    ]
    found = await world.call("logs", "describe_log_groups", logGroupNamePattern="training")
    assert [each["logGroupName"] for each in found["logGroups"]] == [TRAINING]


async def test_all_streams_of_a_group_are_merged_in_pages(world: World) -> None:
    for number in range(3):
        await write(world, job("a", "A"), f"a{number}")
        await world.clock.advance(1)
        await write(world, job("b", "B"), f"b{number}")
        await world.clock.advance(1)

    found = await world.pages("logs", "filter_log_events", "events", logGroupName=TRAINING)

    assert [event["message"] for event in found] == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert len({event["eventId"] for event in found}) == 6


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["loss 1", "ERROR: a b", "warn: b"]),
        ("ERROR", ["ERROR: a b"]),
        ("error", []),
        ("b ERROR", ["ERROR: a b"]),
        ('"a b"', ["ERROR: a b"]),
        ('"b a"', []),
        ("?loss ?warn", ["loss 1", "warn: b"]),
        ("b -warn", ["ERROR: a b"]),
        ("%lo[a-s]+ \\d%", ["loss 1"]),
    ],
)
async def test_events_are_filtered_by_terms(world: World, pattern: str, expected: list[str]) -> None:
    await write(world, job(), "loss 1", "ERROR: a b", "warn: b")

    found = await world.call("logs", "filter_log_events", logGroupName=TRAINING, filterPattern=pattern)

    assert texts(found) == expected


async def test_streams_are_ordered_by_name_or_by_their_last_event(world: World) -> None:
    for name in ("c", "a", "b"):
        await write(world, job(name, name), "x")
        await world.clock.advance(10)

    async def names(**arguments: Any) -> list[str]:
        found = await world.pages(
            "logs", "describe_log_streams", "logStreams", logGroupName=TRAINING, **arguments
        )
        return [stream["logStreamName"][0] for stream in found]

    assert await names() == ["a", "b", "c"]
    assert await names(descending=True) == ["c", "b", "a"]
    assert await names(orderBy="LastEventTime") == ["c", "a", "b"]
    assert await names(orderBy="LastEventTime", descending=True) == ["b", "a", "c"]


async def test_what_does_not_exist_or_cannot_be_is_refused(world: World) -> None:
    await write(world, job(), "x")
    missing = "ResourceNotFoundException: The specified log group does not exist."
    nothing = {"logGroupName": "none"}
    there = {"logGroupName": TRAINING}

    assert await world.refused("logs", "describe_log_streams", **nothing) == missing
    assert await world.refused("logs", "filter_log_events", **nothing) == missing
    assert await world.refused("logs", "get_log_events", **nothing, logStreamName="x") == missing
    assert (await world.refused("logs", "get_log_events", **there, logStreamName="x")) == (
        "ResourceNotFoundException: The specified log stream does not exist."
    )
    for operation, arguments in (
        ("describe_log_streams", {"orderBy": "LastEventTime", "logStreamNamePrefix": "x"}),
        ("describe_log_streams", {"nextToken": "?"}),
        ("describe_log_streams", {"limit": 51}),
        ("filter_log_events", {"filterPattern": "{ $.a = 1 }"}),
        ("filter_log_events", {"filterPattern": "%(%"}),
        ("filter_log_events", {"nextToken": "?"}),
        ("filter_log_events", {"logStreamNames": ["a"], "logStreamNamePrefix": "a"}),
        ("get_log_events", {"logStreamName": await stream_of(world, "train-1"), "nextToken": "?"}),
    ):
        told = await world.refused("logs", operation, **there, **arguments)
        assert told.startswith("InvalidParameterException"), told
    both = await world.refused("logs", "describe_log_groups", logGroupNamePrefix="a", logGroupNamePattern="b")
    assert both.startswith("InvalidParameterException")
