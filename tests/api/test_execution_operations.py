"""What the API says about executions, by plain boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.callbacks import Success

FAIL = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}
SHAPES = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/asking/execution/"


@pytest.fixture(name="check")
def _check(account: Any) -> Callable[[str, Any], None]:
    """Asserts that an answer has nothing that the operation's shape has not."""
    model = account.client().meta.service_model

    def check(operation: str, answer: dict[str, Any]) -> None:
        members = model.operation_model(operation).output_shape.members
        assert set(answer) - {"ResponseMetadata"} <= set(members)

    return check


async def test_an_execution_that_waits_is_described_with_its_steps(
    account: Any, callback: Any, check: Any
) -> None:
    arn = await account.start(callback("A"))
    token = (await account.awaited()).token
    told = await account.call("describe_pipeline_execution", PipelineExecutionArn=arn)
    check("DescribePipelineExecution", told)
    assert told["PipelineExecutionStatus"] == "Executing"
    assert told["PipelineArn"] == arn.partition("/execution/")[0]
    assert told["CreationTime"].timestamp() > 1_700_000_000
    [step] = (await account.call("list_pipeline_execution_steps", PipelineExecutionArn=arn))[
        "PipelineExecutionSteps"
    ]
    assert (step["StepName"], step["StepStatus"], step["AttemptCount"]) == ("A", "Executing", 1)
    assert step["Metadata"]["Callback"]["CallbackToken"] == token
    assert "EndTime" not in step


async def test_a_failed_execution_says_why(account: Any) -> None:
    arn = await account.start(FAIL)
    await account.engine.wait(arn)
    told = await account.call("describe_pipeline_execution", PipelineExecutionArn=arn)
    assert told["PipelineExecutionStatus"] == "Failed"
    assert told["FailureReason"] == "Step failure: One or multiple steps failed."


async def test_a_stop_asked_for_twice_still_waits_for_the_answer(account: Any, callback: Any) -> None:
    arn = await account.start(callback("A"))
    token = (await account.awaited()).token
    for _ in range(2):
        answer = await account.call("stop_pipeline_execution", PipelineExecutionArn=arn)
        assert answer["PipelineExecutionArn"] == arn
    told = await account.call("describe_pipeline_execution", PipelineExecutionArn=arn)
    assert told["PipelineExecutionStatus"] == "Stopping"
    account.engine.callbacks.answer(token, Success({}))
    assert (await account.engine.wait(arn)).status == "Stopped"
    with pytest.raises(ClientError, match=r"ConflictException.*has ended: it is Stopped"):
        await account.call("stop_pipeline_execution", PipelineExecutionArn=arn)


async def test_steps_are_listed_in_pages_latest_first(account: Any, callback: Any) -> None:
    steps = [callback(name, DependsOn=before) for name, before in (("A", []), ("B", ["A"]), ("C", ["B"]))]
    arn = await account.start(*steps)
    for _ in steps:
        account.engine.callbacks.answer((await account.awaited()).token, Success({}))
    await account.engine.wait(arn)
    found, request = [], {"PipelineExecutionArn": arn, "MaxResults": 2}
    while True:
        page = await account.call("list_pipeline_execution_steps", **request)
        found.append([step["StepName"] for step in page["PipelineExecutionSteps"]])
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    assert found == [["C", "B"], ["A"]]


async def test_pipelines_and_executions_are_listed_newest_first(account: Any, check: Any) -> None:
    arns = [await account.start(FAIL, name=name) for name in ("asking", "asking", "other")]
    for arn in arns:
        await account.engine.wait(arn)
    pipelines = await account.call("list_pipelines")
    check("ListPipelines", pipelines)
    assert [each["PipelineName"] for each in pipelines["PipelineSummaries"]] == ["other", "asking"]
    named = await account.call("list_pipelines", PipelineNamePrefix="ask")
    assert [each["PipelineName"] for each in named["PipelineSummaries"]] == ["asking"]
    told = await account.call("list_pipeline_executions", PipelineName="asking")
    check("ListPipelineExecutions", told)
    summaries = told["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in summaries] == [arns[1], arns[0]]
    assert {each["PipelineExecutionStatus"] for each in summaries} == {"Failed"}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("describe_pipeline_execution", {"PipelineExecutionArn": SHAPES + "nothing12345"}),
        ("list_pipeline_execution_steps", {"PipelineExecutionArn": SHAPES + "nothing12345"}),
        ("stop_pipeline_execution", {"PipelineExecutionArn": SHAPES + "nothing12345"}),
        ("list_pipeline_executions", {"PipelineName": "nothing"}),
    ],
)
async def test_what_does_not_exist_is_not_found(
    account: Any, operation: str, request_: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match=r"ResourceNotFound.*nothing.* does not exist"):
        await account.call(operation, **request_)


async def test_the_beginning_of_an_execution_is_not_its_arn(account: Any) -> None:
    arn = await account.start(FAIL)
    await account.engine.wait(arn)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        await account.call("describe_pipeline_execution", PipelineExecutionArn=arn[:-1])


async def test_a_token_of_another_list_is_refused(account: Any) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*NextToken"):
        await account.call("list_pipelines", NextToken="bm9uZQ==")


async def test_an_operation_that_is_not_served_is_named(account: Any) -> None:
    with pytest.raises(ClientError, match="sagemaker: CreateDomain is not served yet by sagelocal"):
        await account.call("create_domain", DomainName="d")
