"""How much memory a process and its children use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MEGABYTE = 1 << 20


def resident(pid: int) -> int:
    """Bytes of memory that the process and all below it hold now; 0 where there is no /proc, and once it has ended."""
    return sum(_status(process, "VmRSS") for process in _tree(pid))


def peak(pid: int) -> int:
    """The most bytes that the process itself has held so far; 0 where there is no /proc, and once it has ended."""
    return _status(pid, "VmHWM")


def _status(pid: int, member: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{member}:")), 0)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _tree(child)
