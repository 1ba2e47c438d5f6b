"""EventBridge: rules, targets, events, spoken by boto3 on a clock that the test turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.eventbridge.events import Event

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import World

ARN = "arn:aws:events:eu-west-1:123456789012:rule/r"
PIPELINE = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/nightly"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:seen"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
ROLE = "arn:aws:iam::123456789012:role/any"
PATTERN = json.dumps({"source": ["mine"]})


async def rule(world: World, *targets: dict[str, Any], **changes: Any) -> None:
    await world.call("events", "put_rule", **{"Name": "r", "EventPattern": PATTERN, **changes})
    listed = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    if listed:
        answer = await world.call("events", "put_targets", Rule="r", Targets=listed)
        assert answer == {"FailedEntryCount": 0, "FailedEntries": []}


async def put(world: World, detail: Any = None, **changes: Any) -> Any:
    entry = {"Source": "mine", "DetailType": "thing", "Detail": json.dumps(detail or {}), **changes}
    answer = await world.call("events", "put_events", Entries=[entry])
    await world.around.settled()
    return answer


def pipeline(**parameters: str) -> dict[str, Any]:
    listed = [{"Name": name, "Value": value} for name, value in parameters.items()]
    return {
        "Arn": PIPELINE,
        "RoleArn": ROLE,
        "SageMakerPipelineParameters": {"PipelineParameterList": listed},
    }


async def test_an_event_that_matches_starts_a_pipeline_with_what_is_in_it(world: World) -> None:
    await rule(
        world, pipeline(Fixed="x", Bucket="$.detail.bucket.name", Size="$.detail.size", Who="$.source")
    )

    answer = await put(world, {"bucket": {"name": "b"}, "size": 5})
    await put(world, {"bucket": {}}, Source="other")

    assert answer["FailedEntryCount"] == 0
    assert world.started == [(PIPELINE, {"Fixed": "x", "Bucket": "b", "Size": "5", "Who": "mine"})]


async def test_a_path_that_finds_nothing_is_told_and_nothing_starts(world: World) -> None:
    await rule(world, pipeline(Bucket="$.detail.bucket.name"))

    await put(world, {"bucket": {}})

    assert world.started == []
    assert len(world.told) == 1
    assert f"rule r: {PIPELINE}" in world.told[0]
    assert "$.detail.bucket.name" in world.told[0]


async def test_targets_get_the_event_or_what_they_ask_for(world: World) -> None:
    template = '{"who": <who>, "text": "saw <who> at <aws.events.rule-name>", "no": <no>}'
    await rule(
        world,
        {"Arn": QUEUE},
        {"Arn": QUEUE, "Input": '{"fixed": true}'},
        {"Arn": QUEUE, "InputPath": "$.detail.user"},
        {
            "Arn": QUEUE,
            "InputTransformer": {
                "InputPathsMap": {"who": "$.detail.user.name", "no": "$.detail.no"},
                "InputTemplate": template,
            },
        },
    )

    answer = await put(world, {"user": {"name": 'A"B'}}, Resources=["arn:x"])
    whole, fixed, part, filled = map(json.loads, await world.received())

    assert whole == {
        "version": "0",
        "id": answer["Entries"][0]["EventId"],
        "detail-type": "thing",
        "source": "mine",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:x"],
        "detail": {"user": {"name": 'A"B'}},
    }
    assert fixed == {"fixed": True}
    assert part == {"name": 'A"B'}
    assert filled == {"who": 'A"B', "text": 'saw A"B at r', "no": None}


async def test_a_function_is_invoked_and_a_fifo_queue_gets_its_group(world: World) -> None:
    world.queues.directory.create("seen.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    await rule(world, {"Arn": FUNCTION}, {"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}})

    await put(world, {"a": 1})

    [(function, payload)] = world.invoked
    assert (function, json.loads(payload)["detail"]) == (FUNCTION, {"a": 1})
    assert [json.loads(body)["detail"] for body in await world.received("seen.fifo")] == [{"a": 1}]


async def test_a_target_that_cannot_be_reached_is_told_of(world: World) -> None:
    await rule(world, {"Arn": "arn:aws:sns:eu-west-1:123456789012:topic"}, {"Arn": QUEUE})

    await put(world)

    assert world.told == [
        "rule r: arn:aws:sns:eu-west-1:123456789012:topic: sagelocal delivers to pipelines, Lambda functions and its own queues only"
    ]
    assert len(await world.received()) == 1


async def test_a_disabled_rule_wants_nothing_until_it_is_enabled(world: World) -> None:
    await rule(world, {"Arn": QUEUE}, State="DISABLED")
    await put(world)
    before = await world.received()
    await world.call("events", "enable_rule", Name="r")
    await put(world)
    between = await world.received()
    await world.call("events", "disable_rule", Name="r")
    await put(world)

    assert [len(before), len(between), len(await world.received())] == [0, 1, 0]


async def test_a_rule_with_a_schedule_is_due_again_and_again(world: World) -> None:
    await rule(world, {"Arn": QUEUE}, pipeline(), EventPattern="", ScheduleExpression="rate(1 hour)")

    await world.clock.advance(3599)
    early = await world.received()
    await world.clock.advance(1 + 3600)
    await world.around.settled()

    events = [json.loads(body) for body in await world.received()]
    assert early == []
    assert [event["time"] for event in events] == ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]
    assert (events[0]["source"], events[0]["detail-type"], events[0]["resources"]) == (
        "aws.events",
        "Scheduled Event",
        [ARN],
    )
    assert world.started == [(PIPELINE, {})] * 2


async def test_a_changed_or_deleted_rule_is_due_otherwise(world: World) -> None:
    await rule(world, {"Arn": QUEUE}, EventPattern="", ScheduleExpression="cron(0 3 * * ? *)")
    await rule(world, EventPattern="", ScheduleExpression="cron(30 2 * * ? *)")
    await world.clock.advance(86_400)
    daily = await world.received()
    await world.call("events", "remove_targets", Rule="r", Ids=["0"])
    await world.call("events", "delete_rule", Name="r")
    await world.clock.advance(86_400)

    assert [json.loads(body)["time"] for body in daily] == ["2026-01-01T02:30:00Z"]
    assert await world.received() == []


async def test_rules_outlive_their_engine_and_what_was_missed_stays_missed(world: World) -> None:
    await rule(world, {"Arn": QUEUE}, EventPattern="", ScheduleExpression="rate(1 hour)")
    await world.around.close()

    await world.clock.advance(5.5 * 3600)
    async with world.surroundings() as later:
        await world.clock.advance(3600)
        await later.settled()

    assert [json.loads(body)["time"] for body in await world.received()] == ["2026-01-01T06:00:00Z"]


async def test_a_machine_that_slept_does_what_it_missed_once(world: World) -> None:
    await rule(world, {"Arn": QUEUE}, EventPattern="", ScheduleExpression="rate(1 minute)")
    await world.clock.advance(0)

    world.clock.fall_asleep(3600)
    await world.clock.advance(1)

    assert len(await world.received()) == 1


async def test_a_rule_is_described_and_listed(world: World) -> None:
    await rule(world, {"Arn": QUEUE}, Description="d", Tags=[{"Key": "a", "Value": "1"}])
    for number in range(3):
        await world.call("events", "put_rule", Name=f"s{number}", ScheduleExpression="rate(1 day)")

    found = await world.call("events", "describe_rule", Name="r")
    listed = await world.pages("events", "list_rules", "Rules", PageSize=3)

    assert found == {
        "Name": "r",
        "Arn": ARN,
        "EventPattern": PATTERN,
        "State": "ENABLED",
        "Description": "d",
        "EventBusName": "default",
    }
    assert [each["Name"] for each in listed] == ["r", "s0", "s1", "s2"]
    assert [each["Name"] for each in (await world.call("events", "list_rules", NamePrefix="s"))["Rules"]] == [
        "s0",
        "s1",
        "s2",
    ]
    assert (await world.call("events", "list_targets_by_rule", Rule="r"))["Targets"] == [
        {"Id": "0", "Arn": QUEUE}
    ]
    assert (await world.call("events", "list_rule_names_by_target", TargetArn=QUEUE))["RuleNames"] == ["r"]


async def test_a_rule_has_tags(world: World) -> None:
    await rule(world, Tags=[{"Key": "a", "Value": "1"}])

    await world.call("events", "tag_resource", ResourceARN=ARN, Tags=[{"Key": "b", "Value": "2"}])
    await world.call("events", "untag_resource", ResourceARN=ARN, TagKeys=["a"])

    assert (await world.call("events", "list_tags_for_resource", ResourceARN=ARN))["Tags"] == [
        {"Key": "b", "Value": "2"}
    ]
    assert (await world.refused("events", "list_tags_for_resource", ResourceARN=f"{ARN}x")).startswith(
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        (
            "put_rule",
            {"Name": "r"},
            "ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
        (
            "put_rule",
            {"Name": "r", "ScheduleExpression": "rate(5 minute)"},
            "ValidationException: Parameter ScheduleExpression is not valid.",
        ),
        (
            "put_rule",
            {"Name": "r", "EventPattern": "{"},
            "InvalidEventPatternException: Event pattern is not valid. Reason: Invalid JSON",
        ),
        (
            "put_rule",
            {"Name": "a b", "ScheduleExpression": "rate(5 minutes)"},
            "ValidationException: 1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: ",
        ),
        (
            "describe_rule",
            {"Name": "none"},
            "ResourceNotFoundException: Rule none does not exist on EventBus default.",
        ),
        ("enable_rule", {"Name": "none"}, "ResourceNotFoundException"),
        ("remove_targets", {"Rule": "none", "Ids": ["1"]}, "ResourceNotFoundException"),
        ("list_targets_by_rule", {"Rule": "none"}, "ResourceNotFoundException"),
        (
            "put_targets",
            {"Rule": "none", "Targets": [{"Id": "1", "Arn": QUEUE}]},
            "ResourceNotFoundException",
        ),
        (
            "list_rules",
            {"EventBusName": "other"},
            "ResourceNotFoundException: Event bus other does not exist.",
        ),
        ("list_rules", {"NextToken": "?"}, "ValidationException"),
        ("put_events", {"Entries": []}, "ValidationException"),
        ("put_events", {}, "ValidationException: 1 validation error detected: Value null at 'entries'"),
        ("describe_event_bus", {"Name": "other"}, "ResourceNotFoundException"),
        ("create_archive", {}, "NotImplemented: events: CreateArchive is not served yet"),
    ],
)
async def test_what_eventbridge_refuses_is_refused(
    world: World, operation: str, arguments: dict[str, Any], expected: str
) -> None:
    assert (await world.refused("events", operation, **arguments)).startswith(expected)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"Id": "1", "Arn": PIPELINE}, f"ValidationException: RoleArn is required for target {PIPELINE}."),
        ({"Id": "1", "Arn": "queue"}, "ValidationException: Parameter queue is not valid."),
        ({"Id": "1", "Arn": QUEUE, "Input": "1", "InputPath": "$"}, "ValidationException: Only one of Input"),
        (
            {"Arn": QUEUE},
            "ValidationException: 1 validation error detected: Value null at 'targets.1.member.id'",
        ),
    ],
)
async def test_a_target_that_cannot_be_is_refused(
    world: World, target: dict[str, Any], expected: str
) -> None:
    await rule(world)

    assert (await world.refused("events", "put_targets", Rule="r", Targets=[target])).startswith(expected)


async def test_a_rule_has_at_most_five_targets_and_goes_only_without_any(world: World) -> None:
    await rule(world, *[{"Arn": QUEUE}] * 5)

    many = await world.refused("events", "put_targets", Rule="r", Targets=[{"Id": "x", "Arn": QUEUE}])
    kept = await world.refused("events", "delete_rule", Name="r")
    failed = await world.call("events", "remove_targets", Rule="r", Ids=["0", "none"])

    assert many.startswith("LimitExceededException")
    assert kept == "ValidationException: Rule can't be deleted since it has targets."
    assert [each["TargetId"] for each in failed["FailedEntries"]] == ["none"]
    assert await world.call("events", "delete_rule", Name="nobody-made-it") == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"Source": ""},
            ("InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."),
        ),
        (
            {"DetailType": ""},
            (
                "InvalidArgument",
                "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
            ),
        ),
        ({"Detail": "{"}, ("MalformedDetail", "Detail is malformed.")),
        ({"Detail": "[]"}, ("MalformedDetail", "Detail is malformed.")),
        ({"Source": "aws.sagemaker"}, ("NotAuthorizedForSource", "Not authorized for the source.")),
    ],
)
async def test_an_entry_that_cannot_be_put_fails_alone(
    world: World, changes: dict[str, str], expected: tuple[str, str]
) -> None:
    good = {"Source": "mine", "DetailType": "thing", "Detail": "{}"}

    answer = await world.call("events", "put_events", Entries=[{**good, **changes}, good])

    bad, other = answer["Entries"]
    assert (bad["ErrorCode"], bad["ErrorMessage"]) == expected
    assert set(other) == {"EventId"}
    assert answer["FailedEntryCount"] == 1


async def test_a_pattern_can_be_tried(world: World) -> None:
    event = json.dumps({"source": "mine"})

    assert (await world.call("events", "test_event_pattern", EventPattern=PATTERN, Event=event))[
        "Result"
    ] is True
    assert (await world.call("events", "test_event_pattern", EventPattern=PATTERN, Event="{}"))[
        "Result"
    ] is False


async def test_events_of_the_engine_go_the_same_way(world: World) -> None:
    assert not world.around.bus.wanted
    await rule(world, {"Arn": QUEUE}, EventPattern=json.dumps({"source": ["aws.sagemaker"]}))

    assert world.around.bus.wanted
    world.around.bus.put(
        [Event("aws.sagemaker", "x", {"n": number}, world.clock.now()) for number in range(20)]
    )
    await world.around.settled()

    assert [json.loads(body)["detail"]["n"] for body in await world.received()] == list(range(20))
