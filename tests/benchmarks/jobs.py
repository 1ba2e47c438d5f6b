"""What a job costs above what it does."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.benchmarks.measure import Row, definition, engine, interleaved, processing, run

from sagelocal.engine import Engine
from sagelocal.settings import Runtime

IMAGE = "sagelocal-base:local"
GIB = 2**30


async def _command(*words: str) -> float:
    begin = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        message = f"{' '.join(words)} failed"
        raise RuntimeError(message)
    return time.perf_counter() - begin


async def container() -> AsyncIterator[Row]:
    """One container step, against `docker run` of the same image and command."""
    what = "container step"
    try:
        await _command("docker", "image", "inspect", IMAGE)
    except (OSError, RuntimeError):
        yield Row(what, note=f"no Docker daemon answers, or {IMAGE} is missing: make images")
        return
    with tempfile.TemporaryDirectory() as home:
        async with engine(Path(home), Runtime.DOCKER) as house:
            house.create_pipeline("container", definition([processing("only", ["sleep", "1"], image=IMAGE)]))
            ours, floor = await interleaved(
                7,
                lambda: run(house, "container"),
                lambda: _command("docker", "run", "--rm", "--entrypoint", "sleep", IMAGE, "1"),
            )
            house.create_pipeline("empty", definition([processing("only", ["true"], image=IMAGE)]))
            empty, empty_floor = await interleaved(
                7,
                lambda: run(house, "empty"),
                lambda: _command("docker", "run", "--rm", "--entrypoint", "true", IMAGE),
            )
    yield Row(
        "container step that sleeps 1 s",
        ours * 1000,
        floor=floor * 1000,
        promise="≤ 1.10 × docker run",
        kept=ours / floor <= 1.10,
    )
    yield Row(
        "container step that does nothing",
        empty * 1000,
        floor=empty_floor * 1000,
        promise="≤ 1.10 × docker run",
        kept=empty / empty_floor <= 1.10,
    )


async def _sleepers(house: Engine, steps: int, seconds: int) -> float:
    house.create_pipeline(
        "sleepers", definition([processing(f"s{index}", ["sleep", str(seconds)]) for index in range(steps)])
    )
    return await run(house, "sleepers", max_parallel=8)


async def parallel() -> AsyncIterator[Row]:
    """Independent steps run at the same time."""
    with tempfile.TemporaryDirectory() as home:
        async with engine(Path(home), Runtime.PROCESS) as house:
            two = await _sleepers(house, 2, 2)
            eight = await _sleepers(house, 8, 1)
    yield Row(
        "two independent 2 s steps, process runtime",
        two * 1000,
        floor=2000,
        promise="≤ 1.25 ×",
        kept=two <= 2.5,
        note="floor: 2 s",
    )
    yield Row(
        "eight independent 1 s steps, limit 8, process runtime",
        eight * 1000,
        floor=1000,
        promise="≤ 1.25 s",
        kept=eight <= 1.25,
        note="floor: 1 s",
    )


def _handover(size: int) -> str:
    """One step makes a file of that size without writing its bytes, the next one sees it."""
    make = ["fallocate", "--length", str(size), "/opt/ml/processing/out/data/blob"]
    look = ["test", "-s", "/opt/ml/processing/in/data/blob"]
    uri = {"Get": "Steps.make.ProcessingOutputConfig.Outputs['data'].S3Output.S3Uri"}
    return definition(
        [
            processing("make", make, outputs={"data": f"s3://bench/{size}"}),
            processing("look", look, inputs={"data": uri}),
        ]
    )


def _used(folder: Path) -> int:
    """Bytes on disk below the folder; a file with two names counts once."""
    files = {
        (status.st_dev, status.st_ino): status.st_blocks * 512
        for path in folder.rglob("*")
        if (status := os.lstat(path))
    }
    return sum(files.values())


async def data() -> AsyncIterator[Row]:
    """1 GiB from step to step, against one page."""
    what = "1 GiB passed from step to step, above 4 KiB"
    with tempfile.TemporaryDirectory() as home:
        if shutil.disk_usage(home).free < 6 * GIB:
            yield Row(what, note="not enough room for temporary files")
            return
        async with engine(Path(home), Runtime.PROCESS) as house:
            house.create_pipeline("large", _handover(GIB))
            house.create_pipeline("small", _handover(4096))
            large, small = await interleaved(5, lambda: run(house, "large"), lambda: run(house, "small"))
            used = _used(Path(home)) / GIB
    taken = (large - small) * 1000
    yield Row(
        what,
        taken,
        promise="≤ 50 ms",
        kept=taken <= 50,
        note=f"with 4 KiB the pipeline takes {small * 1000:.0f} ms",
    )
    yield Row("disk space after that", used, unit="GiB", promise="≤ 1.05 GiB", kept=used <= 1.05)
