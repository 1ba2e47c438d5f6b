"""Which engine drives an execution: one at a time, by a lock that the machine takes back when its holder dies."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from sagelocal.cloud import disk
from sagelocal.names import execution_id


class Claims:
    """The executions that this engine drives, each claimed by a locked file ``<root>/<execution id>.lock``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, FileLock] = {}

    def take(self, execution: str) -> bool:
        """Claim the execution; False when another engine that lives has claimed it, or this one has.

        Raises:
            MachineError: the lock cannot be written.
        """
        if execution in self._held:
            return False
        lock = FileLock(self._path(execution), timeout=0, is_singleton=False)
        with disk.faults(self._path(execution)):
            self._root.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                return False
        self._held[execution] = lock
        return True

    def taken(self, execution: str) -> bool:
        """Whether an engine that lives drives the execution."""
        if execution in self._held:
            return True
        if not self._path(execution).exists():
            return False
        free = self.take(execution)
        if free:
            self.give_back(execution)
        return not free

    def give_back(self, execution: str) -> None:
        """The execution needs no engine any more, or this one goes."""
        lock = self._held.pop(execution, None)
        if lock:
            # Removed while it is locked, so that nobody's fresh lock is.
            self._path(execution).unlink(missing_ok=True)
            lock.release()

    def _path(self, execution: str) -> Path:
        return self._root / f"{execution_id(execution)}.lock"
