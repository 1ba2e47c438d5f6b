"""Starting, stopping and changing executions, by plain boto3."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.api import SERVICES
from sagelocal.callbacks import Failure, Success
from sagelocal.engine import Engine
from sagelocal.settings import Quotas, Settings

ROLE = "arn:aws:iam::000000000000:role/pipelines"
TOKEN = "0123456789" * 4
PARAMETERS: list[dict[str, Any]] = [
    {"Name": "Text", "Type": "String", "DefaultValue": "wine", "EnumValues": ["wine", "beer"]},
    {"Name": "Count", "Type": "Integer", "DefaultValue": 2},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 0.5},
    {"Name": "Dry", "Type": "Boolean", "DefaultValue": False},
    {"Name": "Needed", "Type": "String"},
]


async def create(account: Any, *steps: dict[str, Any], name: str = "wine", **keys: Any) -> None:
    content = {"Version": "2020-12-01", "Steps": list(steps), **keys}
    request = {"PipelineName": name, "RoleArn": ROLE, "PipelineDefinition": json.dumps(content)}
    await account.call("create_pipeline", **request)


async def start(account: Any, **request: Any) -> str:
    told = await account.call("start_pipeline_execution", **({"PipelineName": "wine"} | request))
    arn: str = told["PipelineExecutionArn"]
    return arn


async def describe(account: Any, arn: str) -> Any:
    return await account.call("describe_pipeline_execution", PipelineExecutionArn=arn)


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        await call
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


def given(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


async def test_an_execution_is_described_as_it_was_started(account: Any, callback: Any) -> None:
    await create(
        account,
        callback("A"),
        PipelineExperimentConfig={
            "ExperimentName": {"Get": "Execution.PipelineName"},
            "TrialName": {"Get": "Execution.PipelineExecutionId"},
        },
        MlflowConfig={"MlflowExperimentName": "of-the-definition"},
    )
    arn = await start(
        account,
        PipelineExecutionDisplayName="tasting",
        PipelineExecutionDescription="the first",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 4},
        MlflowExperimentName="wines",
    )
    told = await describe(account, arn)
    del told["ResponseMetadata"]
    assert told.pop("LastModifiedTime") >= told.pop("CreationTime")
    assert told == {
        "PipelineArn": arn.partition("/execution/")[0],
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": "tasting",
        "PipelineExecutionDescription": "the first",
        "PipelineExecutionStatus": "Executing",
        "PipelineExperimentConfig": {"ExperimentName": "wine", "TrialName": arn[-12:]},
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": 4},
        "MLflowConfig": {"MlflowExperimentName": "wines"},
        "PipelineVersionId": 1,
        "PipelineVersionAliases": [],
        "CreatedBy": {},
        "LastModifiedBy": {},
    }


async def test_the_parallelism_of_the_pipeline_is_that_of_its_executions(account: Any, callback: Any) -> None:
    await create(account, callback("A"), callback("B"))
    limit = {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 1}}
    await account.call("update_pipeline", PipelineName="wine", **limit)
    told = await describe(account, await start(account))
    assert told["ParallelismConfiguration"] == limit["ParallelismConfiguration"]
    assert (await account.awaited()).step == "A"
    assert len(account.engine.callbacks.awaited()) == 1


async def test_parameters_are_texts_that_become_what_is_declared(account: Any, callback: Any) -> None:
    arguments = {each["Name"]: {"Get": f"Parameters.{each['Name']}"} for each in PARAMETERS}
    await create(account, callback("A", Arguments=arguments), Parameters=PARAMETERS)
    arn = await start(
        account, PipelineParameters=given(Text="beer", Count="-7", Rate="1e-3", Dry="True", Needed="x")
    )
    await account.awaited()
    [step] = account.engine.views.execution(arn).steps
    assert step.arguments == {"Text": "beer", "Count": -7, "Rate": 0.001, "Dry": True, "Needed": "x"}
    told = await account.call("list_pipeline_parameters_for_execution", PipelineExecutionArn=arn)
    listed = {each["Name"]: each["Value"] for each in told["PipelineParameters"]}
    assert listed == {"Text": "beer", "Count": "-7", "Rate": "0.001", "Dry": "true", "Needed": "x"}
    again = await start(account, PipelineParameters=told["PipelineParameters"])
    assert account.engine.views.execution(again).parameters == step.arguments


async def test_parameters_that_were_not_given_are_listed_with_their_defaults(
    account: Any, callback: Any
) -> None:
    await create(account, callback("A"), Parameters=PARAMETERS)
    request: dict[str, Any] = {
        "PipelineExecutionArn": await start(account, PipelineParameters=given(Needed="x")),
        "MaxResults": 2,
    }
    pages = []
    while True:
        told = await account.call("list_pipeline_parameters_for_execution", **request)
        pages.append([(each["Name"], each["Value"]) for each in told["PipelineParameters"]])
        if "NextToken" not in told:
            break
        request["NextToken"] = told["NextToken"]
    assert pages == [
        [("Text", "wine"), ("Count", "2")],
        [("Rate", "0.5"), ("Dry", "false")],
        [("Needed", "x")],
    ]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (given(), "Parameter 'Needed' is undefined"),
        (given(Needed=""), '[string "" is too short (length: 0, required minimum: 1)]'),
        (given(Needed="x", Count="many"), "Expected Integer, got 'many'"),
        (given(Needed="x", Text="water"), "'water' is not one of wine, beer"),
        (given(Needed="x", Cuont="1"), "Unknown parameter 'Cuont': did you mean 'Count'?"),
        (given(Needed="x") * 2, "Parameter 'Needed' is given twice"),
    ],
)
async def test_a_parameter_that_is_wrong_is_told(
    account: Any, callback: Any, parameters: list[dict[str, str]], told: str
) -> None:
    await create(account, callback("A"), Parameters=PARAMETERS)
    code, message = await refused(start(account, PipelineParameters=parameters))
    assert code == "ValidationException"
    assert told in message
    listed = await account.call("list_pipeline_executions", PipelineName="wine")
    assert listed["PipelineExecutionSummaries"] == []


@pytest.mark.parametrize(
    ("request_", "code", "told"),
    [
        ({"PipelineName": "beer"}, "ResourceNotFound", "Pipeline 'beer' does not exist"),
        (
            {"RoleArn": ROLE},
            "ValidationException",
            "RoleArn can only be given for pipelines that AWS manages",
        ),
        (
            {"SelectiveExecutionConfig": {"SelectedSteps": [{"StepName": "A"}]}},
            "ValidationException",
            "Selective execution is not served yet by sagelocal",
        ),
        (
            {"SelectiveExecutionConfig": {"SelectedSteps": []}},
            "ValidationException",
            "at 'selectiveExecutionConfig.selectedSteps' failed to satisfy constraint",
        ),
        (
            {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 0}},
            "ValidationException",
            "Member must have value greater than or equal to 1",
        ),
    ],
)
async def test_a_start_that_cannot_be_is_told(
    account: Any, callback: Any, request_: dict[str, Any], code: str, told: str
) -> None:
    await create(account, callback("A"))
    found = await refused(start(account, **request_))
    assert found[0] == code
    assert told in found[1]


async def test_what_this_machine_lacks_is_told_before_anything_runs(account: Any) -> None:
    arguments = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
        "AppSpecification": {"ImageUri": "nobody/has:this"},
        "RoleArn": ROLE,
    }
    await create(account, {"Name": "A", "Type": "Processing", "Arguments": arguments})
    code, message = await refused(start(account))
    assert code == "ValidationException"
    assert message.startswith("Nothing was started.\nstep A: ")


async def test_a_start_that_is_repeated_starts_once(account: Any, callback: Any) -> None:
    await create(account, callback("A"))
    both = await asyncio.gather(*(start(account, ClientRequestToken=TOKEN) for _ in range(2)))
    assert both[0] == both[1] == await start(account, ClientRequestToken=TOKEN)
    code, _ = await refused(start(account, ClientRequestToken=TOKEN, PipelineExecutionDescription="another"))
    assert code == "ConflictException"
    listed = await account.call("list_pipeline_executions", PipelineName="wine")
    assert [each["PipelineExecutionArn"] for each in listed["PipelineExecutionSummaries"]] == [both[0]]


async def test_a_start_that_failed_may_be_repeated_with_its_token(account: Any, callback: Any) -> None:
    request = {"ClientRequestToken": TOKEN}
    assert (await refused(start(account, **request)))[0] == "ResourceNotFound"
    await create(account, callback("A"))
    assert (await describe(account, await start(account, **request)))[
        "PipelineExecutionStatus"
    ] == "Executing"


async def test_a_stop_that_is_repeated_with_its_token_is_answered_even_after_the_end(
    account: Any, callback: Any
) -> None:
    await create(account, callback("A"))
    arn = await start(account)
    awaited = await account.awaited()
    request = {"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN}
    await account.call("stop_pipeline_execution", **request)
    account.engine.callbacks.answer(awaited.token, Success({}))
    assert (await account.engine.wait(arn)).status == "Stopped"
    assert (await account.call("stop_pipeline_execution", **request))["PipelineExecutionArn"] == arn
    other = account.call("stop_pipeline_execution", PipelineExecutionArn=arn)
    assert (await refused(other))[0] == "ConflictException"


async def test_a_running_execution_gets_more_places_and_fewer(account: Any, callback: Any) -> None:
    await create(account, *(callback(name) for name in "ABCDE"))
    arn = await start(account, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})

    async def limit(places: int) -> None:
        wanted = {"MaxParallelExecutionSteps": places}
        await account.call(
            "update_pipeline_execution", PipelineExecutionArn=arn, ParallelismConfiguration=wanted
        )
        assert (await describe(account, arn))["ParallelismConfiguration"] == wanted

    tokens = [(await account.awaited()).token]
    await limit(3)
    tokens += [(await account.awaited()).token for _ in range(2)]
    assert len(account.engine.callbacks.awaited()) == 3
    await limit(1)
    for token in tokens[:2]:
        await account.call("send_pipeline_execution_step_success", CallbackToken=token)
    await describe(account, arn)
    # One is running still, and there is a place for one: nothing starts until that has ended.
    assert [each.token for each in account.engine.callbacks.awaited()] == [tokens[2]]
    await account.call("send_pipeline_execution_step_success", CallbackToken=tokens[2])
    assert (await account.awaited()).step == "D"


async def test_an_execution_is_renamed_while_it_runs_and_afterwards(account: Any, callback: Any) -> None:
    await create(account, callback("A"))
    arn = await start(account)
    before = await describe(account, arn)
    assert before["PipelineExecutionDisplayName"].startswith("execution-1")
    await account.call(
        "update_pipeline_execution", PipelineExecutionArn=arn, PipelineExecutionDisplayName="one"
    )
    account.engine.callbacks.answer((await account.awaited()).token, Success({}))
    assert (await account.engine.wait(arn)).display_name == "one"
    await account.call(
        "update_pipeline_execution", PipelineExecutionArn=arn, PipelineExecutionDescription="two"
    )
    after = await describe(account, arn)
    assert after["PipelineExecutionDisplayName"] == "one"
    assert after["PipelineExecutionDescription"] == "two"
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    [summary] = (await account.call("list_pipeline_executions", PipelineName="wine"))[
        "PipelineExecutionSummaries"
    ]
    assert summary["PipelineExecutionDisplayName"] == "one"
    assert summary["PipelineExecutionDescription"] == "two"
    assert account.engine.views.execution(arn).display_name == "one"


async def test_the_parallelism_of_an_ended_execution_cannot_change(account: Any, callback: Any) -> None:
    await create(account, callback("A"))
    arn = await start(account)
    account.engine.callbacks.answer((await account.awaited()).token, Success({}))
    await account.engine.wait(arn)
    change = account.call(
        "update_pipeline_execution",
        PipelineExecutionArn=arn,
        PipelineExecutionDisplayName="late",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
    )
    code, message = await refused(change)
    assert code == "ConflictException"
    assert "has ended: Succeeded" in message
    assert (await describe(account, arn))["PipelineExecutionDisplayName"] != "late"


@pytest.mark.parametrize(
    ("ends", "told"), [("No", "the Fail step No has ended it"), ("A", "it is Succeeded")]
)
async def test_a_retry_is_refused_clearly(account: Any, callback: Any, ends: str, told: str) -> None:
    fail = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}
    await create(account, fail if ends == "No" else callback("A"))
    arn = await start(account)
    if ends == "A":
        running = account.call("retry_pipeline_execution", PipelineExecutionArn=arn)
        assert "it is Executing" in (await refused(running))[1]
        account.engine.callbacks.answer((await account.awaited()).token, Success({}))
    await account.engine.wait(arn)
    code, message = await refused(account.call("retry_pipeline_execution", PipelineExecutionArn=arn))
    assert code == "ConflictException"
    assert told in message


async def test_a_failed_execution_is_retried_under_its_own_arn(account: Any, callback: Any) -> None:
    await create(account, callback("A"), callback("B", DependsOn=["A"]))
    arn = await start(account)
    first = await account.awaited()
    account.engine.callbacks.answer(first.token, Failure("bad"))
    await account.engine.wait(arn)
    retry = {"PipelineExecutionArn": arn, "ParallelismConfiguration": {"MaxParallelExecutionSteps": 1}}
    assert (await account.call("retry_pipeline_execution", **retry))["PipelineExecutionArn"] == arn
    for _ in range(2):
        account.engine.callbacks.answer((await account.awaited()).token, Success({}))
    await account.engine.wait(arn)
    described = await describe(account, arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    assert "FailureReason" not in described
    steps = (await account.call("list_pipeline_execution_steps", PipelineExecutionArn=arn))[
        "PipelineExecutionSteps"
    ]
    assert {step["StepName"]: step["AttemptCount"] for step in steps} == {"A": 2, "B": 1}


async def test_quotas_are_kept_where_there_are_some(tmp_path: Path, callback: Any, account_of: Any) -> None:
    settings = Settings(home=tmp_path / "small", quotas=Quotas(pipelines=1, executions=2))
    async with Engine(settings, services=SERVICES, port=0) as engine:
        account = account_of(engine, await engine.url())
        await create(account, callback("A"))
        code, message = await refused(create(account, callback("A"), name="beer"))
        assert code == "ResourceLimitExceeded"
        assert "'Number of pipelines' is 1, with current utilization of 1" in message
        arn, _ = [await start(account) for _ in range(2)]
        assert (await refused(start(account)))[0] == "ResourceLimitExceeded"
        retry = account.call("retry_pipeline_execution", PipelineExecutionArn=arn)
        assert (await refused(retry))[0] == "ResourceLimitExceeded"
        await account.call("stop_pipeline_execution", PipelineExecutionArn=arn)
        [token] = [each.token for each in engine.callbacks.awaited() if each.execution == arn]
        await account.call("send_pipeline_execution_step_success", CallbackToken=token)
        await engine.wait(arn)
        await start(account)


async def test_executions_are_filtered_and_sorted(account: Any, callback: Any) -> None:
    await create(account, callback("A"))
    arns = [await start(account) for _ in range(4)]
    moments = [(await describe(account, arn))["CreationTime"].timestamp() for arn in arns]

    async def listed(**request: Any) -> list[str]:
        told = await account.call("list_pipeline_executions", **({"PipelineName": "wine"} | request))
        return [each["PipelineExecutionArn"] for each in told["PipelineExecutionSummaries"]]

    assert await listed() == arns[::-1]
    assert await listed(SortOrder="Ascending") == arns
    assert await listed(SortBy="PipelineExecutionArn") == sorted(arns, reverse=True)
    assert await listed(SortBy="PipelineExecutionArn", SortOrder="Ascending") == sorted(arns)
    assert await listed(CreatedAfter=moments[1], CreatedBefore=moments[2]) == [arns[2], arns[1]]
    assert await listed(PipelineName=arns[0].partition("/execution/")[0], MaxResults=1) == [arns[3]]


async def test_pages_of_executions_go_on_although_new_ones_come(account: Any, callback: Any) -> None:
    await create(account, callback("A"))
    arns = [await start(account) for _ in range(3)]
    first = await account.call("list_pipeline_executions", PipelineName="wine", MaxResults=2)
    await start(account)
    rest = await account.call(
        "list_pipeline_executions", PipelineName="wine", NextToken=first["NextToken"], MaxResults=2
    )
    assert [each["PipelineExecutionArn"] for each in rest["PipelineExecutionSummaries"]] == [arns[0]]


@pytest.fixture(name="killed")
async def _killed(tmp_path: Path, callback: Any) -> AsyncIterator[tuple[Engine, str]]:
    """An engine on the state of one that was killed while a step waited for its answer; the execution's ARN."""
    settings = Settings(home=tmp_path)
    content = {"Version": "2020-12-01", "Steps": [callback("A"), callback("B")]}
    async with Engine(settings) as first:
        first.create_pipeline("wine", json.dumps(content))
        arn = await first.start("wine", max_parallel=1)
        while not first.callbacks.awaited():
            await asyncio.sleep(0)
        first.limit(arn, 2)
        while len(first.callbacks.awaited()) < 2:
            await asyncio.sleep(0)
        kept = (tmp_path / "state.db").read_bytes(), (tmp_path / "state.db-wal").read_bytes()
    for name, content_ in zip(("state.db", "state.db-wal"), kept, strict=True):
        (tmp_path / name).write_bytes(content_)
    (tmp_path / "state.db-shm").unlink(missing_ok=True)
    async with Engine(settings, services=SERVICES, port=0) as engine:
        yield engine, arn


async def test_a_changed_parallelism_holds_when_the_execution_is_resumed(killed: tuple[Engine, str]) -> None:
    engine, arn = killed
    assert engine.views.execution(arn).max_parallel == 2
    engine.limit(arn, 3)
    await engine.resume(arn)
    assert engine.views.execution(arn).max_parallel == 3
    while len(engine.callbacks.awaited()) < 2:
        await asyncio.sleep(0)


async def test_an_execution_whose_engine_was_killed_can_be_stopped_and_deleted(
    killed: tuple[Engine, str], account_of: Any
) -> None:
    engine, arn = killed
    account = account_of(engine, await engine.url())
    assert (await refused(account.call("delete_pipeline", PipelineName="wine")))[0] == "ConflictException"
    await account.call("stop_pipeline_execution", PipelineExecutionArn=arn)
    assert (await describe(account, arn))["PipelineExecutionStatus"] == "Stopped"
    told = await account.call("list_pipeline_execution_steps", PipelineExecutionArn=arn)
    assert {step["StepStatus"] for step in told["PipelineExecutionSteps"]} == {"Stopped"}
    await account.call("delete_pipeline", PipelineName="wine")


async def test_what_another_engine_drives_is_left_to_it(account: Any, callback: Any, account_of: Any) -> None:
    await create(account, callback("A"))
    arn = await start(account)
    async with Engine(account.engine.settings, services=SERVICES, port=0) as other:
        client = account_of(other, await other.url())
        stop = client.call("stop_pipeline_execution", PipelineExecutionArn=arn)
        code, message = await refused(stop)
        assert code == "ConflictException"
        assert "is being run by another sagelocal" in message
        told = await client.call("describe_pipeline_execution", PipelineExecutionArn=arn)
        assert told["PipelineExecutionStatus"] == "Executing"
        account.engine.callbacks.answer((await account.awaited()).token, Success({}))
        await account.engine.wait(arn)
        told = await client.call("describe_pipeline_execution", PipelineExecutionArn=arn)
        assert told["PipelineExecutionStatus"] == "Succeeded"
