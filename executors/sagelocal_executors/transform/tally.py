"""What has become of each file of a job so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sagelocal.clock import Clock
from sagelocal.logs import StepLog
from sagelocal.nearest import listed
from sagelocal_executors.channels import Item, bytes_text
from sagelocal_executors.faults import JobError
from sagelocal_executors.transform.faults import NO_ANSWER, FileError

_PACE_SECONDS = 5.0
_REASON_LENGTH = 1024
_INTERNAL = "SageMaker.JOB_INTERNAL_ERROR"


@dataclass(slots=True)
class Tally:
    """Files transformed and failed, noted in the log as they come, but not oftener than a person reads.

    Attributes:
        total: how many files there are.
        outputs: per file that was transformed, where its output lies.
        failures: per file that was not, why.
    """

    total: int
    log: StepLog
    clock: Clock
    outputs: dict[Item, Path] = field(default_factory=dict)
    failures: dict[Item, FileError] = field(default_factory=dict)
    _started: int = 0
    _size: int = 0
    _noted: float = 0.0

    def number(self) -> int:
        """One that no other file of the job has."""
        self._started += 1
        return self._started

    def transformed(self, item: Item, output: Path) -> None:
        self.outputs[item] = output
        self._step(item)

    def failed(self, item: Item, error: FileError) -> None:
        """As the service does it: the object before each line, the model's own words after the fault."""
        self.failures[item] = error
        name = object_name(item)
        self.log.note(f"{name}: {error}")
        if error.message:
            for line in ("Message:", *error.message.splitlines()):
                self.log.note(f"{name}: {line}")
        self._step(item)

    def error(self) -> JobError | None:
        """Why the job fails: in the service's words, and with the names of the files; None when it does not."""
        if not self.failures:
            return None
        first, fault = min(self.failures.items(), key=lambda pair: pair[0].uri)
        names = listed(sorted(object_name(item) for item in self.failures))
        head = f"{fault.error}: See job logs for more information"
        text = f"{head}: {len(self.failures)} of {self.total} files failed: {names}; {object_name(first)}: {fault}"
        return JobError(text[:_REASON_LENGTH], _INTERNAL if fault.error == NO_ANSWER else fault.error)

    def _step(self, item: Item) -> None:
        self._size += item.size
        done, now = len(self.outputs) + len(self.failures), self.clock.now()
        if done == self.total or now - self._noted >= _PACE_SECONDS:
            self._noted = now
            self.log.note(f"{done} of {self.total} file{'s'[: self.total != 1]}, {bytes_text(self._size)}")


def object_name(item: Item) -> str:
    """As the service's data log names an object: ``bucket/key``."""
    return item.uri.removeprefix("s3://")
