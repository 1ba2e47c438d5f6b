"""What clients may send that no SDK would: the right refusal in the right protocol, whatever it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import httpx
import pytest

from sagelocal.cloud.protocols.json_protocol import json_app
from sagelocal.cloud.protocols.query_protocol import query_app
from sagelocal.cloud.protocols.service import Call, Service
from sagelocal.cloud.surrounding_apps import APPS
from sagelocal.cloud.surroundings import SERVED
from sagelocal.errors import MachineError, UsageError
from sagelocal.values import JsonObject

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import World

FORM = "application/x-www-form-urlencoded"


def signed(service: str, **headers: str) -> dict[str, str]:
    scope = f"AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/{service}/aws4_request, Signature=x"
    return {"authorization": scope, **headers}


@pytest.fixture(name="client")
async def _client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=world.url) as client:
        yield client


def code(answer: httpx.Response) -> str:
    if answer.headers["content-type"].startswith("text/xml"):
        namespace = {"n": "https://sts.amazonaws.com/doc/2011-06-15/"}
        return ElementTree.fromstring(answer.text).findtext("n:Error/n:Code", "", namespace)
    return str(answer.headers.get("x-amzn-errortype") or json.loads(answer.text)["__type"])


def test_every_service_has_its_app() -> None:
    assert set(APPS) == set(SERVED)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"{", 400, "SerializationException"),
        (b"[]", 400, "SerializationException"),
        (b"\xff\xfe", 400, "SerializationException"),
        (b"[" * 100_000, 400, "SerializationException"),
        (b'{"Name": 5}', 400, "SerializationException"),
        (b'{"Name": {"a": []}}', 400, "SerializationException"),
        (b'{"Name": NaN}', 400, "SerializationException"),
        (b'{"Name": "\\ud800"}', 400, "SerializationException"),
        (b'{"Name": ""}', 400, "ValidationException"),
        (b"", 400, "ValidationException"),
        (b'{"Name": "r", "Unknown": 1}', 400, "ResourceNotFoundException"),
        (b" " * (5 << 20), 413, "RequestEntityTooLarge"),
    ],
)
async def test_a_json_body_that_is_wrong_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int, expected: str
) -> None:
    headers = signed("events", **{"x-amz-target": "AWSEvents.DescribeRule"})

    answer = await client.post("/", content=body, headers=headers)

    assert (answer.status_code, code(answer)) == (status, expected)


@pytest.mark.parametrize("moment", ["1e300", "-1", '"soon"', '"9999-12-31T23:59:59Z"', "true", "[]"])
async def test_a_moment_that_is_none_is_refused(client: httpx.AsyncClient, moment: str) -> None:
    headers = signed("events", **{"x-amz-target": "AWSEvents.PutEvents"})
    entry = f'{{"Source": "mine", "DetailType": "t", "Detail": "{{}}", "Time": {moment}}}'

    answer = await client.post("/", content=f'{{"Entries": [{entry}]}}', headers=headers)

    assert (answer.status_code, code(answer)) == (400, "SerializationException")


async def test_an_operation_that_does_not_exist_is_named_with_the_nearest(client: httpx.AsyncClient) -> None:
    wrong = await client.post("/", headers=signed("events", **{"x-amz-target": "AWSEvents.DescribeRules"}))
    none = await client.post("/", headers=signed("events"))

    assert (wrong.status_code, code(wrong)) == (400, "UnknownOperationException")
    assert "did you mean DescribeRule?" in wrong.text
    assert (none.status_code, code(none)) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"", 400, "InvalidAction"),
        (b"Action=Nothing", 400, "InvalidAction"),
        (b"\xff\x00=%zz&Action=GetCallerIdentity", 200, ""),
        (b"Action=AssumeRole", 400, "ValidationError"),
        (b"Action=AssumeRole&RoleArn.member.1=x&RoleSessionName=me", 400, "SerializationException"),
        (b"Action=GetSessionToken&DurationSeconds=many", 400, "SerializationException"),
        (b"Action=GetSessionToken&DurationSeconds=" + b"9" * 5000, 400, "SerializationException"),
        (b"Action=GetCallerIdentity&" + b".".join([b"a"] * 5000) + b"=1", 200, ""),
        (b"&".join([b"a=1"] * 20_000), 400, "MalformedQueryString"),
        (b"a" * (5 << 20), 413, "RequestEntityTooLarge"),
    ],
)
async def test_a_form_that_is_wrong_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int, expected: str
) -> None:
    answer = await client.post("/", content=body, headers=signed("sts", **{"content-type": FORM}))

    assert (answer.status_code, code(answer)) == (status, expected)


async def test_a_form_may_stand_in_the_url_and_be_presigned(client: httpx.AsyncClient) -> None:
    """As an EKS token or a Vault login has it."""
    query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"

    answer = await client.get(f"/?{query}")

    assert answer.status_code == 200
    assert "<Account>123456789012</Account>" in answer.text


async def test_text_that_no_xml_can_hold_does_not_spoil_the_answer(client: httpx.AsyncClient) -> None:
    body = b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%00%01&RoleSessionName=a%EF%BF%BF%26%3C"

    answer = await client.post("/", content=body, headers=signed("sts", **{"content-type": FORM}))

    assert code(answer) == "ValidationError"


@pytest.mark.parametrize(
    ("request_line", "body", "status", "expected"),
    [
        ("GET /nothing", b"", 404, "UnknownOperationException"),
        ("PATCH /schedules/x", b"", 404, "UnknownOperationException"),
        ("POST /schedules/x", b"{", 400, "SerializationException"),
        ("POST /schedules/x", b"[]", 400, "SerializationException"),
        ("POST /schedules/x", b"{}", 400, "ValidationException"),
        ("GET /schedules?MaxResults=many", b"", 400, "SerializationException"),
        ("GET /schedules?MaxResults=0", b"", 400, "ValidationException"),
        ("GET /schedules/x%2Fy", b"", 400, "ValidationException"),
        ("GET /schedules/", b"", 200, ""),
    ],
)
async def test_a_rest_request_that_is_wrong_is_refused(
    client: httpx.AsyncClient, request_line: str, body: bytes, status: int, expected: str
) -> None:
    method, path = request_line.split()

    answer = await client.request(method, path, content=body, headers=signed("scheduler"))

    assert (answer.status_code, answer.headers.get("x-amzn-errortype", "")) == (status, expected)


def _broken(_: Call) -> JsonObject:
    message = "no"
    raise KeyError(message)


def _full(_: Call) -> JsonObject:
    message = "state.db: the disk is full"
    raise MachineError(message)


def _wrong(_: Call) -> JsonObject:
    message = "that cannot be"
    raise UsageError(message)


async def test_our_own_faults_are_told_in_the_protocol_of_the_request() -> None:
    table = {"GetCallerIdentity": _broken, "GetSessionToken": _full, "GetAccessKeyInfo": _wrong}
    service = Service("sts", table, invalid="ValidationError")
    forms = {
        "Action=GetCallerIdentity": (500, "InternalFailure", "KeyError: 'no'"),
        "Action=GetSessionToken": (500, "InternalFailure", "state.db: the disk is full"),
        "Action=GetAccessKeyInfo&AccessKeyId=" + "A" * 20: (400, "ValidationError", "that cannot be"),
    }
    transport = httpx.ASGITransport(query_app(service, "https://sts.amazonaws.com/doc/2011-06-15/"))

    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for form, (status, expected, text) in forms.items():
            answer = await client.post("/", content=form, headers={"content-type": FORM})
            assert (answer.status_code, code(answer)) == (status, expected)
            assert text in answer.text
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(json_app(service)), base_url="http://localhost"
    ) as client:
        answer = await client.post("/", headers={"x-amz-target": "Sts.GetCallerIdentity"})
        assert (answer.status_code, answer.json()["__type"]) == (500, "InternalFailure")
