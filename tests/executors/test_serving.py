"""Models that are served for real: their containers run, requests go through them, nothing is left."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tarfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import docker
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.invocations import SERVICE, Invocations
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job
from sagelocal.names import S3Uri
from sagelocal.settings import ImageRule, Settings
from sagelocal_executors.containers import Containers, ContainerSpec, Exit
from sagelocal_executors.containers.docker import DockerContainers
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.faults import JobError
from sagelocal_executors.hosts import Output
from sagelocal_executors.serving import InvocationError, Served, served
from sagelocal_executors.serving_chain import Server, running
from sagelocal_executors.tools import Tools

if TYPE_CHECKING:
    from tests.executors.conftest import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
IMAGE = "model:1"
SERVER = r"""
import http.server, json, os, pathlib, signal, socket, sys, threading, time

MODEL = pathlib.Path("/opt/ml/model")
PINGS = iter(json.loads(os.environ.get("PINGS", "[]")))
ALL = threading.Barrier(int(os.environ.get("TOGETHER", "1")))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/ping":
            return self.answer(next(PINGS, 200), b"")
        parameters = os.environ.get("PARAMETERS", "")
        self.answer(int(os.environ.get("PARAMETERS_STATUS", 200 if parameters else 404)), parameters.encode())

    def do_POST(self):
        body = self.body()
        if b"die" in body:
            print("ValueError: no such feature", flush=True)
            os._exit(3)
        if b"cut" in body:
            self.close_connection = True
            return
        if b"hang" in body:
            print("hanging", flush=True)
            time.sleep(600)
        ALL.wait()
        if b"refuse" in body:
            return self.answer(415, b"I take no such thing")
        files = {path.relative_to(MODEL).as_posix(): path.read_text() for path in MODEL.rglob("*") if path.is_file()}
        (MODEL / "written").write_text("by the server")
        about = {"body": body.decode(), "files": files, "env": {key: os.environ.get(key) for key in ("A", "B", "C")}}
        about["headers"] = {key.lower(): value for key, value in self.headers.items()}
        self.answer(200, json.dumps(about).encode())

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"|".join(chunks)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", os.environ.get("ANSWERS", "application/json"))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "said beside it")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def server_bind(self):
        self.server_name, self.server_port = "model", 8080
        if "SAGELOCAL_LISTEN_FD" not in os.environ:
            return self.socket.bind(self.server_address)
        self.socket.close()
        self.socket = socket.socket(fileno=int(os.environ["SAGELOCAL_LISTEN_FD"]))


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if "BROKEN" in os.environ:
    print("Traceback (most recent call last):", flush=True)
    sys.exit("ModuleNotFoundError: no xgboost")
print("serving", flush=True)
Server(("0.0.0.0", 8080), Handler).serve_forever()
"""
# Called as an interpreter with the toolkit's main.py it is the model's server, else a Python as any other.
PYTHON = """#!/bin/sh
case "$1" in */main.py) ;; *) exec "{python}" "$@";; esac
exec "{python}" -c "$(cat <<'SERVER'
{server}
SERVER
)"
"""


def archive(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@dataclass
class Account:
    """An account with models, and the runtime that serves them."""

    world: World
    containers: Containers
    image: str

    def model(self, *containers: dict[str, Any], name: str = "abalone", **members: Any) -> None:
        defined = [{"Image": self.image, **container} for container in containers]
        one = {"PrimaryContainer": defined[0]} if len(defined) == 1 else {"Containers": defined}
        self.world.catalog.put(Entity(Kind.MODEL, name, 0.0, {"ModelName": name, **one, **members}))

    def put(self, uri: str, files: Mapping[str, str]) -> str:
        self.world.store.put_bytes(S3Uri.parse(uri), archive(files))
        return uri

    @asynccontextmanager
    async def serve(
        self, model: str = "abalone", *, grace: float = 20.0, **options: Any
    ) -> AsyncIterator[Served]:
        world = self.world
        tools = Tools(
            self.containers, world.objects, world.logs, world.partition, world.jobs, world.clock, grace
        )
        with world.logs.open(EXECUTION, "Step") as log:
            async with served(tools, world.catalog, self.job, model, log, **options) as one:
                yield one

    @property
    def job(self) -> Job:
        return Job(EXECUTION, "Step", StepType.TRANSFORM, 1, "pipelines-abcdefghijkl-Step-0123456789", {})

    async def ask(self, one: Served, body: bytes = b"1,2", **options: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {"content_type": "text/csv", "accept": None, **options}
        answer: dict[str, Any] = json.loads((await one.invoke(body, **asked)).body)
        return answer

    def log(self) -> list[str]:
        lines = self.world.logs.tail(EXECUTION, "Step", 1000)
        return [line for line in lines if not line.startswith("[sagelocal]")]


@pytest.fixture(name="process_account")
async def _process_account(world: World, tmp_path: Path) -> AsyncIterator[Account]:
    python = tmp_path / "bin" / "model-python"
    python.parent.mkdir()
    python.write_text(PYTHON.format(python=sys.executable, server=SERVER))
    python.chmod(0o755)
    settings = Settings(images={IMAGE: ImageRule(python=python)})
    containers = ProcessContainers(settings, tmp_path / "scratch")
    yield Account(world, containers, IMAGE)
    await containers.close()


@pytest.fixture(name="docker_image", scope="module")
def _docker_image() -> Iterator[str]:
    """An image with a program `serve`, and nothing else of ours."""
    name, client = f"sagelocal-test-model:{uuid.uuid4().hex[:12]}", docker.from_env()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, text, mode in (
            ("Dockerfile", "FROM sagelocal-base:local\nCOPY serve /usr/local/bin/serve\n", 0o644),
            ("serve", "#!/usr/bin/env python3\n" + SERVER, 0o755),
        ):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), mode
            tar.addfile(member, io.BytesIO(text.encode()))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=name, rm=True, forcerm=True)
    yield name
    client.images.remove(name, force=True)
    client.close()


@pytest.fixture(name="docker_account")
async def _docker_account(world: World, tmp_path: Path, docker_image: str) -> AsyncIterator[Account]:
    containers = DockerContainers(Settings(), tmp_path / "scratch")
    yield Account(world, containers, docker_image)
    label = f"sagelocal.execution={EXECUTION}"
    assert await containers.leftovers(label) == []
    await containers.close()


@pytest.fixture(name="account", params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def _account(request: pytest.FixtureRequest) -> Account:
    """Each runtime in turn."""
    found: Account = request.getfixturevalue(f"{request.param}_account")
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left(world: World, tmp_path: Path) -> Iterator[None]:
    yield
    assert [path for folder in (world.jobs, tmp_path / "scratch") for path in folder.glob("*")] == []


async def test_a_model_answers_with_its_files_its_variables_and_what_it_was_asked(account: Account) -> None:
    data = account.put("s3://bucket/model.tar.gz", {"./model.txt": "weights", "code/inference.py": "pass"})
    stored = account.world.get("s3://bucket/model.tar.gz")
    environment = {"A": "model", "B": "model", "PARAMETERS": '{"MaxConcurrentTransforms": 4}'}
    account.model({"ModelDataUrl": data, "Environment": environment})

    async with account.serve(env={"B": "job", "C": "job"}) as one:
        assert one.parameters == {"MaxConcurrentTransforms": 4}
        reply = await one.invoke(
            b"1,2", content_type="text/csv", accept="text/plain", custom_attributes="trace=1"
        )
        again = await account.ask(one)

    found = json.loads(reply.body)
    assert (reply.content_type, reply.custom_attributes) == ("application/json", "said beside it")
    assert (found["body"], found["env"]) == ("1,2", {"A": "model", "B": "job", "C": "job"})
    assert found["files"] == {"model.txt": "weights", "code/inference.py": "pass"}
    asked = {key: found["headers"].get(key) for key in ("content-type", "accept", "accept-encoding")}
    assert asked == {"content-type": "text/csv", "accept": "text/plain", "accept-encoding": "identity"}
    assert found["headers"]["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    # The model is the container's own to change, the store's stays.
    assert again["files"]["written"] == "by the server"
    assert account.world.get("s3://bucket/model.tar.gz") == stored
    assert account.log() == ["serving"]


async def test_a_request_passes_the_containers_of_a_pipeline_in_their_order(account: Account) -> None:
    first = account.put("s3://bucket/1.tar.gz", {"name": "scaler"})
    last = account.put("s3://bucket/2.tar.gz", {"name": "trees"})
    account.model(
        {"ModelDataUrl": first, "Environment": {"ANSWERS": "application/x-scaled", "PARAMETERS": '{"a": 1}'}},
        {"ModelDataUrl": last, "ContainerHostname": "trees", "Environment": {"PARAMETERS": '{"b": 2}'}},
    )

    async with account.serve() as one:
        assert one.parameters == {"a": 1}
        outer = await account.ask(one, accept="application/jsonlines")

    inner = json.loads(outer["body"])
    assert (inner["body"], inner["files"], outer["files"]) == ("1,2", {"name": "scaler"}, {"name": "trees"})
    assert inner["headers"]["content-type"] == "text/csv"
    assert outer["headers"]["content-type"] == "application/x-scaled"
    # Only the last container is asked for what the caller accepts.
    assert (inner["headers"]["accept"], outer["headers"]["accept"]) == ("*/*", "application/jsonlines")
    assert {line.split("]")[0] for line in account.log()} == {"[container-1", "[trees"}


async def test_an_isolated_model_answers(account: Account) -> None:
    account.model({}, EnableNetworkIsolation=True)

    async with account.serve() as one:
        assert (await account.ask(one))["files"] == {}


async def test_a_server_that_breaks_at_its_start_fails_the_job_with_its_last_line(account: Account) -> None:
    account.model({"Environment": {"BROKEN": "1"}})

    with pytest.raises(JobError) as caught:
        async with account.serve():
            pass

    assert caught.value.error == "AlgorithmError"
    assert caught.value.reason == (
        "AlgorithmError: container-1 ended before it answered GET /ping: ModuleNotFoundError: no xgboost, exit code: 1"
    )


async def test_a_server_that_dies_fails_the_invocation_that_it_works_on_and_all_later_ones(
    account: Account,
) -> None:
    account.model({}, {})

    async with account.serve() as one:
        for body in (b"die", b"1,2"):
            with pytest.raises(JobError, match="ValueError: no such feature, exit code: 3") as caught:
                await account.ask(one, body)
            assert caught.value.error == "AlgorithmError"


async def test_a_model_that_refuses_says_so_itself(process_account: Account) -> None:
    process_account.model({})

    async with process_account.serve() as one:
        with pytest.raises(
            InvocationError, match="container-1 answered with status 415: I take no such"
        ) as e:
            await process_account.ask(one, b"refuse")
        assert (e.value.status, e.value.text) == (415, "I take no such thing")
        assert (await process_account.ask(one))["body"] == "1,2"


async def test_a_server_that_cuts_the_connection_but_lives_fails_the_invocation_alone(
    process_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sagelocal_executors.serving_chain._LAST_MOMENT", 0.1)
    process_account.model({})

    async with process_account.serve() as one:
        with pytest.raises(InvocationError, match="container-1 cut the connection") as caught:
            await process_account.ask(one, b"cut")
        assert caught.value.status == 0
        assert (await process_account.ask(one))["body"] == "1,2"


async def test_an_answer_that_does_not_come_in_time_fails_the_invocation_alone(
    process_account: Account,
) -> None:
    process_account.model({})

    async with process_account.serve(grace=0) as one:
        with pytest.raises(InvocationError, match=r"container-1 did not answer within 0\.2 s") as caught:
            await process_account.ask(one, b"hang", timeout=0.2)
        assert caught.value.status == 0
        assert (await process_account.ask(one))["body"] == "1,2"


async def test_requests_are_worked_on_side_by_side(process_account: Account) -> None:
    """Each waits in the server for all the others, so one after another would never end."""
    process_account.model({"Environment": {"TOGETHER": "20"}})

    async with process_account.serve() as one:
        answers = await asyncio.gather(
            *(process_account.ask(one, str(number).encode()) for number in range(20))
        )

    assert [answer["body"] for answer in answers] == [str(number) for number in range(20)]


async def test_a_body_may_come_in_pieces(process_account: Account) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"1,2\n"
        yield b"3,4\n"

    process_account.model({})

    async with process_account.serve() as one:
        reply = await one.invoke(pieces(), content_type="text/csv", accept=None)

    assert json.loads(reply.body)["body"] == "1,2\n|3,4\n"


async def test_a_server_is_ready_when_its_ping_is_good(process_account: Account) -> None:
    process_account.model({"Environment": {"PINGS": "[503, 404, 200]"}})

    async with process_account.serve() as one:
        assert (await process_account.ask(one))["body"] == "1,2"


async def test_a_server_that_is_never_ready_fails_the_job_and_says_what_it_answered(
    process_account: Account,
) -> None:
    process_account.model({"Environment": {"PINGS": json.dumps([503] * 1000)}})

    with pytest.raises(JobError, match=r"GET /ping on port 8080 .* within 3 s .* there was status 503") as e:
        async with process_account.serve(startup=3):
            pass

    assert e.value.error == "AlgorithmError"


@pytest.mark.parametrize(
    ("parameters", "status"), [("", "404"), ("no JSON", "200"), ("[1]", "200"), ('{"a": 1}', "500")]
)
async def test_execution_parameters_are_optional(
    process_account: Account, parameters: str, status: str
) -> None:
    environment = {"PARAMETERS": parameters, "PARAMETERS_STATUS": status}
    process_account.model({"Environment": environment})

    async with process_account.serve() as one:
        assert one.parameters == {}


async def test_instances_of_one_job_serve_side_by_side(process_account: Account) -> None:
    process_account.model({"ModelDataUrl": process_account.put("s3://bucket/m.tar.gz", {"m": "1"})})

    async with (
        process_account.serve(instance="algo-1", alone=False) as one,
        process_account.serve(instance="algo-2", alone=False) as two,
    ):
        await process_account.ask(one)
        assert (await process_account.ask(two))["files"] == {"m": "1"}

    marks = {line.partition("] ")[0] for line in process_account.log()}
    assert marks == {"[algo-1 container-1", "[algo-2 container-1"}


async def test_plain_files_are_the_model_and_stay_as_they_are(process_account: Account) -> None:
    world = process_account.world
    for name in ("config.json", "weights/part1"):
        world.put(f"s3://bucket/plain/{name}", name)
    source = {"S3Uri": "s3://bucket/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    process_account.model({"ModelDataSource": {"S3DataSource": source}})

    async with process_account.serve() as one:
        found = await process_account.ask(one)

    assert found["files"] == {"config.json": "config.json", "weights/part1": "weights/part1"}
    assert world.keys("s3://bucket/plain/") == ["plain/config.json", "plain/weights/part1"]


async def test_one_plain_file_keeps_its_name(process_account: Account) -> None:
    process_account.world.put("s3://bucket/some/weights.bin", "w")
    source = {"S3Uri": "s3://bucket/some/weights.bin", "S3DataType": "S3Object", "CompressionType": "None"}
    process_account.model({"ModelDataSource": {"S3DataSource": source}})

    async with process_account.serve() as one:
        assert (await process_account.ask(one))["files"] == {"weights.bin": "w"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/modle.tar.gz", 'no S3 objects found under "s3://bucket/modle.tar.gz"'),
        ("s3://bucket/model", "it is no object but the beginning of others"),
        ("https://bucket/model.tar.gz", "is not an S3 URI"),
        ("s3://bucket/text", 'Failed to extract model data archive for container "container-1" from URL'),
    ],
)
async def test_model_data_that_cannot_be_used_fails_the_job(
    process_account: Account, url: str, expected: str
) -> None:
    process_account.put("s3://bucket/model.tar.gz", {})
    process_account.world.put("s3://bucket/text", "x")
    process_account.model({"ModelDataUrl": url})

    with pytest.raises(JobError, match=expected) as caught:
        async with process_account.serve():
            pass

    assert caught.value.error == "ClientError"


@pytest.mark.docker
async def test_an_image_that_is_missing_fails_the_job(docker_account: Account) -> None:
    docker_account.model({"Image": "no-such-image:1"})

    with pytest.raises(JobError, match="ClientError: The image no-such-image:1 is not on this machine"):
        async with docker_account.serve():
            pass


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _says(account: Account, text: str) -> None:
    while not any(text in line for line in account.log()):
        await asyncio.sleep(0.02)


async def test_cancelled_while_it_starts_it_leaves_nothing(account: Account) -> None:
    account.model({"Environment": {"PINGS": json.dumps([503] * 1000)}}, {})

    async def serve() -> None:
        async with account.serve():
            raise AssertionError

    task = asyncio.create_task(serve())
    await _says(account, "serving")

    await _cancelled(task)


async def test_cancelled_while_it_answers_it_leaves_nothing(account: Account) -> None:
    account.model({})

    async def serve() -> None:
        async with account.serve() as one:
            await asyncio.gather(*(account.ask(one, b"hang") for _ in range(3)))

    task = asyncio.create_task(serve())
    await _says(account, "hanging")

    await _cancelled(task)


async def test_a_second_cancellation_ends_the_grace_of_a_server_that_does_not_stop() -> None:
    """Through a runtime that shows what reaches it."""
    reached: list[str] = []

    class Stubborn:
        async def run(self, _spec: ContainerSpec, _on_line: Callable[[str], None]) -> Exit:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                reached.append("SIGTERM")
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    reached.append("SIGKILL")
                    raise
            return Exit(0)

    async def serve() -> None:
        log: Any = None
        async with running(Stubborn(), {Server("s"): ContainerSpec("n", "i")}, Output(log), alone=True):
            await asyncio.sleep(600)

    task = asyncio.create_task(serve())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    while "SIGTERM" not in reached:
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == ["SIGTERM", "SIGKILL"]


SCRIPT = """
import json, os
def model_fn(folder):
    return int(open(os.path.join(folder, "factor")).read())
def input_fn(body, content_type):
    return [int(number) for number in body.split(",")]
def predict_fn(numbers, factor):
    return [number * factor for number in numbers]
def output_fn(numbers, accept):
    return json.dumps(numbers), "application/json"
"""


@pytest.mark.parametrize("isolated", [False, True])
async def test_the_toolkit_serves_the_script_in_the_models_archive(
    world: World, tmp_path: Path, isolated: bool
) -> None:
    containers = ProcessContainers(Settings(python=Path(sys.executable)), tmp_path / "scratch")
    account = Account(world, containers, "company/serving:1")
    data = account.put("s3://bucket/model.tar.gz", {"factor": "3", "code/inference.py": SCRIPT})
    program = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    account.model({"ModelDataUrl": data, "Environment": program}, EnableNetworkIsolation=isolated)

    async with account.serve() as one:
        reply = await one.invoke(b"1,2,5", content_type="text/csv", accept="application/json")
        with pytest.raises(InvocationError, match="status 500"):
            await one.invoke(b"x", content_type="text/csv", accept="application/json")

    assert (json.loads(reply.body), reply.content_type) == ([3, 6, 15], "application/json")
    await containers.close()


async def test_a_program_asks_the_model_as_an_endpoint_of_sagemaker(process_account: Account) -> None:
    account, invocations = process_account, Invocations("000000000000")
    account.model({})

    async with Endpoint(account.world.store, {SERVICE: invocations.app()}) as endpoint:
        runtime = _runtime(endpoint.url)

        async def ask(body: bytes) -> Any:
            request = {"EndpointName": "shadow", "Body": body, "ContentType": "text/csv"}
            return await asyncio.to_thread(runtime.invoke_endpoint, **request)

        async def use() -> None:
            async with account.serve() as one:
                with invocations.open("shadow", one.invoke):
                    assert json.loads((await ask(b"1,2"))["Body"].read())["body"] == "1,2"
                    with pytest.raises(ClientError, match=r"415.*container-1.*I take no such thing"):
                        await ask(b"refuse")
                    with pytest.raises(ClientError, match="no such feature"):
                        await ask(b"die")

        with pytest.raises(JobError, match="no such feature"):
            await use()
        runtime.close()


def _runtime(url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1})
    make: Any = boto3.client  # its type has one overload for each service
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    return make("sagemaker-runtime", endpoint_url=url, config=config, **keys)
