"""SendPipelineExecutionStepSuccess and -Failure, by plain boto3."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError

CONSUMER = """
import json, boto3
sqs, sagemaker = boto3.client("sqs"), boto3.client("sagemaker")
queue = "https://sqs.us-east-1.amazonaws.com/000000000000/work"
seen = []
while len(seen) < 2:
    for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", []):
        payload = json.loads(message["Body"])
        seen.append(payload["arguments"])
        sagemaker.send_pipeline_execution_step_success(
            CallbackToken=payload["token"], OutputParameters=[{"Name": "count", "Value": "41"}]
        )
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
print(json.dumps(seen))
"""

# The handler in the SageMaker developer guide does these things: it reads the token and the arguments of each record,
# refuses what it does not understand, and answers.
HANDLER = """
import json, boto3

def handler(event, context):
    for record in event["Records"]:
        payload = json.loads(record["body"])
        token, status = payload["token"], payload["status"]
        client = boto3.client("sagemaker")
        if status != "Executing":
            client.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="stopping")
            continue
        client.send_pipeline_execution_step_success(
            CallbackToken=token,
            OutputParameters=[{"Name": "output", "Value": payload["arguments"]["stringArg"].upper()}],
        )

sqs = boto3.client("sqs")
queue = "https://sqs.us-east-1.amazonaws.com/000000000000/work"
messages = []
while not messages:
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", [])
handler({"Records": [{"body": each["Body"], "receiptHandle": each["ReceiptHandle"]} for each in messages]}, None)
"""


async def refused(call: Any) -> tuple[str, str, int]:
    """Code, text and HTTP status of a refusal."""
    with pytest.raises(ClientError) as caught:
        await call
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


async def test_a_consumer_in_a_process_of_its_own_lets_the_pipeline_go_on(
    account: Any, callback: Any
) -> None:
    consumer = asyncio.create_task(account.run(CONSUMER))
    number = {"number": {"Get": "Steps.A.OutputParameters['count']"}}
    arn = await account.start(
        callback("A", {"count": "Integer"}, Arguments={"n": 5, "text": "some"}),
        callback("B", Arguments=number),
    )
    view = await account.engine.wait(arn)
    code, out = await consumer
    assert (code, view.status) == (0, "Succeeded"), out
    assert out == '[{"n": 5, "text": "some"}, {"number": 41}]\n'


async def test_a_handler_fed_from_the_queue_answers(account: Any, callback: Any) -> None:
    arn = await account.start(callback("A", {"output": "String"}, Arguments={"stringArg": "some-arg"}))
    code, out = await account.run(HANDLER)
    assert code == 0, out
    view = await account.engine.wait(arn)
    assert view.steps[0].properties == {"OutputParameters": {"output": "SOME-ARG"}}


async def test_of_two_consumers_that_race_one_gets_a_conflict(account: Any, callback: Any) -> None:
    arn = await account.start(callback("A", {"who": "String"}))
    token = (await account.awaited()).token
    answers = [
        account.call(
            "send_pipeline_execution_step_success",
            CallbackToken=token,
            OutputParameters=[{"Name": "who", "Value": who}],
        )
        for who in ("first", "second")
    ]
    ended = await asyncio.gather(*answers, return_exceptions=True)
    [won], [lost] = (
        [each for each in ended if isinstance(each, dict)],
        [each for each in ended if isinstance(each, ClientError)],
    )
    assert won["PipelineExecutionArn"] == arn
    assert lost.response["Error"]["Code"] == "ConflictException"
    winner = "second" if ended[0] is lost else "first"
    view = await account.engine.wait(arn)
    assert view.steps[0].properties == {"OutputParameters": {"who": winner}}


async def test_a_failure_answer_carries_its_reason(account: Any, callback: Any) -> None:
    arn = await account.start(callback("A"))
    token = (await account.awaited()).token
    answer = await account.call(
        "send_pipeline_execution_step_failure", CallbackToken=token, FailureReason="bad data"
    )
    assert answer["PipelineExecutionArn"] == arn
    view = await account.engine.wait(arn)
    assert (view.status, view.steps[0].failure_reason) == ("Failed", "ClientError: bad data")


async def test_an_unknown_token_is_not_found_and_a_used_one_a_conflict(account: Any, callback: Any) -> None:
    arn = await account.start(callback("A"))
    token = (await account.awaited()).token
    unknown = account.call("send_pipeline_execution_step_success", CallbackToken="nobody1234")
    assert await refused(unknown) == (
        "ResourceNotFound",
        "Callback token nobody1234 does not exist.",
        400,
    )
    await account.call("send_pipeline_execution_step_success", CallbackToken=token)
    await account.engine.wait(arn)
    code, text, status = await refused(
        account.call("send_pipeline_execution_step_failure", CallbackToken=token)
    )
    assert (code, status) == ("ConflictException", 400)
    assert text == f"Callback token {token} is used up: step A has its answer already."


async def test_a_client_that_repeats_itself_is_answered_again(account: Any, callback: Any) -> None:
    arn = await account.start(callback("A"))
    request = {"CallbackToken": (await account.awaited()).token, "ClientRequestToken": "c" * 36}
    for _ in range(2):
        answer = await account.call("send_pipeline_execution_step_success", **request)
        assert answer["PipelineExecutionArn"] == arn
    other = account.call(
        "send_pipeline_execution_step_success", **request, OutputParameters=[{"Name": "a", "Value": "b"}]
    )
    assert (await refused(other))[0] == "ConflictException"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            {"CallbackToken": "short"},
            "Value 'short' at 'callbackToken' failed to satisfy constraint: Member must have length greater than or equal to 10",
        ),
        (
            {"CallbackToken": "ten-signs!"},
            "Value 'ten-signs!' at 'callbackToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9]+",
        ),
        ({}, "Value null at 'callbackToken' failed to satisfy constraint: Member must not be null"),
        (
            {"CallbackToken": "a" * 10, "OutputParameters": [{"Name": "a", "Value": "b" * 1025}]},
            "at 'outputParameters.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 1024",
        ),
    ],
)
async def test_a_request_that_breaks_a_constraint_is_told_as_aws_does(
    account: Any, request_: dict[str, Any], told: str
) -> None:
    code, text, status = await refused(account.call("send_pipeline_execution_step_success", **request_))
    assert (code, status) == ("ValidationException", 400)
    assert text.startswith("1 validation error detected: Value ")
    assert told in text


async def test_outputs_are_texts(account: Any) -> None:
    wrong = account.call(
        "send_pipeline_execution_step_success",
        CallbackToken="a" * 10,
        OutputParameters=[{"Name": "count", "Value": 5}],
    )
    assert (await refused(wrong))[0] == "SerializationException"
