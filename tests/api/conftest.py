"""An engine that is reached by real boto3 clients."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sagelocal.api import SERVICES
from sagelocal.callbacks import Awaited
from sagelocal.engine import Engine
from sagelocal.settings import Settings

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/work"
_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}


def callback(name: str, outputs: dict[str, str] | None = None, **keys: Any) -> dict[str, Any]:
    declared = [{"OutputName": name, "OutputType": kind} for name, kind in (outputs or {}).items()]
    step = {"Name": name, "Type": "Callback", "SqsQueueUrl": QUEUE, "Arguments": {}}
    return step | {"OutputParameters": declared} | keys


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _post(url: str, target: str, body: bytes, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    sent = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/sagemaker/aws4_request",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": target,
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request("POST", "/", body, sent)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Account:
    """An engine with its endpoint open."""

    engine: Engine
    url: str
    arrived: asyncio.Queue[Awaited]

    async def start(self, *steps: dict[str, Any], name: str = "asking") -> str:
        content = {"Version": "2020-12-01", "Parameters": [], "Steps": list(steps)}
        self.engine.create_pipeline(name, json.dumps(content))
        return await self.engine.start(name)

    async def awaited(self) -> Awaited:
        """The next step that begins to wait."""
        return await self.arrived.get()

    def client(self, service: str = "sagemaker") -> Any:
        """A client that sends what it is given, however wrong it is."""
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        make: Any = boto3.client  # its type has one overload for each service
        return make(service, endpoint_url=self.url, config=config, **_CREDENTIALS)

    async def call(self, operation: str, **request: Any) -> Any:
        client = self.client()
        try:
            return await asyncio.to_thread(getattr(client, operation), **request)
        finally:
            client.close()

    async def post(self, target: str, body: bytes, **headers: str) -> Answer:
        """Send bytes as they are, signed as little as can be."""
        return await asyncio.to_thread(_post, self.url, target, body, headers)

    async def run(self, program: str) -> tuple[int, str]:
        """Run Python in a process of its own with nothing but AWS's variables; exit code and output."""
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environment, stdout=-1, stderr=-2
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()


@pytest.fixture(name="account")
async def _account(tmp_path: Path) -> AsyncIterator[Account]:
    arrived: asyncio.Queue[Awaited] = asyncio.Queue()
    async with Engine(Settings(home=tmp_path), services=SERVICES, port=0) as engine:
        engine.callbacks.subscribe(arrived.put_nowait)
        yield Account(engine, await engine.url(), arrived)


@pytest.fixture(name="account_of")
def _account_of() -> Callable[[Engine, str], Account]:
    return lambda engine, url: Account(engine, url, asyncio.Queue())


@pytest.fixture(name="callback")
def _callback() -> Callable[..., dict[str, Any]]:
    return callback
