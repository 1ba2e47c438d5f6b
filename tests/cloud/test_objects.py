"""Executors see the same objects, local or remote."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sagelocal.cloud.objects import LocalObjects
from sagelocal.cloud.remote import RemoteObjects
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import MachineError, NotFoundError
from sagelocal.names import S3Uri

REPOSITORY = Path(__file__).parents[2]
SCENARIO = """
import asyncio, sys
from pathlib import Path
from sagelocal.cloud.remote import RemoteObjects
from sagelocal.errors import MachineError, NotFoundError

async def main(url, folder):
    async with RemoteObjects(url, region="us-east-1", credentials=("a", "b")) as objects:
        assert await objects.list("s3://bucket/in") == []
        (folder / "tree/sub").mkdir(parents=True)
        (folder / "tree/sub/b").write_text("text of b")
        (folder / "tree/big").write_bytes(b"x" * (20 << 20))
        await objects.upload(folder / "tree", "s3://bucket/in")
        await objects.upload(folder / "tree/sub/b", "s3://bucket/one.bin")
        found = await objects.list("s3://bucket/in")
        assert [(str(item.uri), item.size) for item in found] == [("s3://bucket/in/big", 20 << 20), ("s3://bucket/in/sub/b", 9)]
        await objects.fetch("s3://bucket/in/big", folder / "new/big")
        assert (folder / "new/big").read_bytes() == b"x" * (20 << 20)
        assert (await objects.read("s3://bucket/one.bin")).text == "text of b"
        assert "no object" in (await objects.read("s3://bucket/missing")).fault
        assert await objects.folder("s3://bucket/in") is None
        try:
            await objects.fetch("s3://bucket/missing", folder / "missing")
        except NotFoundError:
            print("missing objects are reported")
    async with RemoteObjects("http://127.0.0.1:9", region="us-east-1", credentials=("a", "b")) as objects:
        try:
            await objects.list("s3://bucket/in")
        except MachineError as error:
            print("unreachable:", error)
    async with RemoteObjects("localstack", region="us-east-1") as objects:
        print("localstack:", (await objects.read("s3://bucket/one.bin")).text)

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


@pytest.fixture
def aws_python() -> str:
    """The interpreter that has the extra `aws`, whose botocore is not ours."""
    python = Path(os.environ.get("SAGELOCAL_AWS_PYTHON", REPOSITORY / ".venv-aws/bin/python"))
    assert python.exists(), f"{python} is missing: make .venv-aws"
    return str(python)


def test_remote_objects_do_what_local_ones_do(
    url: str, store: ObjectStore, aws_python: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [aws_python, "-c", SCENARIO, url, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "missing objects are reported",
        "unreachable",
        "localstack",
    ]
    assert said[2] == "localstack: text of b"
    assert (store.root / "bucket/in/sub/b").read_text() == "text of b"


async def test_without_the_extra_remote_objects_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aiobotocore.session", None)
    with pytest.raises(MachineError, match=r"pip install 'sagelocal\[aws\]'"):
        async with RemoteObjects(None):
            pass


async def test_uploads_move_and_fetches_copy(store: ObjectStore, tmp_path: Path) -> None:
    objects = LocalObjects(store)
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/sub/a").write_text("text")
    await objects.upload(tmp_path / "tree", "s3://bucket/out/")
    assert not (tmp_path / "tree/sub/a").exists()
    await objects.fetch("s3://bucket/out/sub/a", tmp_path / "new/a")
    (tmp_path / "new/a").write_text("changed")
    assert (await objects.read("s3://bucket/out/sub/a")).text == "text"
    assert [str(item.uri) for item in await objects.list("s3://bucket/ou")] == ["s3://bucket/out/sub/a"]
    assert await objects.folder("s3://bucket/out") == store.root / "bucket/out"


async def test_a_single_file_becomes_the_object_of_that_name(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"1")
    await LocalObjects(store).upload(tmp_path / "model.tar.gz", "s3://bucket/job/output/model.tar.gz")
    assert (store.root / "bucket/job/output/model.tar.gz").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("uri", "fault"),
    [("s3://bucket/none", "no object"), ("s3://bucket/binary", "not UTF-8"), ("nonsense", "not an S3 URI")],
)
async def test_reading_what_cannot_be_read_gives_a_fault(store: ObjectStore, uri: str, fault: str) -> None:
    store.put_bytes(S3Uri("bucket", "binary"), b"\xff")
    text = await LocalObjects(store).read(uri)
    assert (text.text, fault in text.fault) == (None, True)


async def test_fetching_what_is_not_there_is_an_error(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="s3://bucket/none"):
        await LocalObjects(store).fetch("s3://bucket/none", tmp_path / "a")
