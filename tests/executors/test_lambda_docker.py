"""Functions of other runtimes, in containers of an image that has one."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest

from sagelocal.cloud.functions import Function
from sagelocal.errors import UsageError
from sagelocal.settings import Settings
from sagelocal_executors.functions.invoker import LocalInvoker

pytestmark = pytest.mark.docker

RUNTIME = """
import json, os, sys, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as request:
        event, identity = json.load(request), request.headers["Lambda-Runtime-Aws-Request-Id"]
    if event == "exit":
        sys.exit(3)
    if event == "hang":
        import time; time.sleep(600)
    print("said", event, flush=True)
    code = open("/var/task/code.txt").read()
    body = json.dumps([event, sys.argv[1], code, os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.getpid()]).encode()
    urllib.request.urlopen(base + identity + "/response", body).close()
"""
"""A Lambda runtime of a language of its own, as an AWS base image has one."""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    files = {
        "Dockerfile": 'FROM sagelocal-base:local\nCOPY runtime.py /runtime.py\nENTRYPOINT ["python3", "/runtime.py"]\n',
        "runtime.py": RUNTIME,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    buffer.seek(0)
    client = docker.from_env()
    tag = f"sagelocal-lambda-test:{secrets.token_hex(4)}"
    client.images.build(fileobj=buffer, custom_context=True, tag=tag, rm=True)
    yield tag
    client.images.remove(tag)
    client.close()


@pytest.fixture
async def invoker(tmp_path: Path) -> AsyncIterator[LocalInvoker]:
    made = LocalInvoker(Settings(home=tmp_path), tmp_path / "scratch")
    yield made
    await made.close()


def function(folder: Path, image: str, timeout: float = 60) -> Function:
    folder.mkdir(exist_ok=True)
    (folder / "code.txt").write_text("mine")
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    return Function(arn, "f", folder, "app.main", "1", runtime="nodejs20.x", docker=image, timeout=timeout)


async def test_the_image_runs_the_function_and_stays_warm(
    invoker: LocalInvoker, image: str, tmp_path: Path
) -> None:
    lines: list[str] = []
    code = function(tmp_path / "code", image)

    first, second = [await invoker.invoke(code, b'"hello"', lines.append) for _ in range(2)]

    assert not first.failed
    assert json.loads(first.payload)[:4] == ["hello", "app.main", "mine", "f"]
    assert first.payload == second.payload
    assert [line for line in lines if line.startswith("said")] == ["said hello", "said hello"]
    assert await invoker.where(code) == f"docker · {image}"


async def test_a_container_that_ends_or_hangs_fails_the_invocation(
    invoker: LocalInvoker, image: str, tmp_path: Path
) -> None:
    ended = await invoker.invoke(function(tmp_path / "code", image), b'"exit"', lambda _: None)
    hung = await invoker.invoke(function(tmp_path / "code", image, timeout=2), b'"hang"', lambda _: None)

    assert "exit status 3" in json.loads(ended.payload)["errorMessage"]
    assert "Task timed out after 2.00 seconds" in json.loads(hung.payload)["errorMessage"]


async def test_a_missing_image_is_told(invoker: LocalInvoker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sagelocal-no-such-image"):
        await invoker.invoke(function(tmp_path / "code", "sagelocal-no-such-image"), b"{}", lambda _: None)
