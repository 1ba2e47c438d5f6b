"""What Lambda writes to a function's log around the function's own lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sagelocal.cloud.functions import LATEST
from sagelocal_executors.functions.memory import MEGABYTE


@dataclass(frozen=True, slots=True)
class Report:
    """The measures of one invocation: seconds and bytes; `init` is None for a warm process."""

    seconds: float
    memory: int
    used: int
    init: float | None

    def line(self, identity: str) -> str:
        """The REPORT line, tab-separated as Lambda's."""
        duration = self.seconds * 1000
        parts = [
            f"REPORT RequestId: {identity}",
            f"Duration: {duration:.2f} ms",
            f"Billed Duration: {math.ceil(duration)} ms",
            f"Memory Size: {self.memory} MB",
            f"Max Memory Used: {math.ceil(self.used / MEGABYTE)} MB",
            *([] if self.init is None else [f"Init Duration: {self.init * 1000:.2f} ms"]),
        ]
        return "\t".join(parts)


def start_line(identity: str) -> str:
    return f"START RequestId: {identity} Version: {LATEST}"


def end_line(identity: str) -> str:
    return f"END RequestId: {identity}"
