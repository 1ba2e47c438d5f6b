"""What a command costs in a cold process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import Row, definition, processing

# A process begins with the size of the one that made it, and its peak counts from there: so a small one makes it.
_MEASURE = """
import os, sys, time
begin = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(process, 0)
print((time.perf_counter() - begin) * 1000, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def _cold(*words: str) -> tuple[float, float]:
    """Milliseconds, and MB of memory at the most, of one process that must succeed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURE, *words], capture_output=True, text=True, check=True
    )
    wall, memory = done.stdout.split()
    return float(wall), float(memory)


async def check() -> AsyncIterator[Row]:
    """`sagelocal check` of a 10-step definition, against an interpreter that does nothing."""
    command = Path(sys.executable).with_name("sagelocal")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.json"
        steps = [processing(f"s{index}", after=[f"s{index - 1}"] if index else ()) for index in range(10)]
        file.write_text(definition(steps), encoding="utf-8")
        taken = [
            (_cold(str(command), "check", str(file)), _cold(sys.executable, "-c", "pass")) for _ in range(7)
        ]
    wall, floor = median(ours[0] for ours, _ in taken), median(bare[0] for _, bare in taken)
    memory, least = median(ours[1] for ours, _ in taken), median(bare[1] for _, bare in taken)
    yield Row(
        "sagelocal check, 10 steps, cold: time", wall, floor=floor, promise="≤ 350 ms", kept=wall <= 350
    )
    yield Row(
        "sagelocal check, 10 steps, cold: memory",
        memory,
        unit="MB",
        floor=least,
        promise="≤ 60 MB",
        kept=memory <= 60,
    )
