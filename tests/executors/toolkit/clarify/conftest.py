"""A Clarify job run against a real endpoint, with a model that is a function."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sagelocal_executors
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.names import S3Uri

TOOLKIT = Path(sagelocal_executors.__file__).parent / "toolkit"
sys.path.append(str(TOOLKIT))  # the package's modules import one another by bare names

import clarify  # noqa: E402 - found by the line above
from ml_contract import JobError  # noqa: E402 - likewise


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    body: str
    content_type: str = "text/csv"
    status: int = 200


Play = Callable[[Request], Reply]


@dataclass
class Ended:
    """What a job left."""

    code: int
    output: str
    root: Path

    def text(self, path: str) -> str:
        return (self.root / "processing/output" / path).read_text()

    def json(self, path: str = "analysis.json") -> Any:
        return json.loads(self.text(path))

    def rows(self, path: str) -> list[list[str]]:
        return [line.split(",") for line in self.text(path).splitlines()]

    @property
    def message(self) -> str:
        return (self.root / "output/message").read_text()

    def metrics(self, section: str, facet: str, group: int = 0) -> dict[str, float | None]:
        found = self.json()[f"{section}_bias_metrics"]["facets"][facet][group]["metrics"]
        return {metric["name"]: metric["value"] for metric in found}


@dataclass
class ClarifyJob:
    """One job's files, and the services beside it."""

    root: Path
    store: ObjectStore
    asked: list[Request] = field(default_factory=list)

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def data(self, content: str | bytes, name: str = "data.csv") -> None:
        self.write(f"processing/input/data/{name}", content)

    def put(self, uri: str, content: str) -> None:
        self.store.put_bytes(S3Uri.parse(uri), content.encode())

    async def run(
        self, config: Mapping[str, Any] | None = None, model: Play | None = None, **environment: str
    ) -> Ended:
        """The job inside this process, which spares a second of imports."""
        async with self._services(config, model) as url:
            return await asyncio.to_thread(self._play, {**self._variables(url), **environment})

    def _play(self, environment: Mapping[str, str]) -> Ended:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as output:
            for name, value in environment.items():
                patch.setenv(name, value)
            # Read from the environment once, when the module is imported.
            patch.setattr("clarify.places.ROOT", self.root)
            patch.setattr("clarify.job.OUTPUT", self.root / "output")
            try:
                code = clarify.main()
            except JobError as error:
                print(error)
                code = error.code
        return Ended(code, output.getvalue(), self.root)

    async def run_image(
        self, config: Mapping[str, Any] | None = None, model: Play | None = None, **environment: str
    ) -> Ended:
        """The job as a runtime starts it: a process of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        async with self._services(config, model) as url:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(TOOLKIT / "main.py"),
                "clarify",
                "process",
                env={**kept, **self._variables(url), **environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, output.decode(), self.root)

    @contextlib.asynccontextmanager
    async def _services(self, config: Mapping[str, Any] | None, model: Play | None) -> AsyncIterator[str]:
        if config is not None:
            self.write("processing/input/config/analysis_config.json", json.dumps(config))
        async with Endpoint(self.store, {"sagemaker": self._service(model)}) as endpoint:
            yield endpoint.url

    def _variables(self, url: str) -> dict[str, str]:
        return {
            "SAGELOCAL_ML_ROOT": str(self.root),
            "SAGELOCAL_ENDPOINT_NAME": "shadow",
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "none",
        }

    def _service(self, model: Play | None) -> Callable[..., Awaitable[None]]:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            body, more = b"", True
            while more:
                event = await receive()
                body, more = body + event["body"], event.get("more_body", False)
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            request = Request(scope["path"], headers, body)
            self.asked.append(request)
            assert model is not None, "nobody expects the model to be asked"
            reply = model(request)
            kind = [(b"content-type", reply.content_type.encode())]
            await send({"type": "http.response.start", "status": reply.status, "headers": kind})
            await send({"type": "http.response.body", "body": reply.body.encode()})

        return answer


@pytest.fixture(name="clarify_job")
def _clarify_job(tmp_path: Path) -> ClarifyJob:
    return ClarifyJob(tmp_path / "ml", ObjectStore(tmp_path / "s3"))


def _csv_model(predict: Callable[[Any], Any]) -> Play:
    """A model of numbers: a matrix in, a vector or a matrix out, both as CSV."""

    def play(request: Request) -> Reply:
        rows = [[float(cell) for cell in line.split(",")] for line in request.body.decode().splitlines()]
        found = np.atleast_2d(np.array(predict(np.array(rows))).T).T
        return Reply("\n".join(",".join(repr(float(value)) for value in row) for row in found))

    return play


@pytest.fixture(name="csv_model", scope="session")
def _csv_model_fixture() -> Callable[[Callable[[Any], Any]], Play]:
    return _csv_model


@pytest.fixture(name="replying", scope="session")
def _replying() -> Callable[[Callable[[Request], Any]], Play]:
    """A model that answers whatever a function makes of the request: a text, or a status with a text."""

    def made(answer: Callable[[Request], Any]) -> Play:
        def play(request: Request) -> Reply:
            found = answer(request)
            if isinstance(found, tuple):
                return Reply(found[1], "application/json", found[0])
            return Reply(found, request.headers["accept"])

        return play

    return made
