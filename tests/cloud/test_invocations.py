"""InvokeEndpoint of SageMaker Runtime, by boto3 and by programs without an SDK."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.inference import InvocationError, Reply
from sagelocal.cloud.invocations import SERVICE, Invocations
from sagelocal.cloud.s3 import ObjectStore

SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260131/eu-west-1/{service}/aws4_request, Signature=x"


@dataclass
class Model:
    """A model that remembers what it was asked, and answers or raises as it is told."""

    answers: Reply | Exception = Reply(b"0.5", "text/csv")  # noqa: RUF009 - frozen
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, body: bytes, **headers: Any) -> Reply:
        self.asked.append({"body": body, **headers})
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers


@pytest.fixture
def invocations() -> Invocations:
    return Invocations("123456789012")


@pytest.fixture
def url(
    store: ObjectStore,
    invocations: Invocations,
    running: Callable[[Endpoint], AbstractContextManager[Endpoint]],
) -> Iterator[str]:
    services: dict[str, ASGIApp] = {
        SERVICE: invocations.app(),
        "sagemaker": PlainTextResponse("the API"),
    }
    with running(Endpoint(store, services)) as endpoint:
        yield endpoint.url


@pytest.fixture
def runtime(url: str, client_for: Callable[..., Any]) -> Any:
    return client_for(url, "sagemaker-runtime")


def test_a_request_reaches_the_model_whole_and_its_answer_comes_back(
    runtime: Any, invocations: Invocations
) -> None:
    model = Model(Reply(bytes(range(256)), "application/x-npy", "seen=1"))

    with invocations.open("Shadow-1", model):
        answer = runtime.invoke_endpoint(
            EndpointName="Shadow-1",
            Body=b"1,2\n",
            ContentType="text/csv",
            Accept="application/x-npy",
            CustomAttributes="trace=1",
        )

    assert answer["Body"].read() == bytes(range(256))
    told = {key: answer[key] for key in ("ContentType", "CustomAttributes", "InvokedProductionVariant")}
    assert told == {
        "ContentType": "application/x-npy",
        "CustomAttributes": "seen=1",
        "InvokedProductionVariant": "AllTraffic",
    }
    headers = {"content_type": "text/csv", "accept": "application/x-npy", "custom_attributes": "trace=1"}
    assert model.asked == [{"body": b"1,2\n", **headers}]


def test_the_content_type_is_the_models_own_without_additions(url: str, invocations: Invocations) -> None:
    with invocations.open("e", Model(Reply(b"x", ""))):
        bare = httpx.post(f"{url}/endpoints/e/invocations")
    with invocations.open("e", Model(Reply(b"x", "text/csv"))):
        csv = httpx.post(f"{url}/endpoints/e/invocations")

    assert ("content-type" in bare.headers, csv.headers["content-type"]) == (False, "text/csv")


def test_an_endpoint_that_is_not_in_service_is_a_validation_error(
    runtime: Any, invocations: Invocations
) -> None:
    with invocations.open("gone", Model()):
        pass

    for name in ("gone", "never-there"):
        with pytest.raises(ClientError) as caught:
            runtime.invoke_endpoint(EndpointName=name, Body=b"")
        error = caught.value.response
        assert error["Error"]["Code"] == "ValidationError"
        assert error["Error"]["Message"] == f"Endpoint {name} of account 123456789012 not found."
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            InvocationError(415, "no such type", "container-2"),
            'Received client error (415) from container-2 with message "no such type".',
        ),
        (
            InvocationError(500, "it broke", "container-1"),
            'Received server error (500) from container-1 with message "it broke".',
        ),
        (
            InvocationError(0, "did not answer within 60 s", "container-1"),
            'Received server error (0) from container-1 with message "did not answer within 60 s".',
        ),
    ],
)
def test_a_models_error_is_a_model_error_with_the_models_words(
    runtime: Any, invocations: Invocations, fault: InvocationError, message: str
) -> None:
    with invocations.open("e", Model(fault)), pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName="e", Body=b"1")

    error = caught.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]) == (424, message)
    assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (fault.status, fault.text)


def test_whatever_else_goes_wrong_is_told_to_the_client_and_raised_where_the_endpoint_was_opened(
    runtime: Any, invocations: Invocations
) -> None:
    def ask() -> None:
        with invocations.open("e", Model(RuntimeError("the container has ended"))):
            for _ in range(2):
                with pytest.raises(runtime.exceptions.ModelError, match="the container has ended"):
                    runtime.invoke_endpoint(EndpointName="e", Body=b"1")

    with pytest.raises(RuntimeError, match="the container has ended"):
        ask()


def test_what_the_caller_raises_is_not_replaced(runtime: Any, invocations: Invocations) -> None:
    def ask() -> None:
        with invocations.open("e", Model(RuntimeError("the model's"))):
            with pytest.raises(runtime.exceptions.ModelError):
                runtime.invoke_endpoint(EndpointName="e", Body=b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask()


def test_a_body_may_be_large_but_not_endless(url: str, invocations: Invocations) -> None:
    model = Model()
    address = f"{url}/endpoints/e/invocations"

    with invocations.open("e", model):
        taken = httpx.post(address, content=b"x" * (100 << 20), timeout=60)
        refused = httpx.post(address, content=(b"x" * (1 << 20) for _ in range(101)), timeout=60)

    assert (taken.status_code, len(model.asked[0]["body"])) == (200, 100 << 20)
    assert (refused.status_code, "most that sagelocal takes" in refused.text) == (413, True)
    assert len(model.asked) == 1


def test_two_endpoints_are_two_models(runtime: Any, invocations: Invocations) -> None:
    with invocations.open("a", Model(Reply(b"A", "t"))), invocations.open("b", Model(Reply(b"B", "t"))):
        found = [runtime.invoke_endpoint(EndpointName=name, Body=b"")["Body"].read() for name in "ab"]

    assert found == [b"A", b"B"]


@pytest.mark.parametrize(
    ("request_line", "signed", "expected"),
    [
        ("POST /endpoints/e/invocations", "sagemaker", "0.5"),
        ("POST /endpoints/e/invocations", "", "0.5"),
        ("POST /", "sagemaker", "the API"),
        ("POST /endpoints/e/other", "sagemaker", "the API"),
        ("POST /endpoints/e/x/invocations", "sagemaker", "the API"),
        ("GET /endpoints/e/invocations", "sagemaker", "the API"),
        ("GET /endpoints/e/invocations", "", "NoSuch"),
        ("POST /endpoints/e/invocations?uploads", "", "UploadId"),
        ("POST /endpoints/e/invocations?uploads", "s3", "UploadId"),
    ],
)
def test_only_invocations_go_to_the_runtime(
    url: str, invocations: Invocations, request_line: str, signed: str, expected: str
) -> None:
    method, path = request_line.split()
    headers = {"authorization": SIGNED.format(service=signed)} if signed else {}

    with invocations.open("e", Model()):
        answer = httpx.request(method, url + path, headers=headers)

    assert expected in answer.text


def test_importing_the_types_loads_no_server() -> None:
    text = (
        "import sys, sagelocal.cloud.invocations; print('starlette' in sys.modules, 'httpx' in sys.modules)"
    )

    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["False", "False"]
