"""Lambda's API, spoken by boto3, with functions in real processes."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.functions import FunctionStore
from sagelocal.cloud.functions_http import lambda_app
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.database import open_database
from sagelocal.names import Partition, S3Uri
from sagelocal.settings import Settings
from sagelocal_executors.functions.invoker import LocalInvoker

ROLE = "arn:aws:iam::000000000000:role/any"
CODE = "import os\ndef handler(event, context):\n    print('hello')\n    return {'got': event, 'mine': os.environ.get('MINE')}\n"


def zipped(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", code)
    return buffer.getvalue()


class Service:
    """boto3's client, called from a thread as it blocks."""

    def __init__(self, client: Any, store: ObjectStore, root: Path) -> None:
        self._client = client
        self.store = store
        self.root = root

    async def call(self, operation: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(partial(getattr(self._client, operation), **arguments))

    async def create(self, code: str = CODE, **changes: Any) -> Any:
        arguments = {
            "FunctionName": "f",
            "Runtime": "python3.8",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": {"ZipFile": zipped(code)},
            # What the SDK's Lambda helper always sends.
            "Timeout": 120,
            "MemorySize": 128,
            "VpcConfig": {},
            "Environment": {},
            "Layers": [],
        }
        return await self.call("create_function", **{**arguments, **changes})

    async def invoke(self, event: Any = None, **arguments: Any) -> Any:
        return await self.call("invoke", FunctionName="f", Payload=json.dumps(event), **arguments)

    async def refused(self, operation: str, **arguments: Any) -> str:
        """The error's code and message."""
        with pytest.raises(ClientError) as error:
            await self.call(operation, **arguments)
        found = error.value.response["Error"]
        return f"{found['Code']}: {found['Message']}"


@pytest.fixture
async def service(tmp_path: Path, client_for: Callable[..., Any]) -> AsyncIterator[Service]:
    store = ObjectStore(tmp_path / "s3")
    catalog = Catalog(open_database(":memory:"))
    functions = FunctionStore(catalog, tmp_path / "functions", Partition("us-east-1", "000000000000"))
    invoker = LocalInvoker(Settings(home=tmp_path), tmp_path / "functions")
    async with Endpoint(store, {"lambda": lambda_app(functions, invoker.invoke, store)}) as endpoint:
        yield Service(client_for(endpoint.url, "lambda"), store, tmp_path)
    await invoker.close()


async def test_a_created_function_can_be_invoked_at_once(service: Service) -> None:
    created = await service.create(Environment={"Variables": {"MINE": "1"}})
    answer = await service.invoke({"a": 1})

    assert created["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert (created["State"], created["LastUpdateStatus"]) == ("Active", "Successful")
    assert json.loads(answer["Payload"].read()) == {"got": {"a": 1}, "mine": "1"}
    assert "FunctionError" not in answer


async def test_creating_a_function_twice_says_what_the_sdk_looks_for(service: Service) -> None:
    await service.create()

    with pytest.raises(ClientError) as error:
        await service.create()

    assert error.value.response["Error"]["Code"] == "ResourceConflictException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


async def test_new_code_runs_from_the_next_invocation_on(service: Service) -> None:
    old = await service.create()
    await service.invoke()

    new = await service.call(
        "update_function_code",
        FunctionName=old["FunctionArn"],
        ZipFile=zipped("def handler(e, c): return 'new'"),
    )
    answer = await service.invoke()

    assert old["CodeSha256"] != new["CodeSha256"]
    assert answer["Payload"].read() == b'"new"'


async def test_code_may_lie_in_a_bucket(service: Service) -> None:
    service.store.put_bytes(S3Uri("bucket", "lambda/f/code"), zipped(CODE))

    await service.create(Code={"S3Bucket": "bucket", "S3Key": "lambda/f/code"})

    assert json.loads((await service.invoke(1))["Payload"].read())["got"] == 1


async def test_a_configuration_can_be_changed(service: Service) -> None:
    await service.create()

    await service.call(
        "update_function_configuration", FunctionName="f", Timeout=9, Environment={"Variables": {"MINE": "2"}}
    )

    found = await service.call("get_function_configuration", FunctionName="f")
    assert (found["Timeout"], found["MemorySize"], found["Handler"]) == (9, 128, "index.handler")
    assert json.loads((await service.invoke())["Payload"].read())["mine"] == "2"


async def test_functions_can_be_found_listed_and_deleted(service: Service) -> None:
    for name in ("b", "a"):
        await service.create(FunctionName=name)

    found = await service.call("get_function", FunctionName="a")
    first = await service.call("list_functions", MaxItems=1)
    second = await service.call("list_functions", Marker=first["NextMarker"])
    await service.call("delete_function", FunctionName="a")

    assert found["Configuration"]["FunctionName"] == "a"
    assert [item["FunctionName"] for page in (first, second) for item in page["Functions"]] == ["a", "b"]
    assert (await service.refused("get_function", FunctionName="a")).startswith("ResourceNotFoundException")
    assert not (service.root / "functions" / "a").exists()


async def test_an_error_of_the_function_is_marked_and_the_log_can_be_had(service: Service) -> None:
    await service.create("def handler(e, c):\n    print('before')\n    raise ValueError('no')")

    answer = await service.invoke(LogType="Tail")

    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "ValueError"
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "before\n" in log
    assert "REPORT RequestId" in log


async def test_the_log_that_is_returned_is_its_last_four_kilobytes(service: Service) -> None:
    await service.create("def handler(e, c):\n    for i in range(10000): print(i)")

    answer = await service.invoke(LogType="Tail")

    log = base64.b64decode(answer["LogResult"]).decode()
    assert len(log) == 4096
    assert "\n9999\n" in log


async def test_an_event_is_answered_before_the_function_has_run(service: Service) -> None:
    done = service.root / "done"
    await service.create("import pathlib\ndef handler(e, c): pathlib.Path(e).write_text('yes')")

    answer = await service.invoke(str(done), InvocationType="Event")

    assert answer["StatusCode"] == 202
    while not done.exists():
        await asyncio.sleep(0.01)


async def test_a_dry_run_runs_nothing(service: Service) -> None:
    await service.create("raise SystemExit")

    assert (await service.invoke(InvocationType="DryRun"))["StatusCode"] == 204


@pytest.mark.parametrize(
    ("operation", "arguments", "text"),
    [
        ("invoke", {"FunctionName": "f"}, "ResourceNotFoundException: Function not found: arn:aws:lambda:"),
        ("delete_function", {"FunctionName": "f"}, "ResourceNotFoundException"),
        ("update_function_code", {"FunctionName": "f", "ZipFile": b"x"}, "ResourceNotFoundException"),
        ("get_function_configuration", {"FunctionName": "f"}, "ResourceNotFoundException"),
        ("list_aliases", {"FunctionName": "f"}, "NotImplemented"),
    ],
)
async def test_what_cannot_be_done_has_lambdas_code(
    service: Service, operation: str, arguments: dict[str, Any], text: str
) -> None:
    assert text in await service.refused(operation, **arguments)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException: Could not unzip"),
        ({"Code": {"S3Bucket": "bucket", "S3Key": "nowhere"}}, "InvalidParameterValueException: .*NoSuchKey"),
        ({"Code": {}}, "InvalidParameterValueException: Please provide a source"),
        ({"Timeout": 901}, "ValidationException: .*Timeout.*900"),
        ({"MemorySize": 64000}, "ValidationException: .*MemorySize"),
    ],
)
async def test_a_function_that_cannot_be_is_not_created(
    service: Service, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(ClientError) as error:
        await service.create(**changes)

    found = error.value.response["Error"]
    assert re.match(text, f"{found['Code']}: {found['Message']}")
    assert (await service.call("list_functions"))["Functions"] == []


async def test_the_waiters_are_content(service: Service) -> None:
    await service.create()

    for name in ("function_active_v2", "function_updated_v2", "function_exists"):
        waiter = await service.call("get_waiter", waiter_name=name)
        await asyncio.to_thread(partial(waiter.wait, FunctionName="f"))
