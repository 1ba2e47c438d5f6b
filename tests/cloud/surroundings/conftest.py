"""An account with its surroundings, reached by real boto3 clients, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.cloud.account.ecr_images import LocalImage
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.surroundings import Around, Surroundings
from sagelocal.database import open_database
from sagelocal.logs import StepLogs
from sagelocal.names import Partition
from sagelocal.shapes import faults, response_shape

PARTITION = Partition("eu-west-1", "123456789012")
EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a Thursday
PIPELINE = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/nightly"
ROLE = "arn:aws:iam::123456789012:role/any"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:seen"


class TurnedClock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self._now = EPOCH
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let that time pass, and everybody act who was waiting for it."""
        await _quiet()
        until = self._now + seconds
        while due := [each for each in self._sleepers if each[0] <= until and not each[1].done()]:
            moment, woken = min(due, key=lambda each: each[0])
            self._now = max(self._now, moment)
            woken.set_result(None)
            await _quiet()
        self._now = until

    def fall_asleep(self, seconds: float) -> None:
        """Let that time pass without waking anybody, as a machine does that is closed."""
        self._now += seconds


async def _quiet() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class World:
    """The surroundings with what they have started, invoked and said."""

    def __init__(self, root: Path, client_for: Callable[..., Any]) -> None:
        self.root = root
        self.clock = TurnedClock()
        self.database = open_database(":memory:")
        self.catalog = Catalog(self.database)
        self.queues = Queues(self.database, self.clock, PARTITION)
        self.logs = StepLogs(root / "logs", self.clock)
        self.images: list[LocalImage] = []
        self.started: list[tuple[str, dict[str, str]]] = []
        self.invoked: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.url = ""
        self.around = self.surroundings()
        self._client_for = client_for
        self._clients: dict[str, Any] = {}

    def surroundings(self) -> Surroundings:
        around = Around(
            self.catalog,
            PARTITION,
            self.clock,
            self.root / "logs",
            self._start,
            self._invoke,
            self.queues,
            self._images,
            self.told.append,
        )
        return Surroundings(around)

    async def _start(self, pipeline: str, parameters: Mapping[str, str]) -> None:
        self.started.append((pipeline, dict(parameters)))

    async def _invoke(self, function: str, payload: bytes) -> None:
        self.invoked.append((function, payload.decode()))

    async def _images(self) -> list[LocalImage]:
        return self.images

    def client(self, service: str) -> Any:
        if service not in self._clients:
            client = self._client_for(self.url, service, parameter_validation=False)
            if service in _JSON:
                client.meta.events.register(
                    f"after-call.{client.meta.service_model.service_id.hyphenize()}", _fits
                )
            self._clients[service] = client
        return self._clients[service]

    async def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """What boto3 makes of the answer, once it has been held against the operation's model."""
        answer = await asyncio.to_thread(partial(getattr(self.client(service), operation), **arguments))
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    async def refused(self, service: str, operation: str, **arguments: Any) -> str:
        """The error's code and message."""
        with pytest.raises(ClientError) as error:
            await self.call(service, operation, **arguments)
        found = error.value.response["Error"]
        return f"{found['Code']}: {found['Message']}"

    async def pages(self, service: str, operation: str, member: str, **arguments: Any) -> list[Any]:
        """What the paginator finds, with pages of two."""
        size = arguments.pop("PageSize", 2)
        paginator = self.client(service).get_paginator(operation)
        found = paginator.paginate(**arguments, PaginationConfig={"PageSize": size})
        pages = await asyncio.to_thread(list, found)
        return [item for page in pages for item in page[member]]

    async def received(self, queue: str = "seen") -> list[str]:
        """The bodies of the messages of a queue, in their order."""
        bodies: list[str] = []
        while messages := await self.queues.receive(queue, 10, wait=0):
            for message in messages:
                bodies.append(message.body)
                self.queues.delete(queue, message.receipt)
        return bodies


_JSON = ("ecr", "events", "logs", "scheduler")


def _fits(http_response: Any, model: Any, **_: Any) -> None:
    """Hold an answer, as it was written, against the shape of its operation: boto3 is more lenient."""
    if http_response.status_code == 200:
        content, service = json.loads(http_response.content), model.service_model.service_name
        found = faults(response_shape(model.name, service), content) if model.output_shape else ()
        # Models say of some lists how long they are in requests; AWS, too, answers with empty ones.
        assert [fault for fault in found if " of length 0 " not in fault.message] == []


SDK = Path(os.environ.get("SAGELOCAL_SDK_PYTHON", Path(__file__).parents[3] / ".venv-sdk/bin/python"))

Sdk = Callable[[str, str], Awaitable[str]]
"""Runs a program with the SageMaker SDK against an endpoint, by its URL; returns what it has printed."""


@pytest.fixture(name="sdk")
def _sdk(tmp_path: Path) -> Sdk:
    if not SDK.exists():
        text = f"{SDK} is missing: make setup_all makes it, or SAGELOCAL_SDK_PYTHON names one"
        pytest.fail(text, pytrace=False)

    async def run(url: str, program: str) -> str:
        environment = {
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        process = await asyncio.create_subprocess_exec(
            str(SDK), "-W", "ignore", "-c", program, env=environment, stdout=-1, stderr=-1
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode()

    return run


@pytest.fixture(name="world")
async def _world(tmp_path: Path, client_for: Callable[..., Any]) -> AsyncIterator[World]:
    world = World(tmp_path, client_for)
    async with world.around:
        apps = {name: app() for name, app in world.around.apps().items()}
        async with Endpoint(ObjectStore(tmp_path / "s3"), apps) as endpoint:
            world.url = endpoint.url
            yield world
            world.queues.close()
    world.database.close()
