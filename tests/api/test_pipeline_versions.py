"""Versions of pipelines and their aliases, by plain boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/pipelines"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/wine"


def text(number: int) -> str:
    fail = {"Name": f"No{number}", "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}
    return json.dumps({"Version": "2020-12-01", "Steps": [fail]})


@pytest.fixture(name="wine")
async def _wine(account: Any) -> Any:
    """An account with a pipeline of three versions; the second is called prod."""
    await account.call("create_pipeline", PipelineName="wine", RoleArn=ROLE, PipelineDefinition=text(1))
    for number in (2, 3):
        aliases = ["prod"] if number == 2 else []
        request = {"PipelineDefinition": text(number), "PipelineVersionAliases": aliases}
        await account.call("update_pipeline", PipelineName="wine", **request)
    return account


async def refused(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        await call
    return str(caught.value.response["Error"]["Code"])


async def versions(account: Any, **request: Any) -> list[dict[str, Any]]:
    told = await account.call("list_pipeline_versions", PipelineName="wine", **request)
    found: list[dict[str, Any]] = told["PipelineVersionSummaries"]
    return found


async def numbers(account: Any, **request: Any) -> list[int]:
    return [each["PipelineVersionId"] for each in await versions(account, **request)]


def change(account: Any, number: int, **request: Any) -> Any:
    return account.call("update_pipeline_version", PipelineArn=ARN, PipelineVersionId=number, **request)


def aliases(account: Any, number: int, add: list[str], remove: list[str]) -> Any:
    return change(account, number, PipelineVersionAliasOperations={"Add": add, "Remove": remove})


async def test_versions_are_listed_newest_first_with_their_latest_execution(wine: Any) -> None:
    begun = [
        (await wine.call("start_pipeline_execution", PipelineName="wine", PipelineVersionId=number))[
            "PipelineExecutionArn"
        ]
        for number in (1, 2, 2)
    ]
    found = await versions(wine)
    assert [each["PipelineVersionId"] for each in found] == [3, 2, 1]
    assert [each.get("LastExecutionPipelineExecutionArn") for each in found] == [None, begun[2], begun[0]]
    assert [each["PipelineVersionAliases"] for each in found] == [[], ["prod"], []]
    assert {each["PipelineArn"] for each in found} == {ARN}
    assert await numbers(wine, SortOrder="Ascending") == [1, 2, 3]
    second = found[1]["CreationTime"]
    assert await numbers(wine, CreatedAfter=second.timestamp()) == [3, 2]
    assert await numbers(wine, CreatedBefore=second.timestamp()) == [2, 1]


async def test_versions_are_listed_in_pages(wine: Any) -> None:
    first = await wine.call("list_pipeline_versions", PipelineName=ARN, MaxResults=2)
    await wine.call("update_pipeline", PipelineName="wine", PipelineDefinition=text(4))
    rest = await wine.call("list_pipeline_versions", PipelineName=ARN, NextToken=first["NextToken"])
    assert [each["PipelineVersionId"] for each in rest["PipelineVersionSummaries"]] == [1]
    assert "NextToken" not in rest


@pytest.mark.parametrize(
    ("request_", "number"),
    [({}, 3), ({"PipelineVersionId": 1}, 1), ({"PipelineVersionAlias": "prod"}, 2)],
)
async def test_an_execution_runs_the_version_that_is_asked_for(
    wine: Any, request_: dict[str, Any], number: int
) -> None:
    begun = await wine.call("start_pipeline_execution", PipelineName="wine", **request_)
    arn = {"PipelineExecutionArn": begun["PipelineExecutionArn"]}
    await wine.engine.wait(arn["PipelineExecutionArn"])
    told = await wine.call("describe_pipeline_execution", **arn)
    assert told["PipelineVersionId"] == number
    assert told["PipelineVersionAliases"] == (["prod"] if number == 2 else [])
    used = await wine.call("describe_pipeline_definition_for_execution", **arn)
    assert used["PipelineDefinition"] == text(number)
    described = await wine.call("describe_pipeline", PipelineName="wine", **request_)
    assert described["PipelineDefinition"] == text(number)
    assert used["CreationTime"] == described["CreationTime"]


async def test_executions_are_listed_by_the_alias_of_their_version(wine: Any) -> None:
    begun = [
        (await wine.call("start_pipeline_execution", PipelineName="wine", PipelineVersionId=number))[
            "PipelineExecutionArn"
        ]
        for number in (2, 3, 2)
    ]
    told = await wine.call("list_pipeline_executions", PipelineName="wine", PipelineVersionAlias="prod")
    summaries = told["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in summaries] == [begun[2], begun[0]]
    assert {tuple(each["PipelineVersionAliases"]) for each in summaries} == {("prod",)}


async def test_a_version_gets_a_name_and_a_description(wine: Any) -> None:
    told = await change(
        wine, 2, PipelineVersionDisplayName="Stable", PipelineVersionDescription="as of today"
    )
    assert (told["PipelineArn"], told["PipelineVersionId"]) == (ARN, 2)
    [_, second, _] = await versions(wine)
    assert second["PipelineVersionDisplayName"] == "Stable"
    assert second["PipelineVersionDescription"] == "as of today"
    described = await wine.call("describe_pipeline", PipelineName="wine", PipelineVersionId=2)
    assert described["PipelineVersionDisplayName"] == "Stable"


async def test_an_alias_moves_by_being_removed_and_added(wine: Any) -> None:
    assert await refused(aliases(wine, 3, ["prod"], [])) == "ConflictException"
    await aliases(wine, 2, [], ["prod"])
    await aliases(wine, 3, ["prod", "beta"], [])
    assert [each["PipelineVersionAliases"] for each in await versions(wine)] == [["beta", "prod"], [], []]
    await aliases(wine, 3, ["gamma", "prod"], ["beta"])
    assert (await versions(wine))[0]["PipelineVersionAliases"] == ["gamma", "prod"]


async def test_alias_operations_that_cannot_be_done_change_nothing(wine: Any) -> None:
    many = [f"a{number}" for number in range(10)]
    assert await refused(aliases(wine, 2, ["new"], ["beta"])) == "ResourceNotFound"
    assert await refused(aliases(wine, 2, ["x"], ["x"])) == "ValidationException"
    assert await refused(aliases(wine, 2, ["12"], [])) == "ValidationException"
    assert await refused(aliases(wine, 2, many, [])) == "ValidationException"
    assert await refused(aliases(wine, 9, ["new"], [])) == "ResourceNotFound"
    assert await refused(aliases(wine, 1 << 62, [], [])) == "ResourceNotFound"
    assert [each["PipelineVersionAliases"] for each in await versions(wine)] == [[], ["prod"], []]


async def test_aliases_come_only_with_a_new_definition(wine: Any) -> None:
    same = {"PipelineName": "wine", "PipelineDefinition": text(3)}
    update = wine.call("update_pipeline", **same, PipelineVersionAliases=["late"], PipelineDescription="x")
    assert await refused(update) == "ValidationException"
    taken = wine.call(
        "update_pipeline", PipelineName="wine", PipelineDefinition=text(4), PipelineVersionAliases=["prod"]
    )
    assert await refused(taken) == "ConflictException"
    assert await numbers(wine) == [3, 2, 1]
    assert "PipelineDescription" not in await wine.call("describe_pipeline", PipelineName="wine")


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("describe_pipeline", {"PipelineVersionId": 4}, "ResourceNotFound"),
        ("describe_pipeline", {"PipelineVersionAlias": "none"}, "ResourceNotFound"),
        (
            "describe_pipeline",
            {"PipelineVersionId": 1, "PipelineVersionAlias": "prod"},
            "ValidationException",
        ),
        ("start_pipeline_execution", {"PipelineVersionId": 4}, "ResourceNotFound"),
        ("start_pipeline_execution", {"PipelineVersionAlias": "none"}, "ResourceNotFound"),
        (
            "start_pipeline_execution",
            {"PipelineVersionId": 1, "PipelineVersionAlias": "prod"},
            "ValidationException",
        ),
        ("list_pipeline_executions", {"PipelineVersionAlias": "none"}, "ResourceNotFound"),
    ],
)
async def test_a_version_that_does_not_exist_is_not_found(
    wine: Any, operation: str, request_: dict[str, Any], code: str
) -> None:
    assert await refused(wine.call(operation, PipelineName="wine", **request_)) == code
