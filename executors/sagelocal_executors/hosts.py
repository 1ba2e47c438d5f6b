"""The containers of one job, run side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

from sagelocal.logs import StepLog
from sagelocal_executors.containers import Containers, ContainerSpec, Exit

_REASON_LENGTH = 1024


class Output:
    """What the containers print: passed on to the log, the last words kept for a FailureReason."""

    def __init__(self, log: StepLog, listen: Callable[[str], None] = lambda _: None) -> None:
        self._log = log
        self._listen = listen
        self._last: dict[str, deque[str]] = {}

    def of(self, host: str, *, alone: bool) -> Callable[[str], None]:
        """The listener for one host; its lines are marked unless it is `alone`."""
        last = self._last.setdefault(host, deque(maxlen=1))
        mark = "" if alone else f"[{host}] "

        def on_line(line: str) -> None:
            self._log.line(mark + line)
            self._listen(line)
            if line.strip():
                last.append(line.strip())

        return on_line

    def last_line(self, host: str) -> str:
        """The last line of a host that is not blank; empty when it printed none."""
        return "".join(self._last.get(host, ()))


async def run_together(
    containers: Containers,
    specs: Sequence[ContainerSpec],
    output: Output,
    beside: Iterable[Coroutine[None, None, None]] = (),
) -> tuple[ContainerSpec, Exit]:
    """Run all containers to their end, with the endless tasks `beside` them; the first failure stops the others.

    Returns:
        The first container that failed or ran out of time, else the first of all, and how it ended.

    Raises:
        ImageMissingError, MachineError: from the runtime.
        asyncio.CancelledError: all containers were stopped, as ours was asked to.
    """
    alone = len(specs) == 1
    runs = {
        asyncio.create_task(containers.run(spec, output.of(spec.hostname, alone=alone))): spec
        for spec in specs
    }
    company = [asyncio.create_task(work) for work in beside]
    try:
        first = await _first_failure(runs)
        return first or (specs[0], Exit(0))
    finally:
        everything = [*runs, *company]
        for task in everything:
            task.cancel()
        # A second cancellation reaches the tasks through gather: they give up their grace.
        await asyncio.gather(*everything, return_exceptions=True)


async def _first_failure(
    runs: Mapping[asyncio.Task[Exit], ContainerSpec],
) -> tuple[ContainerSpec, Exit] | None:
    pending = set(runs)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in (task for task in runs if task in done):
            end = task.result()
            if end.code != 0 or end.timed_out:
                return runs[task], end
    return None


def failure_reason(end: Exit, told: str) -> str:
    """``AlgorithmError: <text>, exit code: <n>`` (semantics 08 §8.2), with the text `told` by the container."""
    text = f"out of memory: {told}" if end.oom and told else "out of memory" if end.oom else told
    frame = f"AlgorithmError: , exit code: {end.code}"
    return f"AlgorithmError: {text[: _REASON_LENGTH - len(frame)]}, exit code: {end.code}"
