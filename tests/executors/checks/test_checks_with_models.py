"""Clarify checks that ask a model: who is served, under which name, for how long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.cloud.invocations import Invocations
from sagelocal.jobs import Failed, Outcome, Stopped, Succeeded

if TYPE_CHECKING:
    from tests.executors.checks.conftest import Analyst, Desk
    from tests.executors.conftest import Box

    from sagelocal_executors.containers import ContainerSpec

CONFIG = "/opt/ml/processing/input/config"
PREDICTOR = {"instance_type": "ml.m5.large", "initial_instance_count": 1, "content_type": "text/csv"}


@asynccontextmanager
async def http_server(asked: list[bytes], dying: asyncio.Event | None) -> AsyncIterator[str]:
    """A model's server: alive, without parameters of its own, and it answers with the length of what it is asked.

    Given `dying`, it sets that instead of an answer.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(
            (int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")), 0
        )
        body = await reader.readexactly(length)
        found = {"get /ping": (200, b""), "post /invocations": (200, str(len(body)).encode())}
        status, reply = next(
            (value for key, value in found.items() if head.startswith(key + " ")), (404, b"no")
        )
        if head.startswith("post"):
            asked.append(body)
            if dying is not None:
                dying.set()
                writer.close()
                return
        fields = f"Content-Type: text/csv\r\nContent-Length: {len(reply)}\r\nConnection: close"
        writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n\r\n".encode() + reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@dataclass
class Model:
    """What a model's container does, and what it saw."""

    asked: list[bytes] = field(default_factory=list)
    specs: list[ContainerSpec] = field(default_factory=list)
    running: bool = False
    last_words: str = ""
    dies_of_requests: bool = False

    async def __call__(self, box: Box) -> int:
        spec = box.spec
        assert spec.listener is not None
        self.specs.append(spec)
        if self.last_words:
            box.say(self.last_words)
            return 1
        self.running = True
        try:
            end = asyncio.Event()
            async with http_server(self.asked, end if self.dies_of_requests else None) as url:
                box.say("the model is up")
                spec.listener.on_url(url)
                await end.wait()
        finally:
            self.running = False
        box.say("it was too much")
        return 137


@dataclass
class Stage:
    """A Clarify check with a model, both played by functions."""

    desk: Desk
    model: Model = field(default_factory=Model)
    invocations: Invocations = field(default_factory=lambda: Invocations("000000000000"))
    answers: list[str] = field(default_factory=list)
    endpoints: list[str | None] = field(default_factory=list)

    async def program(self, box: Box) -> int:
        if box.spec.listener is not None:
            return await self.model(box)
        analyst: Analyst = self.desk.analyst
        name = box.spec.env.get("SAGELOCAL_ENDPOINT_NAME")
        self.endpoints.append(name)
        if name is not None:
            assert self.model.running
            answer = await self.ask(name)
            self.answers.append(answer.text)
            if answer.is_error:
                box.say("the endpoint refused")
                return 1
        return analyst(box)

    async def ask(self, endpoint: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.invocations.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://sagelocal") as client:
            return await client.post(f"/endpoints/{endpoint}/invocations", content=b"1,2,3")

    async def run(self, check_type: str, config: Any, **keys: Any) -> Outcome:
        world = self.desk.world
        world.put(
            "s3://bucket/config/analysis_config.json",
            config if isinstance(config, str) else json.dumps(config),
        )
        self.desk.program = self.program
        s3 = {
            "S3Uri": "s3://bucket/config/analysis_config.json",
            "LocalPath": CONFIG,
            "S3DataType": "S3Prefix",
        }
        inputs = [{"InputName": "analysis_config", "S3Input": {**s3, "S3InputMode": "File"}}]
        arguments = {"ProcessingInputs": inputs, **keys.pop("arguments", {})}
        job = self.desk.job(
            check_type, **{"SkipCheck": True, "RegisterNewBaseline": True, "arguments": arguments, **keys}
        )
        return await self.desk.executor(job.kind, self.invocations).run(job)

    def create_model(self, name: str) -> None:
        """Record a model without data, as a Model step does."""
        answer: Mapping[str, Any] = {
            "ModelName": name,
            "ModelArn": self.desk.world.partition.arn(f"model/{name}"),
            "PrimaryContainer": {"Image": "model:1", "Environment": {"DEPTH": "3"}},
        }
        self.desk.world.catalog.put(Entity(Kind.MODEL, name, 1.0, answer))


@pytest.fixture(name="stage")
def _stage(desk: Desk) -> Stage:
    stage = Stage(desk)
    stage.create_model("TheModel")
    return stage


@pytest.mark.parametrize("check_type", ["MODEL_BIAS", "MODEL_EXPLAINABILITY"])
async def test_the_job_asks_its_model_through_an_endpoint(stage: Stage, check_type: str) -> None:
    outcome = await stage.run(check_type, {"predictor": PREDICTOR}, ModelName="TheModel")

    assert isinstance(outcome, Succeeded), outcome
    assert stage.answers == ["5"]
    assert stage.model.asked == [b"1,2,3"]
    (spec,) = stage.model.specs
    assert (spec.image, spec.command, spec.env["DEPTH"]) == ("model:1", ("serve",), "3")
    assert stage.endpoints == ["sm-clarify-abcdefghijkl-Step-0123456789"]
    assert "[model container-1] the model is up" in stage.desk.world.log()


async def test_the_endpoint_is_gone_when_the_check_is_over(stage: Stage) -> None:
    await stage.run("MODEL_BIAS", {"predictor": PREDICTOR}, ModelName="TheModel")

    assert not stage.model.running
    gone = await stage.ask(str(stage.endpoints[0]))
    assert (gone.status_code, gone.headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert list(stage.desk.world.jobs.glob("*")) == []


async def test_a_configuration_may_name_the_model_itself(stage: Stage) -> None:
    config = {"predictor": {**PREDICTOR, "model_name": "TheModel"}}
    assert isinstance(await stage.run("MODEL_BIAS", config), Succeeded)
    assert stage.answers == ["5"]


@pytest.mark.parametrize(
    ("check_type", "config"),
    [("DATA_BIAS", {"predictor": PREDICTOR}), ("MODEL_BIAS", {}), ("MODEL_BIAS", {"predictor": None})],
)
async def test_nothing_is_served_when_no_predictions_are_asked(
    stage: Stage, check_type: str, config: Any
) -> None:
    assert isinstance(await stage.run(check_type, config, ModelName="TheModel"), Succeeded)
    assert (stage.endpoints, stage.model.specs) == ([None], [])


async def test_one_instance_serves_whatever_is_wanted(stage: Stage) -> None:
    config = {"predictor": {**PREDICTOR, "initial_instance_count": 3}}
    await stage.run("MODEL_BIAS", config, ModelName="TheModel")
    assert len(stage.model.specs) == 1
    assert "one instance of the model serves, not 3" in stage.desk.world.log()


async def test_the_recorded_job_does_not_know_of_the_endpoint(stage: Stage) -> None:
    await stage.run(
        "MODEL_BIAS", {"predictor": PREDICTOR}, ModelName="TheModel", arguments={"Environment": {"A": 1}}
    )
    recorded: Any = stage.desk.recorded()
    assert recorded.describe["Environment"] == {"A": "1"}


async def test_a_model_that_is_not_there_is_told_with_the_nearest(stage: Stage) -> None:
    outcome = await stage.run("MODEL_BIAS", {"predictor": PREDICTOR}, ModelName="TheModl")
    assert isinstance(outcome, Failed)
    assert 'Could not find model "TheModl" (did you mean TheModel?)' in outcome.reason
    assert stage.endpoints == []


async def test_a_model_that_does_not_come_up_fails_the_step_with_its_last_words(stage: Stage) -> None:
    stage.model.last_words = "no such file: model.bin"
    outcome = await stage.run("MODEL_BIAS", {"predictor": PREDICTOR}, ModelName="TheModel")
    assert isinstance(outcome, Failed)
    assert "no such file: model.bin" in outcome.reason
    assert (outcome.properties, stage.endpoints) == ({}, [])


async def test_a_model_that_ends_meanwhile_is_the_reason_of_the_failure(stage: Stage) -> None:
    stage.model.dies_of_requests = True
    outcome = await stage.run("MODEL_BIAS", {"predictor": PREDICTOR}, ModelName="TheModel")

    assert isinstance(outcome, Failed)
    assert "it was too much, exit code: 137" in outcome.reason
    assert outcome.error == "AlgorithmError"
    assert "CheckJobArn" in outcome.properties
    recorded: Any = stage.desk.recorded()
    assert recorded.describe["FailureReason"] == "AlgorithmError: the endpoint refused, exit code: 1"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{]", "s3://bucket/config/analysis_config.json is no JSON: Expecting property name"),
        ([], "s3://bucket/config/analysis_config.json must be a JSON object"),
        ({"predictor": PREDICTOR}, "has a predictor, but no model: set the step's ModelName"),
    ],
)
async def test_a_bad_configuration_is_told_before_anything_runs(stage: Stage, config: Any, told: str) -> None:
    outcome = await stage.run("MODEL_EXPLAINABILITY", config)
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("ClientError: The analysis configuration ")
    assert told in outcome.reason
    assert stage.endpoints == []


async def test_a_configuration_that_is_not_there_is_told(stage: Stage) -> None:
    s3 = {"S3Uri": "s3://bucket/config", "LocalPath": CONFIG, "S3DataType": "S3Prefix", "S3InputMode": "File"}

    def named(name: str, uri: str) -> dict[str, Any]:
        return {"ProcessingInputs": [{"InputName": name, "S3Input": {**s3, "S3Uri": uri}}]}

    for name in ("one.json", "two.json"):
        stage.desk.world.put(f"s3://bucket/other/{name}", "{}")
    missing = await stage.run("DATA_BIAS", {}, arguments=named("analysis_config", "s3://bucket/confg/a.json"))
    assert isinstance(missing, Failed)
    assert "input 'analysis_config'" in missing.reason
    assert 'the nearest that exists is "s3://bucket/config/"' in missing.reason

    wrong = await stage.run("DATA_BIAS", {}, arguments=named("analysis_config", "s3://bucket/other"))
    assert isinstance(wrong, Failed)
    assert "must bring a file analysis_config.json; it brings one.json, two.json" in wrong.reason

    unnamed = await stage.run("DATA_BIAS", {}, arguments=named("dataset", "s3://bucket/config"))
    assert isinstance(unnamed, Failed)
    assert (
        "needs an S3Input 'analysis_config' with its analysis_config.json; it has dataset" in unnamed.reason
    )


async def test_a_job_in_isolation_cannot_ask_its_model(stage: Stage) -> None:
    outcome = await stage.run(
        "MODEL_BIAS",
        {"predictor": PREDICTOR},
        ModelName="TheModel",
        arguments={"NetworkConfig": {"EnableNetworkIsolation": True}},
    )
    assert isinstance(outcome, Failed)
    assert (
        "MODEL_BIAS asks a model for predictions, which EnableNetworkIsolation keeps the job from"
        in outcome.reason
    )
    assert stage.model.specs == []


async def test_a_folder_may_hold_the_configuration(stage: Stage) -> None:
    s3 = {
        "S3Uri": "s3://bucket/config/",
        "LocalPath": CONFIG,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    arguments = {"ProcessingInputs": [{"InputName": "analysis_config", "S3Input": s3}]}
    assert isinstance(await stage.run("DATA_BIAS", {}, arguments=arguments), Succeeded)


async def test_a_stopped_check_stops_its_model_too(stage: Stage) -> None:
    begun = asyncio.Event()

    async def endless(box: Box) -> int:
        if box.spec.listener is not None:
            return await stage.model(box)
        begun.set()
        await asyncio.Event().wait()
        return 0

    stage.program = endless  # type: ignore[method-assign]  # the job at hand
    running = asyncio.create_task(stage.run("MODEL_BIAS", {"predictor": PREDICTOR}, ModelName="TheModel"))
    await begun.wait()
    running.cancel()

    assert isinstance(await running, Stopped)
    assert not stage.model.running
    assert list(stage.desk.world.jobs.glob("*")) == []
