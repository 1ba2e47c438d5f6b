"""What each step prints, kept on disk while it prints."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from sagelocal.clock import Clock, SystemClock
from sagelocal.cloud import disk
from sagelocal.cloud.log_files import JobIndex, JobLog, Stamper
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job
from sagelocal.names import execution_id

NOTE = "[sagelocal] "
_PLACE = f"{NOTE}runs in: "

LineListener = Callable[[str, str, str], None]

_SYSTEM: Final = SystemClock()


class StepLog:
    """The open log of one step; lines may come from any thread."""

    def __init__(self, path: Path, announce: Callable[[str], None], clock: Clock = _SYSTEM) -> None:
        self._path = path
        self._announce = announce
        self._clock = clock
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._stamper: Stamper | None = None

    def __enter__(self) -> Self:
        with disk.faults(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Line buffered, so that `sagelocal logs` and a killed engine see every whole line.
            self._file = self._path.open("a", encoding="utf-8", errors="replace", buffering=1)
            self._stamper = Stamper(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            for file in (self._file, self._stamper):
                # What could not be written was told of when it was; closing would only try, and say it, again.
                with suppress(OSError):
                    if file:
                        file.close()
            self._file = self._stamper = None

    def line(self, text: str) -> None:
        """Add one line; text after the log is closed is dropped, as a container's last words may come late."""
        with self._lock:
            if self._file is None or self._stamper is None:
                return
            with disk.faults(self._path):
                self._stamper.note(self._file, self._clock.now())
                self._file.write(text.rstrip("\r\n") + "\n")
        self._announce(text)

    def note(self, text: str) -> None:
        """Add a line of our own, marked as such."""
        self.line(NOTE + text)

    def place(self, where: str) -> None:
        """Say where the step runs: ``process · xgboost``, ``docker · image`` or ``stub``."""
        self.line(_PLACE + where)


class StepLogs:
    """The logs of all executions: ``<root>/<execution id>/<step>.log``, and ``<step>/<job>.log`` for jobs of a job."""

    def __init__(self, root: Path, clock: Clock = _SYSTEM) -> None:
        self._root = root
        self._clock = clock
        self._index = JobIndex(root)
        self._listeners: list[LineListener] = []

    def path(self, execution: str, step: str) -> Path:
        """Where the log of that step lies, or would."""
        return self._root / execution_id(execution) / f"{step}.log"

    def children(self, execution: str, step: str) -> list[str]:
        """The logs of the jobs that the step's job has started, as ``<step>/<job>``, in the order of their names."""
        folder = self.path(execution, step).with_suffix("")
        return [f"{step}/{path.stem}" for path in sorted(folder.glob("*.log"))]

    def open(self, execution: str, step: str) -> StepLog:
        """The log, to be entered before lines are added; a further attempt adds to the same file."""
        return StepLog(
            self.path(execution, step), lambda text: self._tell(execution, step, text), self._clock
        )

    def of(self, job: Job, kind: StepType) -> StepLog:
        """The log of a job of that kind, to be found by the job's name from now on (CloudWatch Logs)."""
        path = self.path(job.execution, job.log)
        begin = path.stat().st_size if path.exists() else 0
        place = str(path.relative_to(self._root))
        self._index.add(JobLog(job.name, kind, place, begin, self._clock.now(), _instances(job.arguments)))
        return self.open(job.execution, job.log)

    def subscribe(self, listener: LineListener) -> None:
        """Call `listener(execution, step, line)` for each line, on the thread it comes from."""
        self._listeners.append(listener)

    def tail(self, execution: str, step: str, lines: int) -> list[str]:
        """The last lines; none when the step printed nothing."""
        try:
            with self.path(execution, step).open(encoding="utf-8", errors="replace") as file:
                return [line.rstrip("\n") for line in deque(file, lines)]
        except FileNotFoundError:
            return []

    def place(self, execution: str, step: str, where: str) -> None:
        """Say where the step runs, while its log is open elsewhere or before it is."""
        with self.open(execution, step) as log:
            log.place(where)

    def where(self, execution: str, step: str) -> str:
        """What `StepLog.place` said last; empty before."""
        try:
            with self.path(execution, step).open(encoding="utf-8", errors="replace") as file:
                head = [line for _, line in zip(range(50), file, strict=False) if line.startswith(_PLACE)]
        except FileNotFoundError:
            return ""
        return head[-1].removeprefix(_PLACE).strip() if head else ""

    def _tell(self, execution: str, step: str, text: str) -> None:
        for listener in self._listeners:
            listener(execution, step, text)


def _instances(arguments: Mapping[str, Any]) -> int:
    """How many instances a Create request asks for; it has not been checked yet."""
    processing = arguments.get("ProcessingResources")
    cluster = processing.get("ClusterConfig") if isinstance(processing, Mapping) else None
    asked = arguments.get("ResourceConfig") or arguments.get("TransformResources") or cluster
    if not isinstance(asked, Mapping):
        return 1
    groups = asked.get("InstanceGroups") or [asked]
    counts = [group.get("InstanceCount") for group in groups if isinstance(group, Mapping)]
    return max(1, sum(count for count in counts if isinstance(count, int)))
