"""What a large object costs through S3, against another server of the same run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import boto3
from botocore.config import Config
from tests.benchmarks.measure import Row

SIZE, LARGE = 100, 400  # MiB
ROUNDS = 5
MIB = 1 << 20
MOST_MORE = 8  # MiB of memory that four times the object may cost

OURS = """
import asyncio, sys
from pathlib import Path
from sagelocal.api import SERVICES
from sagelocal.engine import Engine
from sagelocal.settings import Settings

async def main():
    async with Engine(Settings(home=Path(sys.argv[1])), services=SERVICES, port=0) as engine:
        print(await engine.url(), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""

PLAIN = """
import hashlib, http.server, shutil, sys
from pathlib import Path

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kept = Path(sys.argv[1]) / "plain"

    def do_PUT(self):
        if "expect" in self.headers:
            self.send_response_only(100)
            self.end_headers()
        left, total = int(self.headers["content-length"]), hashlib.md5()
        with self.kept.open("wb") as file:
            while left and (chunk := self.rfile.read(min(left, 1 << 20))):
                left -= len(chunk)
                total.update(chunk)
                file.write(chunk)
        self.answer(0, total.hexdigest())

    def do_GET(self):
        self.answer(self.kept.stat().st_size, "x")
        with self.kept.open("rb") as file:
            shutil.copyfileobj(file, self.wfile, 1 << 20)

    def answer(self, size, etag):
        self.send_response(200)
        self.send_header("content-length", str(size))
        self.send_header("etag", f'"{etag}"')
        self.end_headers()

    def handle_expect_100(self):
        return True

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
"""


@contextmanager
def _serving(command: Sequence[str]) -> Iterator[tuple[str, int]]:
    """URL and process id of a server that prints its URL."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        try:
            found = next(filter(None, (re.search(r"http://127\S+:\d+", line) for line in server.stdout)))
            yield found.group(), server.pid
        finally:
            server.stdin.close()
            server.terminate()


def _client(url: str) -> Any:
    make: Any = boto3.client  # its type has one overload for each service
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    config = Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required")
    client = make("s3", endpoint_url=url, config=config, **keys)
    client.create_bucket(Bucket="bucket")
    return client


def _put(client: Any, path: Path) -> None:
    with path.open("rb") as file:
        client.put_object(Bucket="bucket", Key="large", Body=file)


def _get(client: Any, path: Path) -> None:
    body = client.get_object(Bucket="bucket", Key="large")["Body"]
    got = sum(len(chunk) for chunk in body.iter_chunks(MIB))
    assert got == path.stat().st_size


def _taken(call: Callable[[Any, Path], None], client: Any, path: Path) -> float:
    begin = time.perf_counter()
    call(client, path)
    return (time.perf_counter() - begin) * 1000


def _peak(process: int) -> float:
    """The most memory that a process has had, in MiB (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    assert found
    return int(found.group(1)) / 1024


def _file(folder: str, size: int) -> Path:
    path, block = Path(folder) / f"{size}", os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(size):
            file.write(block)
    return path


def _other(folder: str) -> tuple[str, list[str]]:
    """The server that we are held against: moto's when its command is on the PATH, else a plain one of Python's own."""
    if moto := shutil.which("moto_server"):
        return "moto", [moto, "-p", "0"]
    return "http.server", [sys.executable, "-c", PLAIN, folder]


async def large_object() -> AsyncIterator[Row]:
    """Put and get of one object in one request each, by turns; and what its size does to the engine's memory."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        name, command = _other(folder)
        ours, process = stack.enter_context(_serving([sys.executable, "-c", OURS, folder]))
        theirs, _ = stack.enter_context(_serving(command))
        clients, path = (_client(ours), _client(theirs)), _file(folder, SIZE)
        for what, call in (("put", _put), ("get", _get)):
            taken = [[_taken(call, client, path) for client in clients] for _ in range(ROUNDS)]
            mine, floor = median(each for each, _ in taken), median(each for _, each in taken)
            kept = mine <= floor if name == "moto" else None
            yield Row(
                f"{SIZE} MiB through S3: {what}",
                mine,
                floor=floor,
                promise="≤ moto",
                kept=kept,
                note=f"floor: {name}",
            )
        yield _memory(clients[0], process, _file(folder, LARGE))


def _memory(client: Any, process: int, large: Path) -> Row:
    what = f"memory of the engine, {LARGE} MiB object"
    if not Path("/proc/self/status").exists():
        return Row(what, note="read from /proc, which this system has not")
    before = _peak(process)
    _put(client, large)
    _get(client, large)
    after = _peak(process)
    promise = f"≤ {MOST_MORE} MiB more than at {SIZE} MiB"
    return Row(
        what, after, "MiB", before, promise, after - before <= MOST_MORE, "floor: after the smaller one"
    )
