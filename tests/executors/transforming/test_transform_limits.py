"""How much is on its way, in memory and open at once, whatever the data."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagelocal_executors.transform.batches import Cutting
from sagelocal_executors.transform.faults import FileError
from sagelocal_executors.transform.filters import parse_filter
from sagelocal_executors.transform.join import Association

ALL = parse_filter("$")
NOTHING = Association(None, None, ALL, ALL, join=False, by_line=True, answered_by_line=True)
SINGLE = {"BatchStrategy": "SingleRecord"}


async def until_quiet() -> None:
    """Let everything happen that can happen without the model."""
    for _ in range(20):
        await asyncio.sleep(0.01)


class Held:
    """A model that answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, asyncio.Event]] = []

    async def answer(self, body: bytes) -> bytes:
        told = asyncio.Event()
        self.waiting.append((body, told))
        await told.wait()
        return body

    async def reach(self, count: int) -> None:
        while len(self.waiting) < count:
            await asyncio.sleep(0.005)

    def tell(self, index: int = 0) -> bytes:
        body, told = self.waiting.pop(index)
        told.set()
        return body


@pytest.mark.parametrize(("asked", "files"), [(1, 4), (3, 1), (3, 2), (3, 8)])
async def test_no_more_requests_are_under_way_than_asked_for_but_as_many(
    transforming: Any, asked: int, files: int
) -> None:
    held = Held()
    transforming.model.answer = held.answer
    for number in range(files):
        transforming.put(f"{number}.csv", "1\n2\n3\n4\n5\n6\n")
    running = asyncio.create_task(transforming.run(**SINGLE, MaxConcurrentTransforms=asked))

    await held.reach(asked)
    await until_quiet()
    for _ in range(files * 6):
        await held.reach(1)
        held.tell()
    await running

    assert transforming.model.most == asked
    assert transforming.outputs() == {f"{number}.csv.out": b"1\n2\n3\n4\n5\n6\n" for number in range(files)}


async def test_a_file_is_not_read_further_than_its_answers_allow(
    transforming: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    batches = Cutting.batches

    def counted(self: Cutting, file: Any) -> Any:
        for batch in batches(self, file):
            read.append(batch.first)
            yield batch

    monkeypatch.setattr(Cutting, "batches", counted)
    held = Held()
    transforming.model.answer = held.answer
    transforming.put("a.csv", "".join(f"{number}\n" for number in range(50)))
    running = asyncio.create_task(transforming.run(**SINGLE, MaxConcurrentTransforms=2))
    await held.reach(2)
    await until_quiet()
    # The first request hangs: behind it the others are answered, but only so many wait to be written.
    first = held.waiting.pop(0)
    while held.waiting:
        held.tell()
        await until_quiet()

    assert read == [1, 2, 3, 4]
    assert transforming.model.most == 2

    first[1].set()
    while len(transforming.model.sent) < 50 or held.waiting:
        await held.reach(1)
        held.tell()
        await asyncio.sleep(0)
    await running
    assert transforming.outputs()["a.csv.out"].split() == [b"%d" % number for number in range(50)]


async def test_a_file_that_waits_does_not_keep_another_from_its_turn(transforming: Any) -> None:
    """Both files read ahead, one hangs: the places that it holds must not be all there are for ever."""
    held = Held()
    transforming.model.answer = held.answer
    transforming.put("a.csv", "".join(f"a{number}\n" for number in range(20)))
    transforming.put("b.csv", "".join(f"b{number}\n" for number in range(20)))
    running = asyncio.create_task(transforming.run(**SINGLE, MaxConcurrentTransforms=2))
    order: list[bytes] = []

    while len(order) < 40:
        await held.reach(1)
        order.append(held.tell(-1))
        await asyncio.sleep(0)
    await running

    assert len(set(order)) == 40
    assert transforming.outputs()["b.csv.out"].split() == [b"b%d" % number for number in range(20)]


class Endless:
    """A file without end, that counts what is read of it."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.size = 0

    def readline(self, limit: int) -> bytes:
        line = self.line[:limit]
        self.size += len(line)
        return line

    def read(self, size: int) -> bytes:
        start = self.size % len(self.line)
        self.size += size
        return (self.line * (size // len(self.line) + 2))[start : start + size]


@pytest.mark.parametrize("join", [False, True])
def test_batches_are_cut_from_a_file_without_end(join: bool) -> None:
    file: Any = Endless(b"x" * 99 + b"\n")
    cutting = Cutting("Line", single=False, limit=1000, association=replace(NOTHING, join=join))

    batches = cutting.batches(file)
    sizes = [len(next(batches).body) for _ in range(10)]

    assert sizes == [1000] * 10
    assert file.size <= 11 * 1000 + 200


@pytest.mark.parametrize("split", ["None", "Line"])
def test_what_does_not_fit_is_not_read_to_its_end(split: str) -> None:
    file: Any = Endless(b"x" * 5000)
    cutting = Cutting(split, single=False, limit=1000, association=NOTHING)

    with pytest.raises(FileError, match="Too much data for max payload size"):
        next(cutting.batches(file))

    assert file.size <= 1001


async def test_objects_that_are_fetched_are_kept_only_as_long_as_they_are_read(transforming: Any) -> None:
    fetched: list[int] = []

    def answer(body: bytes) -> bytes:
        fetched.append(len(list(transforming.world.jobs.glob("*/inputs/*"))))
        return body

    transforming.model.answer = answer
    for number in range(5):
        transforming.put(f"{number}.csv", "1\n")
    transforming.put("manifest", json.dumps([{"prefix": "s3://bucket/in/"}, *(f"{n}.csv" for n in range(5))]))
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://bucket/in/manifest"}

    await transforming.succeed(DataSource={"S3DataSource": source}, MaxConcurrentTransforms=1)

    assert fetched == [1] * 5


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_hundreds_of_small_files_open_few_things_at_once(transforming: Any) -> None:
    open_files: list[int] = []
    tasks: list[int] = []

    def answer(body: bytes) -> bytes:
        open_files.append(open_descriptors())
        tasks.append(len(asyncio.all_tasks()))
        return body

    transforming.model.answer = answer
    for number in range(400):
        transforming.put(f"{number % 10}/{number}.csv", f"{number}\n")
    before = open_descriptors()

    outputs = await transforming.succeed(MaxConcurrentTransforms=4)

    assert outputs == {f"{number % 10}/{number}.csv.out": b"%d\n" % number for number in range(400)}
    assert max(open_files) < before + 50
    assert max(tasks) < 60
    assert transforming.model.most <= 4
    assert transforming.log().count(" of 400 files, ") < 50
