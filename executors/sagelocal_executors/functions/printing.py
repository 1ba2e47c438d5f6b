"""What functions print, kept in a log for each of them."""

from __future__ import annotations

from collections.abc import Callable

from sagelocal.cloud.functions import Function, Invoke, Invoked
from sagelocal.logs import StepLog


def logged(invoke: Invoke, log_of: Callable[[str], StepLog]) -> Invoke:
    """The same, with every line also in the function's own log, where CloudWatch Logs would have it.

    Args:
        invoke: runs functions.
        log_of: the log of a function, by its name.
    """

    async def invoke_logged(function: Function, payload: bytes, on_line: Callable[[str], None]) -> Invoked:
        with log_of(function.name) as log:

            def both(line: str) -> None:
                log.line(line)
                on_line(line)

            return await invoke(function, payload, both)

    return invoke_logged
