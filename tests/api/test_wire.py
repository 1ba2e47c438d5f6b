"""The protocol around the operations: targets, bodies, bugs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from sagelocal.api.app import App
from sagelocal.api.operations import OPERATIONS

JSON = "application/x-amz-json-1.1"


async def refused(account: Any, target: str, body: bytes = b"{}", **headers: str) -> tuple[int, str, str]:
    """Status, code and text of a refusal, which is told in all the ways that clients read."""
    answer = await account.post(target, body, **headers)
    told = answer.json
    assert answer.headers["content-type"] == JSON
    assert answer.headers["x-amzn-errortype"] == told["__type"]
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert told.get("Message", told["message"]) == told["message"]
    return answer.status, told["__type"], told["message"]


@pytest.mark.parametrize("target", ["SageMaker.ListPipelines", "sagemaker.ListPipelines"])
@pytest.mark.parametrize(
    "media_type", [JSON, "application/json; charset=utf-8", "APPLICATION/X-AMZ-JSON-1.0", ""]
)
async def test_a_request_in_json_is_served(account: Any, target: str, media_type: str) -> None:
    answer = await account.post(target, b"", Content_Type=media_type)
    assert (answer.status, answer.json) == (200, {"PipelineSummaries": []})


async def test_every_answer_has_an_id_of_its_own(account: Any) -> None:
    answers = [await account.post("SageMaker.ListPipelines", b"{}") for _ in range(2)]
    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == 2


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("SageMaker.ListPipline", "is no operation of SageMaker (did you mean ListPipelines?)"),
        ("SageMaker.listpipelines", "is no operation of SageMaker (did you mean ListPipelines?)"),
        ("SageMaker.CreateDomian", "is no operation of SageMaker (did you mean CreateDomain?)"),
        ("SageMaker.CreateDomain", "sagemaker: CreateDomain is not served yet by sagelocal"),
        ("DynamoDB_20120810.GetItem", "sagemaker: GetItem is no operation of SageMaker"),
        ("SageMaker.", "the header X-Amz-Target is missing, or names no operation"),
        ("", "the header X-Amz-Target is missing, or names no operation"),
        ("Sagelocal.ListPipelines", "ListPipelines"),
    ],
)
async def test_an_operation_that_is_not_served_is_told_with_its_nearest(
    account: Any, target: str, told: str
) -> None:
    status, code, text = await refused(account, target)
    assert (status, code) == (400, "UnknownOperationException")
    assert told in text


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_a_body_of_another_type_is_refused(account: Any, media_type: str) -> None:
    status, code, text = await refused(account, "SageMaker.ListPipelines", Content_Type=media_type)
    assert (status, code) == (415, "SerializationException")
    assert media_type in text


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "The request is no JSON"),
        (b"\xff\xfe\x00", "The request is no JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"MaxResults": NaN}', "NaN"),
        (b'{"MaxResults": ' + b"9" * 5000 + b"}", "The request is no JSON"),
        (b'{"PipelineNamePrefix": "\\ud800"}', "The request is no JSON"),
        (b'{"x": ' * 101 + b"1" + b"}" * 101, "nested too deeply"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The request is no JSON"),
        (b'{"MaxResults": "ten"}', "must be an integer"),
        (b'{"MaxResults": true}', "must be an integer"),
        (b'{"CreatedAfter": "yesterday"}', "CreatedAfter: yesterday is no moment"),
        (b'{"CreatedAfter": 1e300}', "too far from now"),
    ],
)
async def test_a_body_that_cannot_be_read_is_told(account: Any, body: bytes, told: str) -> None:
    status, code, text = await refused(account, "SageMaker.ListPipelines", body)
    assert (status, code) == (400, "SerializationException")
    assert told in text
    assert len(text) < 1000


async def test_numbers_that_no_integer_can_hold_are_refused(account: Any) -> None:
    body = json.dumps({"PipelineName": "wine", "PipelineVersionId": 1 << 70}).encode()
    status, code, text = await refused(account, "SageMaker.DescribePipeline", body)
    assert (status, code) == (400, "SerializationException")
    assert "too large" in text


async def test_the_largest_definition_is_taken_however_it_is_escaped(account: Any) -> None:
    fail = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}
    text = json.dumps({"Version": "2020-12-01", "Metadata": {}, "Steps": [fail]})
    text += " " * ((1 << 20) - len(text))
    request = {
        "PipelineName": "wine",
        "RoleArn": "arn:aws:iam::000000000000:role/pipelines",
        "ClientRequestToken": "t" * 32,
        "PipelineDefinition": text,
    }
    escaped = json.dumps(request, separators=(",", ":")).replace(" ", "\\u0020").encode()
    assert len(escaped) > 6_000_000
    answer = await account.post("SageMaker.CreatePipeline", escaped)
    assert answer.status == 200, answer.body
    told = await account.call("describe_pipeline", PipelineName="wine")
    assert told["PipelineDefinition"] == text
    request |= {"PipelineName": "longer", "PipelineDefinition": text + " "}
    body = json.dumps(request).encode()
    _, code, message = await refused(account, "SageMaker.CreatePipeline", body)
    assert code == "ValidationException"
    assert "Member must have length less than or equal to 1048576" in message


async def test_a_body_that_never_ends_is_broken_off(account: Any) -> None:
    status, code, text = await refused(account, "SageMaker.ListPipelines", b"[" * (17 << 20))
    assert (status, code) == (413, "ValidationException")
    assert "more than 16777216 bytes" in text


async def test_a_bug_of_ours_is_told_without_its_insides_and_printed_once(
    account: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Mapping[str, Any]:
        message = "secret /etc/passwd"
        raise ZeroDivisionError(message)

    monkeypatch.setitem(OPERATIONS, "ListPipelines", broken)
    with caplog.at_level(logging.ERROR):
        status, code, text = await refused(account, "SageMaker.ListPipelines")
    assert (status, code) == (500, "InternalFailure")
    assert "secret" not in text
    assert "ZeroDivisionError" not in text
    [record] = caplog.records
    assert "SageMaker.ListPipelines" in record.getMessage()
    assert record.exc_info
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def test_a_client_that_goes_away_is_no_bug(account: Any, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    await App(account.engine)(scope, receive, send)
    assert (sent, caplog.records) == ([], [])


async def test_another_method_than_post_is_refused(account: Any) -> None:
    from http.client import HTTPConnection

    def get() -> tuple[int, Any]:
        connection = HTTPConnection(account.url.removeprefix("http://"))
        scope = "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/sagemaker/aws4_request"
        connection.request("GET", "/", headers={"Authorization": scope})
        response = connection.getresponse()
        found = response.status, json.loads(response.read())
        connection.close()
        return found

    status, told = await asyncio.to_thread(get)
    assert (status, told["__type"]) == (405, "UnknownOperationException")


async def test_many_clients_at_once_are_all_served(account: Any) -> None:
    answers = await asyncio.gather(*(account.post("SageMaker.AddTags", _tag(number)) for number in range(40)))
    assert {answer.status for answer in answers} == {200}
    told = await account.call("list_tags", ResourceArn=RESOURCE)
    assert len(told["Tags"]) == 40


RESOURCE = "arn:aws:sagemaker:us-east-1:000000000000:training-job/t"


def _tag(number: int) -> bytes:
    tags = [{"Key": f"k{number}", "Value": str(number)}]
    return json.dumps({"ResourceArn": RESOURCE, "Tags": tags}).encode()
