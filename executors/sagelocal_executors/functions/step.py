"""Lambda steps (semantics 07 §7.2, 06 §6.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from sagelocal.clock import Clock
from sagelocal.cloud.functions import Function, FunctionStore, Invoke
from sagelocal.errors import UsageError
from sagelocal.jobs import Failed, Job, Outcome, Succeeded
from sagelocal.logs import StepLog, StepLogs
from sagelocal.values import Json, JsonObject
from sagelocal_executors.containers.stub import Stub, Stubs
from sagelocal_executors.containers.waiting import unbroken
from sagelocal_executors.faults import JobError, client_error, step_reason
from sagelocal_executors.functions.outputs import PLACEHOLDERS, typed

LONGEST = 600.0
"""Seconds that a Lambda step waits for its function (semantics 11)."""
_LONGEST_REASON = 1024
"""Characters of a FailureReason (API: PipelineExecutionStep)."""


@dataclass(frozen=True, slots=True)
class LambdaExecutor:
    """Invokes the step's function with its arguments.

    A stop waits for the function: Lambda cannot stop one. A second stop gives up and kills it.

    Attributes:
        invoke: runs functions.
        where: says what runs a function.
        stubbed: whether a step, by its name, is played by its stub; no function is invoked then.
    """

    functions: FunctionStore
    invoke: Invoke
    where: Callable[[Function], Awaitable[str]]
    logs: StepLogs
    clock: Clock
    stubs: Stubs = field(default_factory=Stubs)
    stubbed: Callable[[str], bool] = lambda _: False

    async def run(self, job: Job) -> Outcome:
        running = asyncio.ensure_future(self._run(job))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            return await self._stopped(running)

    async def _stopped(self, running: asyncio.Future[Outcome]) -> Outcome:
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.cancel()
            await unbroken(asyncio.wait({running}))
            raise

    async def _run(self, job: Job) -> Outcome:
        with self.logs.open(job.execution, job.step) as log:
            try:
                returned = await (self._stub(job, log) if self.stubbed(job.step) else self._call(job, log))
                return Succeeded({"OutputParameters": _outputs(job, returned)})
            except JobError as error:
                log.note(f"failed: {error.reason}")
                return Failed(step_reason(error.reason)[:_LONGEST_REASON], error.error)

    async def _call(self, job: Job, log: StepLog) -> Json:
        function = self._find(str(job.extras.get("FunctionArn")))
        log.place(await self.where(function))
        payload = json.dumps(job.arguments).encode()
        limited = replace(function, timeout=min(function.timeout, LONGEST))
        try:
            invoked = await self.invoke(limited, payload, log.line)
        except UsageError as error:
            raise client_error(f"Lambda function cannot run: {error}") from None
        if invoked.failed:
            raise client_error(f"Lambda function failed with: {_described(invoked.payload)}")
        return _parsed(invoked.payload)

    def _find(self, reference: str) -> Function:
        try:
            function = self.functions.find(reference)
        except UsageError as error:
            raise client_error(f"Lambda function {reference}: {error}") from None
        if function is None:
            raise client_error(self.functions.missing(reference))
        return function

    async def _stub(self, job: Job, log: StepLog) -> JsonObject:
        stub = self.stubs.of(job.step)
        log.place("stub")
        for line in stub.logs:
            log.line(line)
        if stub.duration:
            await self.clock.sleep(min(stub.duration, LONGEST))
        if stub.duration > LONGEST:
            raise client_error(
                f"Lambda function failed with: Sandbox.Timedout: Task timed out after {LONGEST:.2f} seconds"
            )
        if stub.fails(job.attempt):
            raise _stub_failure(stub, job.attempt)
        return {**{output.name: PLACEHOLDERS[output.type] for output in job.outputs}, **stub.values}


def _stub_failure(stub: Stub, attempt: int) -> JobError:
    if stub.failure:
        return client_error(f"Lambda function failed with: {stub.failure.reason}")
    code = stub.code(attempt)
    return client_error(
        f"Lambda function failed with: Runtime.ExitError: Runtime exited with error: exit status {code}"
    )


def _outputs(job: Job, returned: Json) -> dict[str, Json]:
    if isinstance(returned, Mapping):
        return typed(job.outputs, returned)
    if job.outputs:
        names = ", ".join(output.name for output in job.outputs)
        message = f"Lambda function returned no JSON object, but the step declares outputs ({names}): return a dict with them"
        raise client_error(message)
    return {}


def _parsed(payload: bytes) -> Json:
    """What the function returned; NaN and Infinity, which Python writes, are no JSON."""
    try:
        value: Json = json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        message = f"Lambda function failed with: Runtime.InvalidResponse: it returned something that is no JSON: {error}"
        raise client_error(message) from None
    return value


def _refuse(text: str) -> None:
    message = f"{text} is no JSON number"
    raise ValueError(message)


def _described(payload: bytes) -> str:
    """An error object in one line: its type, its message, where in the function's code it came from."""
    try:
        error = json.loads(payload)
    except (ValueError, RecursionError):
        error = None
    if not isinstance(error, dict):
        return payload.decode(errors="replace")[:_LONGEST_REASON]
    text = ": ".join(str(error[key]) for key in ("errorType", "errorMessage") if error.get(key))
    trace = error.get("stackTrace")
    frame = (
        str(trace[0]).strip().splitlines()[0]
        if isinstance(trace, list) and trace and str(trace[0]).strip()
        else ""
    )
    # The frame stays whole whatever the length of the message.
    room = _LONGEST_REASON - len(frame) - 64
    return f"{text[:room]} ({frame})" if frame else text
