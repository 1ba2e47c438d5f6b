"""The pipeline of fixtures/external: in this process to be stopped, and what both ways of running it need."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import pytest
from botocore.config import Config
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from sagelocal.api import SERVICES
from sagelocal.cloud.catalog import Catalog, Kind
from sagelocal.database import open_database
from sagelocal.engine import Engine, Stubs
from sagelocal.settings import FunctionRule, Runtime, Settings, load_settings
from sagelocal.store.views import ExecutionView, StepView
from sagelocal_executors.emr.spark import find_java

ROOT = Path(__file__).parents[3]
FIXTURE = ROOT / "fixtures" / "external"
QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/editors"
CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
ANSWER = {"sentence": "one fish two fish", "copies": "3", "density": "3.5", "approved": "true"}


@pytest.fixture(name="spark_python", scope="session")
def _spark_python() -> Path:
    """An interpreter with pyspark."""
    python = Path(os.environ.get("SAGELOCAL_SPARK_PYTHON", ROOT / ".venv-spark/bin/python"))
    missing = [] if python.exists() else [f"{python} (make .venv-spark/.ready)"]
    missing += [] if find_java() else ["a Java runtime"]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"Spark tests not run, in CI they must: {', '.join(missing)} missing", pytrace=False)
    if missing:
        pytest.skip(f"Spark tests not run: {', '.join(missing)} missing")
    return python


def client(url: str, service: str) -> Any:
    make: Any = boto3.client  # its type has one overload for each service
    return make(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}), **CREDENTIALS)


@dataclass
class Stage:
    """One execution in an engine of this process.

    Attributes:
        run: stands in the paths and the command lines of all that the execution starts.
        statuses: of the steps, as the engine tells of them.
    """

    engine: Engine
    url: str
    run: str
    arn: str = ""
    statuses: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self.engine.subscribe(self._see)
        # Lines come from any thread.

        def hear(_: str, step: str, text: str) -> None:
            loop.call_soon_threadsafe(self._hear, step, text)

        self.engine.logs.subscribe(hear)

    async def start(self, **parameters: str | int) -> None:
        pipeline = self.engine.create_pipeline(
            "external", (FIXTURE / "pipeline.json").read_text(encoding="utf-8")
        )
        self.arn = await self.engine.start(pipeline, {"Run": self.run, **parameters})

    async def status(self, step: str, status: str) -> None:
        """Wait until the step has this status."""
        await self._until(lambda: self.statuses.get(step) == status, f"{step} is {status}")

    async def line(self, step: str, text: str) -> None:
        """Wait until the step has printed this."""
        await self._until(lambda: (step, text) in self.lines, f"{step} prints {text!r}")

    async def call(self, service: str, operation: str, **request: Any) -> Any:
        """What a plain boto3 client gets from the engine's endpoint."""
        caller = client(self.url, service)
        try:
            return await asyncio.to_thread(getattr(caller, operation), **request)
        finally:
            caller.close()

    async def message(self) -> Any:
        """The next message of the queue."""
        received = await self.call("sqs", "receive_message", QueueUrl=QUEUE, WaitTimeSeconds=20)
        [message] = received["Messages"]
        await self.call("sqs", "delete_message", QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    async def answer(self, token: str, **outputs: str) -> None:
        pairs = [{"Name": name, "Value": value} for name, value in {**ANSWER, **outputs}.items()]
        await self.call(
            "sagemaker",
            "send_pipeline_execution_step_success",
            CallbackToken=token,
            OutputParameters=pairs,
        )

    async def answered(self, **outputs: str) -> None:
        """Start the execution and answer its Callback step."""
        await self.start()
        await self.answer((await self.message())["token"], **outputs)

    async def end(self) -> ExecutionView:
        return await self.engine.wait(self.arn)

    async def stopped(self) -> ExecutionView:
        self.engine.stop(self.arn)
        return await self.end()

    @property
    def alive(self) -> list[str]:
        """The processes that belong to this execution, sandboxes with all that is inside."""
        return [
            path.parent.name for path in Path("/proc").glob("[0-9]*/mountinfo") if self._ours(path.parent)
        ]

    def clusters(self) -> list[Any]:
        connection = open_database(self.engine.settings.home / "state.db")
        try:
            return [entity.describe for entity in Catalog(connection).list(Kind.EMR_CLUSTER)]
        finally:
            connection.close()

    def left_in_jobs(self) -> list[Path]:
        return list((self.engine.settings.home / "jobs").glob("*"))

    def _ours(self, process: Path) -> bool:
        try:
            return any(
                self.run.encode() in (process / name).read_bytes()
                for name in ("cmdline", "environ", "mountinfo")
            )
        except OSError:  # it has just ended
            return False

    async def _until(self, happened: Callable[[], bool], what: str) -> None:
        while not happened():
            view = self.engine.views.execution(self.arn)
            assert view.ended is None, f"{what}: never; {view}"
            self._news.clear()
            await self._news.wait()

    def _see(self, change: StepView | ExecutionView) -> None:
        if isinstance(change, StepView):
            self.statuses[change.name] = change.status
        self._news.set()

    def _hear(self, step: str, text: str) -> None:
        self.lines.append((step, text.rstrip()))
        self._news.set()


Open = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """For the state and whatever else the execution uses; its name is found nowhere else on this machine."""
    folder = tmp_path / f"run-{uuid.uuid4()}"
    folder.mkdir()
    return folder


@pytest.fixture(name="stage")
def _stage(folder: Path) -> Open:
    """Opens an engine with the fixture's own configuration; `objects` and `functions` replace what it maps."""

    @asynccontextmanager
    async def opened(
        *,
        objects: Mapping[str, Path] | None = None,
        functions: Mapping[str, FunctionRule] | None = None,
        stubs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> AsyncIterator[Stage]:
        found = load_settings(FIXTURE, {}, home=folder / "home", runtime=Runtime.PROCESS, **more)
        replaced = {
            "s3": {**found.s3, **(objects or {})},
            "functions": {**found.functions, **(functions or {})},
            "stop_grace": 20.0,
        }
        settings: Settings = found.model_copy(update=replaced)
        given = Stubs.model_validate({"steps": stubs or {}})
        async with Engine(settings, stubs=given, services=SERVICES, port=0) as engine:
            stage = Stage(engine, await engine.url(), folder.name)
            stage.listen()
            yield stage

    return opened


def counted(folder: Path) -> dict[str, int]:
    """The counts that Spark wrote."""
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.csv"))
    return {row["word"]: int(row["count"]) for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture(name="counted")
def _counted() -> Callable[[Path], dict[str, int]]:
    return counted


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Assert that this is a PipelineExecutionStepMetadata of the API."""
    model = ServiceModel(botocore.loaders.Loader().load_service_model("sagemaker", "service-2"))
    shape: Any = model.shape_for("PipelineExecutionStepMetadata")
    report = ParamValidator().validate(metadata, shape)
    assert not report.has_errors(), report.generate_report()
    # The validator lets members pass that a shape does not have.
    for member, value in metadata.items():
        assert set(value) <= set(shape.members[member].members)


@pytest.fixture(name="check_metadata")
def _check_metadata() -> Callable[[Mapping[str, Any]], None]:
    return check_metadata
