"""What a step costs when the job itself costs nothing."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import Row, chain, engine, fan_out, interleaved, run

from sagelocal.definition import parse
from sagelocal.plan import plan
from sagelocal.settings import Runtime

MEMORY = Path("/dev/shm")  # a file system in memory, where there is one


async def _nothing() -> None:
    await asyncio.sleep(0)


async def _bare_fan_out(steps: int) -> float:
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(steps):
            group.create_task(_nothing())
    return time.perf_counter() - begin


async def _bare_chain(steps: int) -> float:
    begin = time.perf_counter()
    for _ in range(steps):
        await asyncio.create_task(_nothing())
    return time.perf_counter() - begin


async def _per_step(
    make: Callable[[int], str], sizes: Sequence[int], rounds: int, folder: Path | None = None
) -> dict[int, tuple[float, float]]:
    """Per size the milliseconds per step, here and with bare tasks; sizes take turns, so that a busy machine slows all."""
    bare = _bare_chain if make is chain else _bare_fan_out
    taken: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(dir=folder) as home:
        async with engine(Path(home), Runtime.STUB, no_op=True) as house:
            for size in sizes:
                house.create_pipeline(f"bench-{size}", make(size))
            for _ in range(rounds):
                for size in sizes:
                    taken[size].append((await run(house, f"bench-{size}"), await bare(size)))
    return {
        size: (
            median(ours for ours, _ in each) / size * 1000,
            median(floor for _, floor in each) / size * 1000,
        )
        for size, each in taken.items()
    }


async def per_step() -> AsyncIterator[Row]:
    """No-op steps: 1,000 and 10,000, side by side and one after the other."""
    for name, make in (("fan-out", fan_out), ("chain", chain)):
        found = await _per_step(make, [1000, 10_000], 3)
        small, floor = found[1000]
        what = f"no-op step, 1,000-step {name}, journal on disk"
        yield Row(what, small, floor=floor, promise="≤ 0.25 ms a step", kept=small <= 0.25)
        large, floor = found[10_000]
        yield Row(f"no-op step, 10,000-step {name}, journal on disk", large, floor=floor)
        growth = large / small
        yield Row(f"growth of that, {name}", growth, unit="×", promise="≤ 1.2 ×", kept=growth <= 1.2)


async def in_memory() -> AsyncIterator[Row]:
    """The same with the state folder in memory."""
    what = "no-op step, 1,000-step fan-out, journal in memory"
    if not MEMORY.is_dir():
        yield Row(what, note=f"no {MEMORY} on this machine")
        return
    ours, floor = (await _per_step(fan_out, [1000], 5, MEMORY))[1000]
    yield Row(what, ours, floor=floor, promise="≤ 0.12 ms a step", kept=ours <= 0.12)


async def planning() -> AsyncIterator[Row]:
    """The plan of 10,000 steps, against reading the same text as JSON."""
    text = chain(10_000)

    async def ours() -> float:
        begin = time.perf_counter()
        plan(parse(text))
        return (time.perf_counter() - begin) * 1000

    async def floor() -> float:
        begin = time.perf_counter()
        json.loads(text)
        return (time.perf_counter() - begin) * 1000

    measured, least = await interleaved(3, ours, floor)
    yield Row("parse and plan a 10,000-step definition", measured, floor=least)
