"""Operations on pipelines, by plain boto3."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/service-role/pipelines"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/"
FAIL = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}
TOKEN = "0123456789" * 4


def text(*steps: dict[str, Any], **keys: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Steps": list(steps or [FAIL]), **keys})


async def create(account: Any, name: str = "wine", **request: Any) -> str:
    given = {"PipelineName": name, "RoleArn": ROLE, "PipelineDefinition": text()} | request
    arn: str = (await account.call("create_pipeline", **given))["PipelineArn"]
    return arn


async def refused(call: Any) -> tuple[str, str]:
    """Code and text of a refusal."""
    with pytest.raises(ClientError) as caught:
        await call
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


async def test_a_pipeline_is_described_as_it_was_created(account: Any) -> None:
    odd = (
        ' \n{"Version": "2020-12-01",\t"Steps": [' + json.dumps(FAIL) + ',\r\n {"Name":"Nö", "Type":"Fail", '
    )
    odd += '"Arguments": {"ErrorMessage": "\\u00fc\\ud83d\\ude00 ü😀"}}]}\n'
    odd = odd.replace("Nö", "Nope")
    arn = await create(
        account,
        "WineTasting",
        PipelineDefinition=odd,
        PipelineDisplayName="Wine",
        PipelineDescription="all of it",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 3},
        PipelineVersionAliases=["prod", "v1.0"],
    )
    assert arn == ARN + "WineTasting"
    told = await account.call("describe_pipeline", PipelineName="WineTasting")
    del told["ResponseMetadata"]
    assert told.pop("CreationTime") == told.pop("LastModifiedTime")
    assert told == {
        "PipelineArn": arn,
        "PipelineName": "WineTasting",
        "PipelineDisplayName": "Wine",
        "PipelineDescription": "all of it",
        "PipelineDefinition": odd,
        "PipelineStatus": "Active",
        "RoleArn": ROLE,
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": 3},
        "PipelineVersionAliases": ["prod", "v1.0"],
        "CreatedBy": {},
        "LastModifiedBy": {},
    }
    by_arn = await account.call("describe_pipeline", PipelineName=arn)
    assert by_arn["PipelineDefinition"] == odd


async def test_a_pipeline_remembers_when_it_ran_last(account: Any) -> None:
    await create(account)
    begun = await account.call("start_pipeline_execution", PipelineName="wine")
    execution = await account.call("describe_pipeline_execution", **_arn_of(begun))
    told = await account.call("describe_pipeline", PipelineName="wine")
    assert told["LastRunTime"] == execution["CreationTime"]
    [summary] = (await account.call("list_pipelines"))["PipelineSummaries"]
    assert summary["LastExecutionTime"] == execution["CreationTime"]


def _arn_of(answer: dict[str, Any]) -> dict[str, str]:
    return {"PipelineExecutionArn": answer["PipelineExecutionArn"]}


async def test_a_name_is_given_once(account: Any) -> None:
    await create(account)
    assert await refused(create(account, PipelineDefinition=text(Metadata={"other": "one"}))) == (
        "ValidationException",
        (
            "Pipeline names must be unique within an AWS account and region. "
            "Pipeline with name (wine) already exists."
        ),
    )


async def test_of_two_that_create_the_same_pipeline_at_once_one_wins(account: Any) -> None:
    ended = await asyncio.gather(*(create(account) for _ in range(4)), return_exceptions=True)
    assert [each for each in ended if isinstance(each, str)] == [ARN + "wine"]
    assert all("already exists" in str(each) for each in ended if not isinstance(each, str))


async def test_a_definition_can_lie_in_s3(account: Any) -> None:
    s3 = account.client("s3")
    await asyncio.to_thread(s3.create_bucket, Bucket="definitions")
    await asyncio.to_thread(s3.put_object, Bucket="definitions", Key="a/wine.json", Body=text().encode())
    s3.close()
    location = {"Bucket": "definitions", "ObjectKey": "a/wine.json"}
    await create(account, PipelineDefinition=None, PipelineDefinitionS3Location=location)
    assert (await account.call("describe_pipeline", PipelineName="wine"))["PipelineDefinition"] == text()


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ({"Bucket": "no-such-bucket", "ObjectKey": "wine.json"}, "s3://no-such-bucket/wine.json"),
        ({"Bucket": "empty", "ObjectKey": "wine.json"}, "there is no object s3://empty/wine.json"),
        ({"Bucket": "empty", "ObjectKey": "binary"}, "s3://empty/binary is not UTF-8 text"),
        ({"Bucket": "empty", "ObjectKey": "fine", "VersionId": "3"}, "s3://empty/fine has no version 3"),
    ],
)
async def test_a_definition_that_cannot_be_read_from_s3_is_told(
    account: Any, location: dict[str, str], told: str
) -> None:
    s3 = account.client("s3")
    await asyncio.to_thread(s3.create_bucket, Bucket="empty")
    await asyncio.to_thread(s3.put_object, Bucket="empty", Key="binary", Body=b"\xff\xfe")
    await asyncio.to_thread(s3.put_object, Bucket="empty", Key="fine", Body=text().encode())
    s3.close()
    code, message = await refused(
        create(account, PipelineDefinition=None, PipelineDefinitionS3Location=location)
    )
    assert code == "ValidationException"
    assert message.startswith("Unable to read the pipeline definition from S3: ")
    assert told in message


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            {"PipelineDefinition": None},
            "Either Pipeline Definition or Pipeline Definition S3 location should be provided",
        ),
        (
            {"PipelineDefinitionS3Location": {"Bucket": "abc", "ObjectKey": "k"}},
            "Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be present",
        ),
        (
            {"RoleArn": None},
            "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"PipelineName": "a_b"},
            (
                "1 validation error detected: Value 'a_b' at 'pipelineName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}"
            ),
        ),
        (
            {"PipelineVersionAliases": ["17"]},
            "Alias '17' consists of digits only: that would be the number of a version.",
        ),
    ],
)
async def test_a_create_request_that_is_not_in_order_is_told(
    account: Any, request_: dict[str, Any], told: str
) -> None:
    assert await refused(create(account, **request_)) == ("ValidationException", told)
    assert (await account.call("list_pipelines"))["PipelineSummaries"] == []


PROCESSING = {
    "ProcessingResources": {
        "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    },
    "AppSpecification": {"ImageUri": "image"},
    "RoleArn": ROLE,
}


def processing(name: str = "A", arguments: Any = None, **keys: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Processing", "Arguments": PROCESSING | (arguments or {}), **keys}


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ("[]", "Unable to parse pipeline definition. Expecting start of Json Object."),
        ('{"Version": "2020-12-01", "Steps": {}}', "Expecting start of Json Array."),
        ("{]", "Unable to parse pipeline definition. Malformed JSON at line 1, column 2 (character 1)"),
        (
            text(processing(arguments={"ModelPackageName": "m"})),
            "Unable to parse pipeline definition. Unknown Argument member 'ModelPackageName'.",
        ),
        (
            text(
                processing(
                    arguments={
                        "ProcessingInputs": [
                            {
                                "InputName": "i",
                                "S3Input": {
                                    "S3Uri": "s3://b/k",
                                    "S3DataType": "S3Prefix",
                                    "S3InputMode": "FastFile",
                                },
                            }
                        ]
                    }
                )
            ),
            (
                "Unable to parse pipeline definition. Model Validation failed: Value 'FastFile' for "
                "'ProcessingS3InputMode' failed to satisfy enum value set: [Pipe, File]"
            ),
        ),
        (
            text(processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])),
            "Unable to parse pipeline definition. Model Validation failed: ",
        ),
        (text(FAIL, processing("Cond", DependsOn=["No"])), "Cond can not depends on No"),
    ],
)
async def test_an_error_of_the_definition_is_told_in_aws_words(
    account: Any, definition: str, told: str
) -> None:
    for operation in ("create_pipeline", "update_pipeline"):
        if operation == "update_pipeline":
            await create(account)
        request = {"PipelineName": "wine", "PipelineDefinition": definition, "RoleArn": ROLE}
        code, message = await refused(account.call(operation, **request))
        assert code == "ValidationException"
        assert message.startswith("Unable to parse pipeline definition. ")
        assert told in message


async def test_all_that_is_wrong_with_a_definition_is_told_with_its_place(account: Any) -> None:
    wrong = text(processing(arguments={"Foo": 1}), processing("B", DependsOn=["C"]))
    _, message = await refused(create(account, PipelineDefinition=wrong))
    first, *rest = message.split("\n")
    assert first.startswith("Unable to parse pipeline definition. ")
    assert any(line.startswith("step A: Steps[0].Arguments.Foo: ") for line in rest)
    assert any("Step C is undefined" in line for line in rest)


async def test_an_update_with_another_definition_is_a_new_version(account: Any) -> None:
    arn = await create(account)
    other = text(Metadata={"second": "version"})
    told = await account.call("update_pipeline", PipelineName="wine", PipelineDefinition=other)
    assert (told["PipelineArn"], told["PipelineVersionId"]) == (arn, 2)
    same = await account.call(
        "update_pipeline",
        PipelineName="wine",
        PipelineDefinition=other,
        PipelineDescription="",
        RoleArn=ROLE + "2",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 7},
    )
    assert same["PipelineVersionId"] == 2
    now = await account.call("describe_pipeline", PipelineName="wine")
    assert (now["PipelineDefinition"], now["PipelineDescription"]) == (other, "")
    assert now["RoleArn"] == ROLE + "2"
    assert now["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 7}
    assert now["LastModifiedTime"] >= now["CreationTime"]
    before = await account.call("describe_pipeline", PipelineName="wine", PipelineVersionId=1)
    assert before["PipelineDefinition"] == text()


async def test_a_deleted_pipeline_is_gone_with_all_it_had(account: Any) -> None:
    arn = await create(account, Tags=[{"Key": "team", "Value": "wine"}], PipelineVersionAliases=["prod"])
    begun = await account.call("start_pipeline_execution", PipelineName="wine")
    await account.engine.wait(begun["PipelineExecutionArn"])
    assert (await account.call("delete_pipeline", PipelineName="wine"))["PipelineArn"] == arn
    for operation in ("describe_pipeline", "list_pipeline_executions", "list_pipeline_versions"):
        assert (await refused(account.call(operation, PipelineName="wine")))[0] == "ResourceNotFound"
    for operation in ("describe_pipeline_execution", "list_pipeline_execution_steps"):
        assert (await refused(account.call(operation, **_arn_of(begun))))[0] == "ResourceNotFound"
    assert (await account.call("list_tags", ResourceArn=arn))["Tags"] == []
    await create(account)
    told = await account.call("list_pipeline_versions", PipelineName="wine")
    assert [each["PipelineVersionId"] for each in told["PipelineVersionSummaries"]] == [1]
    assert (await account.call("list_pipeline_executions", PipelineName="wine"))[
        "PipelineExecutionSummaries"
    ] == []


async def test_a_pipeline_that_runs_is_not_deleted(account: Any, callback: Any) -> None:
    await create(account, PipelineDefinition=text(callback("A")))
    begun = await account.call("start_pipeline_execution", PipelineName="wine")
    code, message = await refused(account.call("delete_pipeline", PipelineName="wine"))
    assert code == "ConflictException"
    assert begun["PipelineExecutionArn"] in message
    assert (await account.call("describe_pipeline", PipelineName="wine"))["PipelineStatus"] == "Active"


@pytest.mark.parametrize("operation", ["update_pipeline", "delete_pipeline", "describe_pipeline"])
async def test_a_pipeline_that_does_not_exist_is_not_found(account: Any, operation: str) -> None:
    await create(account, "Wines")
    code, message = await refused(account.call(operation, PipelineName="wine"))
    assert (code, message) == ("ResourceNotFound", "Pipeline 'wine' does not exist (did you mean Wines?).")


async def names(account: Any, **request: Any) -> list[str]:
    told = await account.call("list_pipelines", **request)
    return [each["PipelineName"] for each in told["PipelineSummaries"]]


async def test_pipelines_are_filtered_and_sorted(account: Any) -> None:
    moments = {}
    for name in ("b-1", "c", "a", "b-0"):
        await create(account, name)
        moments[name] = (await account.call("describe_pipeline", PipelineName=name))["CreationTime"]
    assert await names(account) == ["b-0", "a", "c", "b-1"]
    assert await names(account, SortOrder="Ascending") == ["b-1", "c", "a", "b-0"]
    assert await names(account, SortBy="Name") == ["a", "b-0", "b-1", "c"]
    assert await names(account, SortBy="Name", SortOrder="Descending") == ["c", "b-1", "b-0", "a"]
    assert await names(account, PipelineNamePrefix="b") == ["b-0", "b-1"]
    assert await names(account, ManagedBy="AWS") == []
    assert len(await names(account, ManagedBy="CUSTOMER")) == 4
    raw = await account.post(
        "SageMaker.ListPipelines",
        json.dumps(
            {"CreatedAfter": moments["c"].timestamp(), "CreatedBefore": moments["a"].isoformat()}
        ).encode(),
    )
    assert [each["PipelineName"] for each in raw.json["PipelineSummaries"]] == ["a", "c"]


@pytest.mark.parametrize("order", ["Ascending", "Descending"])
@pytest.mark.parametrize("sort", ["Name", "CreationTime"])
async def test_pages_go_on_rightly_whatever_comes_and_goes_meanwhile(
    account: Any, order: str, sort: str
) -> None:
    for number in range(7):
        await create(account, f"p{number}")
    asked = {"SortBy": sort, "SortOrder": order, "MaxResults": 3}
    first = await account.call("list_pipelines", **asked)
    shown = [each["PipelineName"] for each in first["PipelineSummaries"]]
    ascending = order == "Ascending"
    assert shown == (["p0", "p1", "p2"] if ascending else ["p6", "p5", "p4"])
    for gone in (shown[-1], shown[-2], "p3"):
        await account.call("delete_pipeline", PipelineName=gone)
    await create(account, "p9" if not ascending else "new")
    rest = await names(account, **{**asked, "MaxResults": 100}, NextToken=first["NextToken"])
    assert [name for name in rest if name != "new"] == (
        ["p4", "p5", "p6"] if ascending else ["p2", "p1", "p0"]
    )


async def test_a_token_of_another_list_or_of_nobody_is_refused(account: Any) -> None:
    for number in range(2):
        await create(account, f"p{number}")
    token = (await account.call("list_pipelines", MaxResults=1))["NextToken"]
    wrong = [
        ("list_pipelines", {"NextToken": token, "SortOrder": "Ascending"}),
        ("list_pipelines", {"NextToken": "WyJhIl0="}),
        ("list_pipelines", {"NextToken": "ü"}),
        ("list_pipeline_versions", {"PipelineName": "p0", "NextToken": token}),
    ]
    for operation, request in wrong:
        assert await refused(account.call(operation, **request)) == (
            "ValidationException",
            "Invalid NextToken: list anew without it.",
        )


async def test_tags_are_added_overwritten_and_deleted(account: Any) -> None:
    arn = await create(account, Tags=[{"Key": "team", "Value": "wine"}, {"Key": "a", "Value": ""}])
    told = await account.call("add_tags", ResourceArn=arn, Tags=[{"Key": "team", "Value": "beer"}])
    assert told["Tags"] == [{"Key": "a", "Value": ""}, {"Key": "team", "Value": "beer"}]
    await account.call("delete_tags", ResourceArn=arn, TagKeys=["a", "nothing"])
    assert (await account.call("list_tags", ResourceArn=arn))["Tags"] == [{"Key": "team", "Value": "beer"}]
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    assert (await refused(account.call("add_tags", ResourceArn=arn, Tags=many)))[0] == "ValidationException"
    assert len((await account.call("list_tags", ResourceArn=arn))["Tags"]) == 1


async def test_a_create_request_that_is_repeated_is_done_once(account: Any) -> None:
    for _ in range(2):
        assert await create(account, ClientRequestToken=TOKEN) == ARN + "wine"
    code, message = await refused(
        create(account, ClientRequestToken=TOKEN, PipelineDescription="another request")
    )
    assert code == "ConflictException"
    assert TOKEN in message
    await account.call("delete_pipeline", PipelineName="wine", ClientRequestToken=TOKEN)
    await account.call("delete_pipeline", PipelineName="wine", ClientRequestToken=TOKEN)
    assert await names(account) == []


async def test_a_token_does_not_outlive_what_it_made(account: Any) -> None:
    for _ in range(2):
        await create(account, ClientRequestToken=TOKEN)
        assert await names(account) == ["wine"]
        await account.call("delete_pipeline", PipelineName="wine", ClientRequestToken=TOKEN)
        assert await names(account) == []
