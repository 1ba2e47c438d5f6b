"""Pipelines started by events and schedules, on a real engine with its endpoint open."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.api import SERVICES
from sagelocal.engine import Engine
from sagelocal.settings import Settings
from sagelocal.store.views import ExecutionView

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import Sdk

ROLE = "arn:aws:iam::000000000000:role/any"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:seen"
ENDED = ("Succeeded", "Failed", "Stopped")


def definition(value: str = "1") -> str:
    condition = {"Type": "Equals", "LeftValue": {"Get": "Parameters.Value"}, "RightValue": value}
    arguments = {"Conditions": [condition], "IfSteps": [], "ElseSteps": []}
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Value", "Type": "String", "DefaultValue": "1"}],
            "Steps": [{"Name": "Decide", "Type": "Condition", "Arguments": arguments}],
        }
    )


class Account:
    """An engine, its endpoint, and who ended on it."""

    def __init__(self, engine: Engine, url: str, client_for: Callable[..., Any]) -> None:
        self.engine = engine
        self.url = url
        self.ended: asyncio.Queue[ExecutionView] = asyncio.Queue()
        self._client_for = client_for
        engine.subscribe(self._see)

    def _see(self, item: object) -> None:
        if isinstance(item, ExecutionView) and item.status in ENDED:
            self.ended.put_nowait(item)

    async def call(self, service: str, operation: str, **arguments: Any) -> Any:
        client = self._client_for(self.url, service)
        return await asyncio.to_thread(partial(getattr(client, operation), **arguments))

    async def rule(self, pattern: dict[str, Any], *targets: dict[str, Any], name: str = "r") -> None:
        await self.call("events", "put_rule", Name=name, EventPattern=json.dumps(pattern))
        listed = [{"Id": str(number), "RoleArn": ROLE, **target} for number, target in enumerate(targets)]
        await self.call("events", "put_targets", Rule=name, Targets=listed)

    async def messages(self, count: int) -> list[Any]:
        url = (await self.call("sqs", "create_queue", QueueName="seen"))["QueueUrl"]
        found: list[Any] = []
        while len(found) < count:
            answer = await self.call(
                "sqs", "receive_message", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20
            )
            for message in answer["Messages"]:
                found.append(json.loads(message["Body"]))
                await self.call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture(name="account")
async def _account(tmp_path: Path, client_for: Callable[..., Any]) -> AsyncIterator[Account]:
    async with Engine(Settings(home=tmp_path), services=SERVICES, port=0) as engine:
        yield Account(engine, await engine.url(), client_for)


async def test_the_end_of_one_pipeline_starts_another(account: Account) -> None:
    account.engine.create_pipeline("first", definition())
    second = account.engine.create_pipeline("second", definition())
    parameters = [{"Name": "Value", "Value": "$.detail.pipelineExecutionDisplayName"}]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
        "detail": {"currentPipelineExecutionStatus": ["Succeeded"], "pipelineArn": [{"suffix": "/first"}]},
    }
    await account.rule(
        pattern, {"Arn": second, "SageMakerPipelineParameters": {"PipelineParameterList": parameters}}
    )

    await account.engine.start("first", display_name="the-first")
    first, then = await account.ended.get(), await account.ended.get()

    assert (first.pipeline, then.pipeline) == ("first", "second")
    assert then.parameters == {"Value": "the-first"}
    assert then.status == "Succeeded"


async def test_every_change_of_an_execution_and_its_steps_is_an_event(account: Account) -> None:
    pipeline = account.engine.create_pipeline("watched", definition())
    await account.rule({"source": ["aws.sagemaker"]}, {"Arn": QUEUE})

    execution = await account.engine.start("watched", display_name="d", description="why")
    begun, step, ended = await account.messages(3)

    arns = {"pipelineArn": pipeline, "pipelineExecutionArn": execution}
    assert [event["resources"] for event in (begun, step, ended)] == [[pipeline, execution]] * 3
    assert {event["source"] for event in (begun, step, ended)} == {"aws.sagemaker"}
    view = account.engine.views.execution(execution)
    common = {
        "pipelineExecutionDisplayName": "d",
        "pipelineExecutionDescription": "why",
        "executionStartTime": begun["detail"]["executionStartTime"],
        **arns,
    }
    assert begun["detail-type"] == "SageMaker Model Building Pipeline Execution Status Change"
    assert begun["detail"] == {
        **common,
        "currentPipelineExecutionStatus": "Executing",
        "previousPipelineExecutionStatus": None,
        "executionEndTime": None,
    }
    assert ended["detail"] == {
        **common,
        "currentPipelineExecutionStatus": "Succeeded",
        "previousPipelineExecutionStatus": "Executing",
        "executionEndTime": ended["detail"]["executionEndTime"],
    }
    assert view.ended is not None
    assert step["detail-type"] == "SageMaker Model Building Pipeline Execution Step Status Change"
    assert step["detail"] == {
        "metadata": {"condition": {"outcome": "True"}},
        "stepStartTime": step["detail"]["stepStartTime"],
        "stepEndTime": step["detail"]["stepEndTime"],
        "stepName": "Decide",
        "stepType": "Condition",
        "previousStepStatus": None,
        "currentStepStatus": "Succeeded",
        **arns,
    }


async def test_a_failed_step_says_why(account: Account) -> None:
    step = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "because"}}
    account.engine.create_pipeline("fails", json.dumps({"Version": "2020-12-01", "Steps": [step]}))
    await account.rule({"detail": {"currentStepStatus": ["Failed"]}}, {"Arn": QUEUE})

    await account.engine.start("fails")
    [event] = await account.messages(1)

    assert "because" in event["detail"]["failureReason"]
    assert event["detail"]["metadata"] == {"fail": {"errorMessage": "because"}}


async def test_a_schedule_starts_a_pipeline_and_a_wrong_parameter_is_told(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    arn = account.engine.create_pipeline("nightly", definition())
    common: dict[str, Any] = {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    unknown = {"PipelineParameterList": [{"Name": "Valve", "Value": "1"}]}
    target = {"Arn": arn, "RoleArn": ROLE}
    wrong = {**target, "SageMakerPipelineParameters": unknown}

    await account.call("scheduler", "create_schedule", Name="wrong", Target=wrong, **common)
    await account.call("scheduler", "create_schedule", Name="right", Target=target, **common)
    ended = await account.ended.get()

    assert (ended.pipeline, ended.status) == ("nightly", "Succeeded")
    assert "schedule default/wrong" in caplog.text
    assert "Unknown parameter 'Valve': did you mean 'Value'?" in caplog.text


FUNCTION = """
import json, boto3

def handler(event, context):
    print("seen", event["detail"])
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="seen")["QueueUrl"], MessageBody=json.dumps(event["detail"]))
"""


async def test_an_event_invokes_a_function_whose_lines_can_be_read(account: Account) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", FUNCTION)
    created = await account.call(
        "lambda",
        "create_function",
        FunctionName="f",
        Runtime="python3.12",
        Handler="index.handler",
        Role=ROLE,
        Timeout=60,
        Code={"ZipFile": buffer.getvalue()},
    )
    await account.rule({"source": ["mine"]}, {"Arn": created["FunctionArn"]})

    entry = {"Source": "mine", "DetailType": "t", "Detail": '{"a": 1}'}
    await account.call("events", "put_events", Entries=[entry])
    [seen] = await account.messages(1)
    found = await account.call(
        "logs", "filter_log_events", logGroupName="/aws/lambda/f", filterPattern="seen"
    )

    assert seen == {"a": 1}
    assert [event["message"] for event in found["events"]] == ["seen {'a': 1}"]


TRIGGERS = """
import json
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.triggers import PipelineSchedule

session = PipelineSession(default_bucket="bucket")
role = "arn:aws:iam::000000000000:role/any"
step = ConditionStep("Decide", conditions=[ConditionEquals(left=1, right=1)], if_steps=[], else_steps=[])
pipeline = Pipeline("nightly", steps=[step], sagemaker_session=session)
pipeline.upsert(role)
created = pipeline.put_triggers([PipelineSchedule(rate=(1, "hours")), PipelineSchedule(name="daily", cron="0 3 * * ? *")], role)
again = pipeline.put_triggers([PipelineSchedule(rate=(2, "hours"), enabled=False)], role)
described = pipeline.describe_trigger("nightly")
pipeline.delete_triggers(["daily", "none"])
print(json.dumps({"created": sorted(created), "again": again, "described": described}))
"""


async def test_put_triggers_of_the_sdk_starts_the_pipeline(account: Account, sdk: Sdk) -> None:
    told = json.loads((await sdk(account.url, TRIGGERS)).splitlines()[-1])

    ended = await account.ended.get()

    prefix = "arn:aws:scheduler:us-east-1:000000000000:schedule/default"
    assert (ended.pipeline, ended.status) == ("nightly", "Succeeded")
    assert told["created"] == [f"{prefix}/daily", f"{prefix}/nightly"]
    assert told["again"] == [f"{prefix}/nightly"]
    assert told["described"]["Schedule_Expression"] == "rate(2 hours)"
    assert told["described"]["Schedule_State"] == "DISABLED"
    assert told["described"]["Schedule_Role"] == ROLE
    assert [each["Name"] for each in (await account.call("scheduler", "list_schedules"))["Schedules"]] == [
        "nightly"
    ]
