"""A model behind real HTTP, served by the real chain; only its container is a task of this process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sagelocal.clock import SystemClock
from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.cloud.server import Listener
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Succeeded
from sagelocal.names import S3Uri
from sagelocal_executors.containers import ContainerSpec, Exit
from sagelocal_executors.transform.executor import TransformExecutor

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
MODEL = "model-abalone"

Answer = Callable[[bytes], bytes | Response | Awaitable[bytes | Response]]


@dataclass
class Sent:
    """One request as it reached the model."""

    body: bytes
    content_type: str | None
    accept: str | None
    chunked: bool
    instance: str


@dataclass
class Model:
    """A container runtime whose every container is an HTTP server with one answer.

    Attributes:
        answer: what a body is answered with; a bare body comes with status 200.
        parameters: of /execution-parameters; None: there is no such page.
        sent: the requests, in the order of their arrival.
        most: how many there were at once, at most, per container.
    """

    answer: Answer = lambda body: body
    parameters: Any = None
    sent: list[Sent] = field(default_factory=list)
    specs: list[ContainerSpec] = field(default_factory=list)
    most: int = 0
    running: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit:
        self.specs.append(spec)
        server = Listener(self._app(spec), "127.0.0.1", 0)
        await server.open()
        self.running += 1
        assert spec.listener is not None
        spec.listener.on_url(f"http://127.0.0.1:{server.port}")
        try:
            await self.ended.wait()
            on_line("Killed: not enough memory for this model")
            return Exit(137)
        finally:
            server.force_exit = True  # requests that hang need no time to finish
            await server.close()
            self.running -= 1

    def _app(self, spec: ContainerSpec) -> Starlette:
        now = 0

        async def ping(_: Request) -> Response:
            return Response()

        async def parameters(_: Request) -> Response:
            return Response(status_code=404) if self.parameters is None else JSONResponse(self.parameters)

        async def invocations(request: Request) -> Response:
            nonlocal now
            now += 1
            self.most = max(self.most, now)
            try:
                return await self._invoke(request, spec)
            finally:
                now -= 1

        return Starlette(
            routes=[
                Route("/ping", ping),
                Route("/execution-parameters", parameters),
                Route("/invocations", invocations, methods=["POST"]),
            ]
        )

    async def _invoke(self, request: Request, spec: ContainerSpec) -> Response:
        body, told = await request.body(), request.headers
        chunked = told.get("transfer-encoding") == "chunked"
        self.sent.append(Sent(body, told.get("content-type"), told.get("accept"), chunked, spec.name))
        answer = self.answer(body)
        if inspect.isawaitable(answer):
            answer = await answer
        return answer if isinstance(answer, Response) else Response(answer, media_type="text/csv")

    @property
    def bodies(self) -> list[bytes]:
        return [sent.body for sent in self.sent]


def refusing(status: int, text: str) -> Response:
    return Response(text, status_code=status)


@dataclass
class Hurried(SystemClock):
    """The machine's clock for whoever does not want to wait."""

    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Transforming:
    """One account with a model, and data that wait to be transformed."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.model = Model()
        self.clock = Hurried()
        entity: dict[str, Any] = {
            "ModelName": MODEL,
            "PrimaryContainer": {"Image": "image:1", "Environment": {"FROM_MODEL": "1", "BOTH": "model"}},
        }
        world.catalog.put(Entity(Kind.MODEL, MODEL, 0.0, entity))

    def executor(self, containers: Any = None, **others: Any) -> TransformExecutor:
        world = self.world
        return TransformExecutor(
            containers or self.model,
            world.objects,
            world.logs,
            world.partition,
            world.jobs,
            self.clock,
            5.0,
            catalog=world.catalog,
            **others,
        )

    def job(self, **changes: Any) -> Job:
        """A job over ``s3://bucket/in/`` as CSV, line by line; `changes` name members at any depth."""
        request: dict[str, Any] = {
            "ModelName": MODEL,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/"}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": "s3://bucket/out",
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        for name, value in changes.items():
            _change(request, name, value)
        return Job(
            EXECUTION, "Step", StepType.TRANSFORM, 1, "pipelines-abcdefghijkl-Step-0123456789", request
        )

    async def run(self, **changes: Any) -> Outcome:
        """Run a job over all data that were put."""
        return await self.executor().run(self.job(**changes))

    async def succeed(self, **changes: Any) -> dict[str, bytes]:
        """Run a job that succeeds; its outputs by their keys below S3OutputPath."""
        outcome = await self.run(**changes)
        assert isinstance(outcome, Succeeded), outcome
        return self.outputs()

    async def fail(self, **changes: Any) -> Failed:
        outcome = await self.run(**changes)
        assert isinstance(outcome, Failed), outcome
        return outcome

    def put(self, name: str, data: bytes | str) -> None:
        content = data if isinstance(data, bytes) else data.encode()
        self.world.store.put_bytes(S3Uri.parse(f"s3://bucket/in/{name}"), content)

    def outputs(self) -> dict[str, bytes]:
        return {
            key.removeprefix("out/"): self.world.get(f"s3://bucket/{key}")
            for key in self.world.keys("s3://bucket/out/")
        }

    def log(self) -> str:
        return str(self.world.log())

    def left(self) -> list[str]:
        """What a job has left of its working folder, and of its containers."""
        jobs = self.world.jobs
        found = [str(path) for path in jobs.rglob("*")] if jobs.exists() else []
        return found + ["a container"] * self.model.running


_PLACES = {
    "TransformInput": ("ContentType", "SplitType", "CompressionType", "DataSource"),
    "TransformOutput": ("Accept", "AssembleWith", "S3OutputPath"),
    "TransformResources": ("InstanceCount",),
    "DataProcessing": ("InputFilter", "JoinSource", "OutputFilter"),
    "ModelClientConfig": ("InvocationsMaxRetries", "InvocationsTimeoutInSeconds"),
}


def _change(request: dict[str, Any], name: str, value: Any) -> None:
    place = next((outer for outer, members in _PLACES.items() if name in members), None)
    target = request if place is None else request.setdefault(place, {})
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value


@pytest.fixture(name="transforming")
async def _transforming(world: Any) -> AsyncIterator[Transforming]:
    transforming = Transforming(world)
    yield transforming
    assert transforming.left() == []


@pytest.fixture(name="refusing")
def _refusing() -> Callable[[int, str], Response]:
    return refusing
