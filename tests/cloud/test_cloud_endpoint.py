"""One port for all services, for local callers only."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from starlette.responses import PlainTextResponse

from sagelocal.cloud.endpoint import Endpoint, signed_for
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import MachineError, UsageError
from sagelocal.names import S3Uri

CALLS: list[tuple[str, Callable[[Any], object], str]] = [
    ("sagemaker", lambda client: client.list_pipelines(), "ListPipelines"),
    ("sqs", lambda client: client.list_queues(), "ListQueues"),
    ("sts", lambda client: client.get_caller_identity(), "GetCallerIdentity"),
    ("lambda", lambda client: client.list_functions(), "GET /2015-03-31/functions"),
]


@pytest.mark.parametrize(("service", "call", "operation"), CALLS)
def test_a_service_that_is_not_served_is_named_with_its_operation(
    url: str, client_for: Callable[..., Any], service: str, call: Callable[[Any], object], operation: str
) -> None:
    with pytest.raises(ClientError, match=f"{service}: {operation}.* is not served yet") as error:
        call(client_for(url, service))
    assert error.value.response["Error"]["Code"] == "NotImplemented"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "bucket.s3.us-east-1.amazonaws.com",
        "127.0.0.1.evil.example",
        "[",
        "",
    ],
)
def test_a_host_that_is_not_this_machine_is_refused(url: str, host: str) -> None:
    answer = httpx.get(url, headers={"host": host})
    assert (answer.status_code, "Host header" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "bucket.localhost", "host.docker.internal", "127.0.0.1:99"]
)
def test_names_of_this_machine_are_served(url: str, host: str) -> None:
    assert httpx.head(url, headers={"host": host}).status_code != 403


def test_a_web_page_from_elsewhere_is_refused(url: str, store: ObjectStore) -> None:
    store.put_bytes(S3Uri("bucket", "a"), b"")
    query = "?delete&X-Amz-Credential=a/20260101/us-east-1/s3/aws4_request"
    body = "<Delete><Object><Key>a</Key></Object></Delete>"
    assert (
        httpx.post(
            f"{url}/bucket{query}", content=body, headers={"origin": "https://evil.example"}
        ).status_code
        == 403
    )
    assert httpx.post(f"{url}/bucket{query}", content=body, headers={"origin": "null"}).status_code == 403
    assert store.head(S3Uri("bucket", "a")) is not None
    assert httpx.post(f"{url}/bucket{query}", content=body, headers={"origin": url}).status_code == 200


def test_the_service_stands_in_the_signature() -> None:
    v4 = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=x"
    v4a = "AWS4-ECDSA-P256-SHA256 Credential=AK/20260101/sqs/aws4_request, SignedHeaders=host, Signature=x"
    assert signed_for({"authorization": v4}, "") == "sagemaker"
    assert signed_for({"authorization": v4a}, "") == "sqs"
    assert signed_for({}, "X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fsts%2Faws4_request") == "sts"
    assert signed_for({}, "") == "s3"


async def test_further_services_are_given_to_the_constructor(store: ObjectStore) -> None:
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/echo/aws4_request, Signature=x"
    }
    async with (
        Endpoint(store, {"echo": PlainTextResponse("hello")}) as endpoint,
        httpx.AsyncClient() as client,
    ):
        assert (await client.get(endpoint.url, headers=headers)).text == "hello"


async def test_it_also_listens_where_containers_can_reach_it(store: ObjectStore) -> None:
    async with Endpoint(store) as endpoint, httpx.AsyncClient() as client:
        first, again = await asyncio.gather(endpoint.listen_on("127.0.0.2"), endpoint.listen_on("127.0.0.2"))
        assert first == again == endpoint.url.replace("127.0.0.1", "127.0.0.2")
        assert (await client.get(first)).status_code == 200
        assert await endpoint.listen_on("127.0.0.1") == endpoint.url


async def test_an_address_of_another_machine_is_the_machines_fault(store: ObjectStore) -> None:
    async with Endpoint(store) as endpoint:
        with pytest.raises(MachineError, match=r"192\.0\.2\.1"):
            await endpoint.listen_on("192.0.2.1")


async def test_a_taken_port_is_named(store: ObjectStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}"):
            async with Endpoint(store, port=port):
                pass


async def test_leaving_does_not_wait_for_idle_clients_and_frees_the_port(store: ObjectStore) -> None:
    async with httpx.AsyncClient() as client:
        async with asyncio.timeout(30), Endpoint(store) as endpoint:
            await client.get(endpoint.url)
            port = int(endpoint.url.rpartition(":")[2])
        async with Endpoint(store, port=port):
            pass


async def test_signals_stay_with_their_owner(store: ObjectStore) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with Endpoint(store):
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_importing_the_endpoint_loads_no_web_framework() -> None:
    program = (
        "import sys, sagelocal.cloud.endpoint; print({'starlette', 'uvicorn', 'botocore'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout
        == "set()\n"
    )


def test_a_refused_upload_does_not_spoil_the_connection(url: str, client_for: Callable[..., Any]) -> None:
    s3 = client_for(url, max_pool_connections=1)
    for _ in range(3):
        with pytest.raises(ClientError, match="NoSuchUpload"):
            s3.upload_part(Bucket="bucket", Key="a", UploadId="none", PartNumber=1, Body=b"data")
        s3.put_object(Bucket="bucket", Key="a", Body=b"data")


def test_many_clients_at_once_are_served(url: str, store: ObjectStore) -> None:
    async def put_all() -> None:
        async with httpx.AsyncClient() as client:
            answers = await asyncio.gather(
                *(client.put(f"{url}/bucket/{n % 10}/{n}", content=b"x") for n in range(100))
            )
        assert {answer.status_code for answer in answers} == {200}

    asyncio.run(put_all())
    assert len(list(store.list(S3Uri("bucket", "")))) == 100
