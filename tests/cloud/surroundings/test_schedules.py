"""EventBridge Scheduler, spoken by boto3 on a clock that the test turns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import World

PIPELINE = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/nightly"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:seen"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
START = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
ROLE = "arn:aws:iam::123456789012:role/any"
ARN = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def schedule(expression: str = "rate(1 hour)", **changes: Any) -> dict[str, Any]:
    target = {"Arn": PIPELINE, "RoleArn": ROLE, **changes.pop("Target", {})}
    window = {"Mode": "OFF"}
    given = {"Name": "s", "ScheduleExpression": expression, "FlexibleTimeWindow": window, "Target": target}
    return {**given, **changes}


async def create(world: World, expression: str = "rate(1 hour)", **changes: Any) -> None:
    await world.call("scheduler", "create_schedule", **schedule(expression, **changes))


async def pass_time(world: World, seconds: float) -> None:
    await world.clock.advance(seconds)
    await world.around.settled()


async def test_what_put_triggers_of_the_sdk_sends_starts_the_pipeline(world: World) -> None:
    """Update first, create when there is none; the start date is the moment of the call."""
    begun = datetime.fromtimestamp(world.clock.now(), UTC)
    given = schedule(StartDate=begun, State="ENABLED", Target={"SageMakerPipelineParameters": {}})
    told = await world.refused("scheduler", "update_schedule", **given)

    created = await world.call("scheduler", "create_schedule", **given)
    await pass_time(world, 0)
    at_once = list(world.started)
    await pass_time(world, 7200)

    assert told == "ResourceNotFoundException: Schedule s does not exist."
    assert created == {"ScheduleArn": ARN}
    assert at_once == [(PIPELINE, {})]
    assert len(world.started) == 3


async def test_a_schedule_gives_its_pipeline_parameters_and_the_time(world: World) -> None:
    parameters = [
        {"Name": "Fixed", "Value": "x"},
        {"Name": "Time", "Value": "<aws.scheduler.scheduled-time>"},
    ]
    target = {"SageMakerPipelineParameters": {"PipelineParameterList": parameters}}
    await create(world, "cron(30 8 * * ? *)", ScheduleExpressionTimezone="America/New_York", Target=target)

    await pass_time(world, 86_400)

    assert world.started == [(PIPELINE, {"Fixed": "x", "Time": "2026-01-01T13:30:00Z"})]


async def test_a_moment_comes_once_and_the_schedule_may_go_with_it(world: World) -> None:
    await create(world, "at(2026-01-01T00:10:00)", ActionAfterCompletion="DELETE")
    await create(world, "at(2026-01-01T00:20:00)", Name="stays")

    await pass_time(world, 86_400)

    assert len(world.started) == 2
    listed = await world.call("scheduler", "list_schedules")
    assert [each["Name"] for each in listed["Schedules"]] == ["stays"]


async def test_a_moment_of_just_now_is_now_and_one_long_past_is_over(world: World) -> None:
    await world.clock.advance(3600)
    await create(world, "at(2026-01-01T00:59:30)")
    await create(world, "at(2026-01-01T00:30:00)", Name="over")

    await pass_time(world, 3600)

    assert len(world.started) == 1


async def test_a_rate_without_a_start_begins_at_once_and_ends_at_its_end(world: World) -> None:
    await create(world, EndDate=datetime(2026, 1, 1, 3, 30, tzinfo=UTC))

    await pass_time(world, 86_400)

    assert len(world.started) == 4  # at 0:00, 1:00, 2:00 and 3:00


async def test_a_start_in_the_future_is_waited_for(world: World) -> None:
    await create(world, "rate(1 day)", StartDate=NOON)
    await create(world, "cron(0 * * * ? *)", Name="hourly", StartDate=NOON, Target={"Arn": FUNCTION})

    await pass_time(world, 12 * 3600 - 1)
    before = len(world.started), len(world.invoked)
    await pass_time(world, 3601)

    assert before == (0, 0)
    assert (len(world.started), len(world.invoked)) == (1, 2)


async def test_a_disabled_or_deleted_schedule_does_nothing(world: World) -> None:
    await create(world, State="DISABLED")
    await create(world, Name="gone", StartDate=NOON)
    await world.call("scheduler", "delete_schedule", Name="gone")

    await pass_time(world, 86_400)
    await world.call("scheduler", "update_schedule", **schedule(State="ENABLED"))
    await pass_time(world, 0)

    assert len(world.started) == 1


async def test_targets_get_the_input_with_the_context_filled_in(world: World) -> None:
    text = '{"at": "<aws.scheduler.scheduled-time>", "of": "<aws.scheduler.schedule-arn>"}'
    await create(world, Target={"Arn": QUEUE, "Input": text})
    await create(world, Name="plain", Target={"Arn": FUNCTION})

    await pass_time(world, 0)

    [body] = await world.received()
    [(_, payload)] = world.invoked
    assert json.loads(body) == {"at": "2026-01-01T00:00:00Z", "of": ARN}
    assert json.loads(payload)["source"] == "aws.scheduler"
    assert json.loads(payload)["resources"] == [f"{ARN.removesuffix('/s')}/plain"]


async def test_a_schedule_puts_an_event_on_the_bus(world: World) -> None:
    await world.call("events", "put_rule", Name="r", EventPattern='{"source": ["clock"]}')
    await world.call(
        "events", "put_targets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE, "InputPath": "$.detail"}]
    )
    parameters = {"DetailType": "tick", "Source": "clock"}
    await create(world, Target={"Arn": BUS, "Input": '{"n": 1}', "EventBridgeParameters": parameters})

    await pass_time(world, 0)

    assert [json.loads(body) for body in await world.received()] == [{"n": 1}]


async def test_the_universal_target_starts_an_execution(world: World) -> None:
    request = {"PipelineName": "nightly", "PipelineParameters": [{"Name": "A", "Value": "1"}]}
    await create(world, Target={"Arn": START, "Input": json.dumps(request)})
    await create(world, Name="wrong", Target={"Arn": START, "Input": "{}"})
    await create(world, Name="other", Target={"Arn": START.replace("sagemaker:start", "ecs:run")})

    await pass_time(world, 0)

    assert world.started == [("nightly", {"A": "1"})]
    assert [text.partition(":")[0] for text in sorted(world.told)] == [
        "schedule default/other",
        "schedule default/wrong",
    ]


async def test_a_schedule_is_shown_as_it_was_given(world: World) -> None:
    await create(world, "rate(2 days)", StartDate=NOON, Description="d")
    await world.clock.advance(60)
    await world.call("scheduler", "update_schedule", **schedule("rate(3 days)", StartDate=NOON))

    found = await world.call("scheduler", "get_schedule", Name="s")

    assert found == {
        "Arn": ARN,
        "GroupName": "default",
        "Name": "s",
        "ScheduleExpression": "rate(3 days)",
        "ScheduleExpressionTimezone": "UTC",
        "StartDate": NOON,
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": PIPELINE, "RoleArn": ROLE},
        "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
        "LastModificationDate": datetime(2026, 1, 1, 0, 1, tzinfo=UTC),
    }


async def test_groups_hold_schedules_and_take_them_along(world: World) -> None:
    tags = [{"Key": "a", "Value": "1"}]
    arn = (await world.call("scheduler", "create_schedule_group", Name="g", Tags=tags))["ScheduleGroupArn"]
    await create(world, GroupName="g", StartDate=NOON)
    await create(world, StartDate=NOON)

    in_group = await world.call("scheduler", "list_schedules", GroupName="g")
    await world.call("scheduler", "tag_resource", ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    await world.call("scheduler", "untag_resource", ResourceArn=arn, TagKeys=["a"])
    tagged = await world.call("scheduler", "list_tags_for_resource", ResourceArn=arn)
    groups = await world.pages("scheduler", "list_schedule_groups", "ScheduleGroups", PageSize=1)
    await world.call("scheduler", "delete_schedule_group", Name="g")
    left = await world.call("scheduler", "list_schedules")

    assert [each["Arn"] for each in in_group["Schedules"]] == [ARN.replace("/default/", "/g/")]
    assert tagged["Tags"] == [{"Key": "b", "Value": "2"}]
    assert [group["Name"] for group in groups] == ["default", "g"]
    assert [each["GroupName"] for each in left["Schedules"]] == ["default"]
    assert (await world.call("scheduler", "get_schedule_group", Name="default"))["State"] == "ACTIVE"


async def test_schedules_come_in_pages_and_by_beginning_and_state(world: World) -> None:
    for name in ("b2", "a", "b1"):
        await create(world, Name=name, StartDate=NOON, State="DISABLED" if name == "b2" else "ENABLED")

    found = await world.pages("scheduler", "list_schedules", "Schedules")
    some = await world.call("scheduler", "list_schedules", NamePrefix="b", State="ENABLED")

    assert [each["Name"] for each in found] == ["a", "b1", "b2"]
    assert [each["Name"] for each in some["Schedules"]] == ["b1"]


async def test_the_same_token_creates_once(world: World) -> None:
    token = "0123456789"
    for _ in range(2):
        await create(world, ClientToken=token, StartDate=NOON)

    told = await world.refused("scheduler", "create_schedule", **schedule(ClientToken="other"))

    assert told == "ConflictException: Schedule s already exists."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ScheduleExpression": "soon"}, "ValidationException: Invalid Schedule Expression soon."),
        (
            {"ScheduleExpression": "cron(0 0 * * * *)"},
            "ValidationException: Invalid Schedule Expression cron(",
        ),
        ({"ScheduleExpressionTimezone": "Mars"}, "ValidationException: Invalid Schedule Expression rate("),
        ({"Target": {"Arn": "nightly"}}, "ValidationException: Provided Arn is not in correct format."),
        (
            {"Target": {"RoleArn": "x"}},
            "ValidationException: 1 validation error detected: Value 'x' at 'target.roleArn'",
        ),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "ValidationException: MaximumWindowInMinutes must be"),
        ({"GroupName": "none"}, "ResourceNotFoundException: Schedule group none does not exist."),
        ({"Name": "a b"}, "ValidationException"),
        ({"State": "ON"}, "ValidationException"),
    ],
)
async def test_what_scheduler_refuses_is_refused(
    world: World, changes: dict[str, Any], expected: str
) -> None:
    told = await world.refused("scheduler", "create_schedule", **schedule(**changes))

    assert told.startswith(expected)


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    for operation, arguments in (
        ("get_schedule", {"Name": "none"}),
        ("delete_schedule", {"Name": "none"}),
        ("get_schedule_group", {"Name": "none"}),
        ("delete_schedule_group", {"Name": "none"}),
        ("list_schedules", {"GroupName": "none"}),
        ("list_tags_for_resource", {"ResourceArn": ARN.replace("schedule/default/s", "schedule-group/x")}),
    ):
        assert (await world.refused("scheduler", operation, **arguments)).startswith(
            "ResourceNotFoundException"
        )
    assert (await world.refused("scheduler", "delete_schedule_group", Name="default")).startswith(
        "ValidationException"
    )
    await world.call("scheduler", "create_schedule_group", Name="g")
    assert (await world.refused("scheduler", "create_schedule_group", Name="g")).startswith(
        "ConflictException"
    )
    assert (await world.refused("scheduler", "list_schedules", NextToken="?")).startswith(
        "ValidationException"
    )
