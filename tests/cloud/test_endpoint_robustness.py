"""The endpoint against clients that are many, slow, broken or hostile, over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sagelocal.api import SERVICES
from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.last_resort import guarded
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.engine import Engine
from sagelocal.settings import Settings

MIB = 1 << 20
CLIENTS = 500
STEPS = 2000
SERVED = ["sagemaker", "s3", "sqs", "lambda", "sts", "iam", "ecr", "logs", "events", "scheduler"]
EVERY = [*SERVED, "runtime.sagemaker", "dynamodb", "..", "%0a"]
JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded"
ROLE = "arn:aws:iam::000000000000:role/pipelines"
STREAMED = "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"
LINKED = {"sec-fetch-site": "cross-site"}


@dataclass(frozen=True)
class Told:
    """What came back until the server closed the connection."""

    status: int
    text: str


@dataclass(frozen=True)
class House:
    """An engine's endpoint, reached byte by byte."""

    port: int

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, data: bytes, *, hang_up: bool = False) -> Told:
        """Send bytes as they are; with `hang_up` nothing more can follow them."""
        reader, writer = await self.open()
        try:
            writer.write(data)
            if hang_up:
                writer.write_eof()
            received = await _all(reader)
        finally:
            writer.close()
        words = received.split(b" ", 2)
        return Told(int(words[1]) if len(words) > 1 else 0, received.decode("latin-1"))

    async def ask(
        self, method: str, path: str, body: bytes = b"", service: str = "s3", **headers: str
    ) -> Told:
        return await self.send(request(method, path, body, service, **headers))


async def _all(reader: asyncio.StreamReader) -> bytes:
    received = b""
    try:
        while data := await reader.read(1 << 16):
            received += data
    except ConnectionError:  # it was cut off with bytes of ours unread
        pass
    return received


def request(method: str, path: str, body: bytes = b"", service: str = "s3", **headers: str) -> bytes:
    """A request after which the connection ends; names of headers with underscores for hyphens."""
    sent = {
        "host": "localhost",
        "connection": "close",
        "content-length": str(len(body)),
        "authorization": f"AWS4-HMAC-SHA256 Credential=id/20000101/us-east-1/{service}/aws4_request",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def sagemaker(operation: str, **members: object) -> bytes:
    target = f"SageMaker.{operation}"
    return request(
        "POST", "/", json.dumps(members).encode(), "sagemaker", x_amz_target=target, content_type=JSON
    )


async def swept(home: Path) -> None:
    async with asyncio.timeout(30):  # the server learns a moment later that a client went
        while list(home.rglob("spool/*")):
            await asyncio.sleep(0.01)


def large_definition() -> str:
    """As many steps as asked for and exactly the characters that a definition may have."""
    step = {"Type": "Model", "Arguments": {}, "Description": "x" * 400}
    steps = [{"Name": f"s{n}", **step} for n in range(STEPS)]
    text = json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps})
    return text + " " * (MIB - len(text))


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(name="house")
async def _house(home: Path) -> AsyncIterator[House]:
    async with Engine(Settings(home=home), services=SERVICES, port=0) as engine:
        url = await engine.url()
        yield House(int(url.rpartition(":")[2]))


async def test_clients_that_never_finish_do_not_keep_others_waiting(house: House) -> None:
    beginnings = [
        b"GET /bucket/k HT",
        b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nab",
    ]
    slow = [await house.open() for _ in range(50)]
    for number, (_, writer) in enumerate(slow):
        writer.write(beginnings[number % 2])
    assert (await house.ask("PUT", "/bucket/a", b"data")).status == 200
    assert (await house.send(sagemaker("ListPipelines"))).status == 200
    for reader, writer in slow:
        assert not reader.at_eof()
        writer.close()


async def test_a_body_that_comes_byte_by_byte_is_taken(house: House) -> None:
    reader, writer = await house.open()
    for byte in request("PUT", "/bucket/slow", b"slow body"):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert (await _all(reader)).startswith(b"HTTP/1.1 200")
    writer.close()
    assert (await house.ask("GET", "/bucket/slow")).text.endswith("slow body")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: elsewhere.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * (1 << 17) + b"\r\n\r\n",
        b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: many\r\n\r\n",
        b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n",
        b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n",
    ],
)
async def test_what_is_not_http_is_refused(house: House, home: Path, data: bytes) -> None:
    told = await house.send(data)
    assert told.status in {400, 501} or not told.text
    assert "Traceback" not in told.text
    assert not list(home.rglob("bucket"))
    assert (await house.ask("PUT", "/other/k", b"x")).status == 200


@pytest.mark.parametrize("service", [*EVERY, "none"])
async def test_a_client_that_goes_in_the_middle_of_its_body_leaves_nothing(
    house: House, home: Path, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = request("PUT" if service == "s3" else "POST", "/bucket/k", b"x" * 100, service)
    reader, writer = await house.open()
    writer.write(whole[:-50])
    await writer.drain()
    writer.close()
    await house.send(whole[:-50], hang_up=True)
    assert (await house.ask("GET", "/bucket/k")).status == 404
    assert reader.at_eof() or not await _all(reader)
    await swept(home)
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_large_upload_that_breaks_off_leaves_nothing(house: House, home: Path) -> None:
    whole = request("PUT", "/bucket/k", b"x" * (8 * MIB))
    for sent in (MIB // 2, 5 * MIB):
        await house.send(whole[:sent], hang_up=True)
    assert (await house.ask("GET", "/bucket/k")).status == 404
    await swept(home)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"-1\r\nx", "InvalidRequest"),
        (b"zz\r\nx", "InvalidRequest"),
        (b"ff\r\nx", "IncompleteBody"),
        (b"1\r\nxx\r\n0\r\n\r\n", "InvalidRequest"),
        (b"1" * 20_000, "InvalidRequest"),
        (b"0\r\n" + b"x" * (4 * MIB), "InvalidRequest"),
        (b"0\r\nx-amz-checksum-crc32:AAAAAB==\r\n\r\n", "BadDigest"),
    ],
)
async def test_nonsense_in_aws_chunks_is_told(house: House, body: bytes, code: str) -> None:
    told = await house.ask("PUT", "/bucket/k", body, x_amz_content_sha256=STREAMED.partition(" ")[2],
                           x_amz_trailer="x-amz-checksum-crc32")  # fmt: skip
    assert (told.status, code in told.text) == (400, True), told.text
    assert (await house.ask("GET", "/bucket/k")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/bucket/k?response-content-type=a%0d%0ax-evil:%201", {}, 400),
        ("GET", "/bucket/k?response-content-disposition=%E2%82%AC", {}, 200),
        ("GET", "/bucket?max-keys=" + "9" * 5000, {}, 200),
        ("GET", "/bucket?max-keys=%D9%A1", {}, 400),
        ("GET", "/bucket?list-type=2&continuation-token=%ff%fe", {}, 400),
        ("GET", "/bucket/k?partNumber=" + "9" * 5000, {}, 416),
        ("GET", "/bucket/k", {"range": "bytes=0-" + "9" * 5000}, 206),
        ("GET", "/bucket/k", {"range": "bytes=" + "9" * 5000 + "-"}, 416),
        ("GET", "/bucket/k", {"range": "apples=1-2"}, 200),
        ("GET", "/bucket/k", {"if-modified-since": "Thu, 01 Jan 9999999999 00:00:00 GMT"}, 200),
        ("GET", "/bucket/k", {"if-unmodified-since": "Thu, 01 Jan 2020 00:00:00 +99999999999999"}, 200),
        ("GET", "/bucket/k", {"if-unmodified-since": "yesterday"}, 200),
        ("PUT", "/bucket/k", {"content-md5": "\xff\xff"}, 400),
        ("PUT", "/bucket/k", {"x-amz-copy-source": "bucket"}, 400),
        ("PUT", "/bucket/k", {"x-amz-copy-source": "../../etc/passwd"}, 400),
        ("PUT", "/bucket/k", {"x-amz-copy-source": "bucket/%ff%00"}, 404),
        ("POST", "/bucket?delete", {}, 400),
        ("POST", "/bucket/k?uploadId=../../..", {}, 404),
        ("PATCH", "/bucket/k", {}, 405),
        ("OPTIONS", "*", {}, 405),
    ],
)
async def test_odd_requests_to_s3_get_s3s_answer(
    house: House, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    await house.ask("PUT", "/bucket/k", b"0123456789")
    told = await house.ask(method, path, b"", "s3", **headers)
    assert told.status == status, told.text
    assert "x-evil" not in told.text.partition("\r\n\r\n")[0]


async def test_a_number_of_a_part_that_is_none_is_told(house: House) -> None:
    begun = (await house.ask("POST", "/bucket/k?uploads")).text
    identity = begun.partition("<UploadId>")[2].partition("<")[0]
    for number in (b"x", b"", b"9" * 5000):
        body = b"<C><Part><PartNumber>%b</PartNumber><ETag>x</ETag></Part></C>" % number
        told = await house.ask("POST", f"/bucket/k?uploadId={identity}", body)
        assert told.status == 400
        assert "InternalError" not in told.text


@pytest.mark.parametrize("bucket", ["..", ".", "%2e%2e", ".sagelocal-s3", "..%2f..", "a..b", "%00", "-"])
async def test_no_bucket_leaves_the_store(house: House, home: Path, bucket: str) -> None:
    before = {path for path in home.parent.rglob("*") if path.is_file()}
    for method in ("PUT", "DELETE", "GET", "HEAD"):
        for key in ("", "/", "/k", "/../../k", "/%2e%2e/k"):
            told = await house.ask(method, f"/{bucket}{key}", b"stolen" if key and method == "PUT" else b"")
            assert told.status in {400, 404}, told.text
    told = await house.ask("PUT", "/k", b"stolen", host=f"{bucket}.localhost")
    assert told.status in {400, 403}
    assert {
        path for path in home.parent.rglob("*") if path.is_file() and b"stolen" in path.read_bytes()
    } <= before


@pytest.mark.parametrize(
    "key", ["../../../k", "%2e%2e/%2e%2e/k", "..%2f..%2fk", "a/../../../k", "/etc/k", "%00"]
)
async def test_no_key_leaves_its_bucket(house: House, home: Path, key: str) -> None:
    assert (await house.ask("PUT", f"/bucket/{key}", b"kept")).status == 200
    [path] = [path for path in home.parent.rglob("*") if path.is_file() and path.read_bytes() == b"kept"]
    assert "bucket" in path.relative_to(home).parts
    assert (await house.ask("GET", f"/bucket/{key}")).text.endswith("kept")


@pytest.mark.parametrize("service", EVERY)
async def test_garbage_gets_a_refusal_from_every_service(house: House, service: str) -> None:
    path = "/2015-03-31/functions" if service == "lambda" else "/"
    targets = ["", ".", "X.Y", "SageMaker.CreatePipeline", "AmazonSQS.CreateQueue", "AWSEvents.PutEvents"]
    half = b'{"QueueName": "\\ud800", "FunctionName": "\\ud800"}'
    bodies = [b"", b"\xff\x00garbage", b"{}", b"[1]", b'{"a": ' * 5000, half, b"Action=&Version=%ff"]
    for media_type in (JSON, FORM, "text/html; charset=nonsense", "\xff"):
        told = await asyncio.gather(
            *(
                house.ask(method, path, body, service, x_amz_target=target, content_type=media_type)
                for method in ("POST", "PUT")
                for target in targets
                for body in bodies
            )
        )
        assert {each.status for each in told} <= {200, 400, 403, 404, 405, 411, 413, 415, 501}
        assert not [each.text for each in told if "Traceback" in each.text or 'File "' in each.text]


@pytest.mark.parametrize("service", SERVED)
async def test_a_body_beyond_every_limit_is_broken_off(house: House, service: str) -> None:
    path = {"s3": "/bucket?delete", "lambda": "/2015-03-31/functions/f/invocations"}.get(service, "/")
    target = "SageMaker.ListPipelines" if service == "sagemaker" else ""
    told = await house.ask("POST", path, b" " * (17 * MIB), service, x_amz_target=target, content_type=JSON)
    assert told.status in {0, 400, 404, 405, 413}, told.text
    assert (await house.send(sagemaker("ListPipelines"))).status == 200


@pytest.mark.parametrize("service", EVERY)
async def test_web_pages_from_elsewhere_reach_no_service(house: House, service: str) -> None:
    strange: list[dict[str, str]] = [
        {"host": "attacker.example"},
        {"host": "127.0.0.1.attacker.example"},
        {"origin": "https://attacker.example"},
        {"origin": "http://localhost.attacker.example"},
        {"origin": "null"},
        LINKED,
    ]
    for headers in strange:
        for method in ("GET", "POST", "OPTIONS"):
            if (service, method, headers) == ("s3", "GET", LINKED):
                continue
            told = await house.ask(method, "/", b"", service, **headers)
            assert (told.status, "AccessDenied" in told.text) == (403, True), (headers, told.text)
            assert "access-control" not in told.text.lower()
    told = await house.ask("GET", "/", b"", service, origin="http://localhost:3000")
    assert told.status != 403
    assert "access-control" not in told.text.lower()


async def test_a_link_on_a_web_page_opens_an_object_and_changes_nothing(house: House) -> None:
    await house.ask("PUT", "/bucket/k", b"data")
    assert (await house.ask("GET", "/bucket/k", b"", "s3", **LINKED)).text.endswith("data")
    query = "Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={}&X-Amz-Credential=a/b/c/iam/aws4_request"
    bare = f"GET /?{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nsec-fetch-site: cross-site\r\n\r\n"
    assert (await house.send(bare.encode())).status == 403


async def test_five_hundred_clients_at_once_are_served(house: House) -> None:
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    asked: list[Callable[[int], bytes]] = [
        lambda n: request("PUT", f"/bucket/{n % 10}/{n}", b"x" * 1000),
        lambda _: sagemaker("ListPipelines"),
        lambda _: request("POST", "/", form, "sts", content_type=FORM),
        lambda _: request("GET", "/bucket?list-type=2"),
    ]
    await house.ask("PUT", "/bucket")
    connections = await asyncio.gather(*(house.open() for _ in range(CLIENTS)))
    for number, (_, writer) in enumerate(connections):
        writer.write(asked[number % len(asked)](number))
    answers = await asyncio.gather(*(_all(reader) for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    listed = await house.ask("GET", "/bucket?list-type=2")
    assert f"<KeyCount>{CLIENTS // len(asked)}</KeyCount>" in listed.text


async def test_the_largest_definition_is_created_described_listed_and_changed(house: House) -> None:
    definition = large_definition()
    assert len(definition) == MIB
    named = {"PipelineName": "large", "RoleArn": ROLE, "PipelineDefinition": definition}
    assert (await house.send(sagemaker("CreatePipeline", ClientRequestToken="t" * 32, **named))).status == 200
    described = await house.send(sagemaker("DescribePipeline", PipelineName="large"))
    assert json.loads(described.text.partition("\r\n\r\n")[2])["PipelineDefinition"] == definition
    listed = await house.send(sagemaker("ListPipelines"))
    assert '"large"' in listed.text
    assert len(listed.text) < 2000
    assert (await house.send(sagemaker("UpdatePipeline", **named))).status == 200


async def test_a_bug_of_any_app_is_told_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        message = "secret"
        raise ZeroDivisionError(message)

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    with caplog.at_level(logging.ERROR):
        await guarded(broken)({"method": "GET", "path": "/"}, broken, send)  # type: ignore[arg-type]  # broken on purpose
    assert sent[0]["status"] == 500
    assert "secret" not in str(sent)
    assert [record.getMessage() for record in caplog.records] == ["GET / failed"]


async def test_an_endpoint_makes_room_for_its_clients(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        async with Endpoint(ObjectStore(tmp_path)):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 2 * CLIENTS
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
