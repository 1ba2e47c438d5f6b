"""What is kept beside the logs, so that they can be read as CloudWatch has them: when lines came, which job wrote where.

``<log>.times`` next to a ``.log`` has lines ``<offset> <milliseconds>``: what stands in the log from that offset on came at
that moment, or within `GRAIN` after it. ``jobs.jsonl`` at the root says of every job in which log it writes, and from where.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from sagelocal.cloud import disk

GRAIN = 0.2
"""Seconds that lines share a moment: a log that is written without a pause has five entries a second."""
_INDEX = "jobs.jsonl"


@dataclass(frozen=True, slots=True)
class JobLog:
    """Where a job writes.

    Attributes:
        job: its name.
        kind: ``Processing``, ``Training`` or ``Transform``.
        path: of the log, relative to the root of the logs.
        begin: bytes that stand in the log before, of an earlier attempt.
        at: when it began to write, in seconds since the epoch.
        hosts: its number of instances.
    """

    job: str
    kind: str
    path: str
    begin: int
    at: float
    hosts: int = 1


def stamps_path(log: Path) -> Path:
    """Where the moments of a log's lines are kept."""
    return log.with_suffix(".times")


class Stamper:
    """Notes when the lines of an open log come; one for each writer, not to be used by two threads at once."""

    def __init__(self, log: Path) -> None:
        self._file: TextIO = stamps_path(log).open("a", encoding="ascii", buffering=1)
        self._until = float("-inf")

    def note(self, log: TextIO, now: float) -> None:
        """Say that the log goes on now; before the line is written, so that no reader sees it without its moment."""
        if self._until - GRAIN <= now < self._until:
            return
        self._until = now + GRAIN
        self._file.write(f"{os.fstat(log.fileno()).st_size} {int(now * 1000)}\n")

    def close(self) -> None:
        self._file.close()


class Stamps:
    """The moments of a log's lines, read as far as they are there."""

    def __init__(self, log: Path, otherwise: int) -> None:
        self._path = stamps_path(log)
        self._otherwise = otherwise
        self._read = 0
        self._offsets: list[int] = []
        self._moments: list[int] = []

    def at(self, offset: int) -> int:
        """When the line at this offset came, in milliseconds since the epoch; never earlier than the lines before it."""
        place = bisect_right(self._offsets, offset) - 1
        return self._moments[place] if place >= 0 else self._before

    def since(self, moment: int) -> int:
        """The offset from which on all lines came at this moment or later; beyond every line when there is none yet."""
        if moment <= self._before:
            return 0
        place = bisect_right(self._moments, moment - 1)
        return self._offsets[place] if place < len(self._offsets) else _BEYOND

    def refresh(self) -> None:
        """Read what has been noted since the last time."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data.rfind(b"\n") + 1
        self._read += whole
        for line in data[:whole].splitlines():
            self._add(*line.split())

    def _add(self, *noted: bytes) -> None:
        # A full disk may have left half a line.
        if len(noted) != 2 or not all(each.isdigit() for each in noted):
            return
        offset, moment = map(int, noted)
        # Two writers may note the same place; the first counts, so that a line's moment never changes.
        if not self._offsets or offset > self._offsets[-1]:
            self._offsets.append(offset)
            self._moments.append(max(moment, self._moments[-1] if self._moments else moment))

    @property
    def _before(self) -> int:
        """The moment of lines that came before any was noted."""
        return min([self._otherwise, *self._moments[:1]])


_BEYOND = 1 << 62


class JobIndex:
    """Which job writes where, in a file at the root of the logs."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read = 0
        self._known: dict[tuple[str, str], JobLog] = {}

    def add(self, entry: JobLog) -> None:
        """Note where a job writes; once it is noted, where an engine that goes on with it finds it, that stays."""
        self.refresh()
        if (entry.kind, entry.job) in self._known:
            return
        path = self._root / _INDEX
        with disk.faults(path):
            self._root.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(entry)) + "\n")

    def entries(self) -> Iterator[tuple[JobLog, int | None]]:
        """Every job's place, with the offset at which another job goes on in the same log; None: it is the last there."""
        self.refresh()
        beginnings: dict[str, list[int]] = {}
        for entry in self._known.values():
            beginnings.setdefault(entry.path, []).append(entry.begin)
        for entry in self._known.values():
            yield entry, min((other for other in beginnings[entry.path] if other > entry.begin), default=None)

    def refresh(self) -> None:
        """Read what has been noted since the last time, by whichever process."""
        try:
            with (self._root / _INDEX).open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data.rfind(b"\n") + 1
        self._read += whole
        for line in data[:whole].splitlines():
            entry = _entry(line)
            if entry is not None:
                self._known.setdefault((entry.kind, entry.job), entry)


def _entry(line: bytes) -> JobLog | None:
    try:
        return JobLog(**json.loads(line))
    except (ValueError, TypeError):
        return None
