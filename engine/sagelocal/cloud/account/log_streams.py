"""Log groups and streams, as CloudWatch names them, over the logs of jobs and functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sagelocal.cloud.log_files import JobIndex, JobLog, Stamps

_JOBS = "/aws/sagemaker/{}Jobs"
_FUNCTIONS = "/aws/lambda/"
_FUNCTION_LOGS = "functions"


@dataclass(frozen=True, slots=True)
class Stream:
    """What one instance of a job, or one function, has printed.

    Attributes:
        group: of the stream.
        name: ``<job>/algo-1-<seconds>``; of a function ``<date>/[$LATEST]<32 hexadecimal digits>``.
        path: the file that holds it, maybe with the lines of others.
        created: in milliseconds since the epoch.
        begin: where its part of the file begins.
        end: where it ends; None: it goes on as long as the file does.
        host: the instance whose lines it has; empty when there is but one writer.
        stamps: when the lines of the file came.
    """

    group: str
    name: str
    path: Path
    created: int
    stamps: Stamps = field(repr=False)
    begin: int = 0
    end: int | None = None
    host: str = ""


class Streams:
    """All streams, looked for anew at each question: a log may have come from another process.

    Args:
        root: folder of the logs.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._index = JobIndex(root)
        self._stamps: dict[Path, Stamps] = {}

    def of(self, group: str) -> list[Stream]:
        """The streams of a group; empty when there is no such group."""
        if group.startswith(_FUNCTIONS):
            return [stream for stream in self._of_functions() if stream.group == group]
        entries = self._index.entries()
        return [
            stream for entry, end in entries if _group(entry) == group for stream in self._of_job(entry, end)
        ]

    def groups(self) -> dict[str, int]:
        """Every group with the moment of its first stream, in milliseconds since the epoch."""
        found = {stream.group: stream.created for stream in self._of_functions()}
        for entry, _ in self._index.entries():
            created, group = int(entry.at * 1000), _group(entry)
            found[group] = min(created, found.get(group, created))
        return found

    def _of_job(self, entry: JobLog, end: int | None) -> Iterator[Stream]:
        path, created = self._root / entry.path, int(entry.at * 1000)
        stamps = self._stamps_of(path, created)
        for number in range(1, entry.hosts + 1):
            yield Stream(
                _group(entry),
                f"{entry.job}/algo-{number}-{int(entry.at)}",
                path,
                created,
                stamps,
                entry.begin,
                end,
                f"algo-{number}" if entry.hosts > 1 else "",
            )

    def _of_functions(self) -> Iterator[Stream]:
        for path in sorted((self._root / _FUNCTION_LOGS).glob("*.log")):
            stamps = self._stamps_of(path, int(path.stat().st_mtime * 1000))
            stamps.refresh()
            created = stamps.at(0)
            day = datetime.fromtimestamp(created / 1000, UTC).strftime("%Y/%m/%d")
            token = hashlib.sha256(path.stem.encode()).hexdigest()[:32]
            yield Stream(f"{_FUNCTIONS}{path.stem}", f"{day}/[$LATEST]{token}", path, created, stamps)

    def _stamps_of(self, path: Path, otherwise: int) -> Stamps:
        if path not in self._stamps:
            self._stamps[path] = Stamps(path, otherwise)
        return self._stamps[path]


def _group(entry: JobLog) -> str:
    return _JOBS.format(entry.kind)
