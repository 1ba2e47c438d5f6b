"""Callback steps: a message to a queue, then whatever somebody answers (semantics 07 §7.1)."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from sagelocal.callbacks import Answer, Awaited, Callbacks, Failure
from sagelocal.clock import Clock, iso
from sagelocal.cloud.outbox import Outbox
from sagelocal.errors import MachineError, UsageError
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLogs
from sagelocal.names import callback_token, execution_id
from sagelocal.values import Json, JsonObject
from sagelocal_executors.containers.stub import Stub
from sagelocal_executors.faults import JobError, client_error, step_reason
from sagelocal_executors.functions.outputs import PLACEHOLDERS, typed

_NO_REASON: Final = "The callback was answered with a failure that gives no reason."


@dataclass(frozen=True, slots=True)
class CallbackExecutor:
    """Sends a step's message and waits for its answer: one small task for each step, no thread, no polling.

    Attributes:
        url: gives the address at which answers are taken.
        expiry: seconds until a step that nobody answers fails.
        options: what `sagelocal callback` needs to find this engine: nothing, or ``--home DIR``.
        variable: tells an SDK that address.
        stub: what stands in for a step; None when it is to be run.
    """

    callbacks: Callbacks
    outbox: Outbox
    url: Callable[[], Awaitable[str]]
    logs: StepLogs
    clock: Clock
    expiry: float
    options: str = ""
    variable: str = "AWS_ENDPOINT_URL"
    stub: Callable[[str], Stub | None] = lambda _: None

    async def run(self, job: Job) -> Outcome:
        try:
            stub = self.stub(job.step)
            return await self._play(job, stub) if stub else await self._converse(job)
        except JobError as error:
            return Failed(step_reason(error.reason), error.error)

    async def _converse(self, job: Job) -> Outcome:
        """Send, wait; when the execution is stopped say so, and go on waiting (semantics 06 §6.2)."""
        queue = job.extras.get("SqsQueueUrl")
        if not isinstance(queue, str) or not queue:
            raise client_error(f"SqsQueueUrl must be the URL of a queue, not {queue!r}.")
        awaited = await self._awaited(job, queue)
        with self.callbacks.expect(awaited) as reply:
            try:
                await self._send(awaited, job.arguments, "Executing")
                self._note(awaited, awaited.hint)
                answer = await self._answer(awaited, reply)
            except asyncio.CancelledError:
                if _asked_again():
                    raise
                answer = await self._stopping(awaited, job.arguments, reply)
        return Stopped() if answer is None else _outcome(job, answer)

    async def _awaited(self, job: Job, queue: str) -> Awaited:
        token = callback_token(job.execution, job.step, job.attempt)
        self.logs.place(job.execution, job.step, f"queue · {queue}")
        values = "".join(f" -o {shlex.quote(output.name)}=VALUE" for output in job.outputs)
        hint = (
            f"waits for an answer: sagelocal callback succeed {token}{values}{self.options}"
            f" (or with an SDK, {self.variable}={await self.url()})"
        )
        return Awaited(token, job.execution, job.step, queue, self.clock.now(), hint)

    async def _stopping(
        self, awaited: Awaited, arguments: JsonObject, reply: asyncio.Future[Answer]
    ) -> Answer | None:
        if reply.cancelled() or not reply.done():
            await self._send(awaited, arguments, "Stopping")
            self._note(awaited, "told the queue that the execution is stopping; the answer is still needed")
        return await self._answer(awaited, reply)

    async def _answer(self, awaited: Awaited, reply: asyncio.Future[Answer]) -> Answer | None:
        """The answer; None when none can come any more, as the engine is closing.

        Raises:
            JobError: nobody has answered in time.
        """
        left = awaited.since + self.expiry - self.clock.now()
        timer = asyncio.create_task(self.clock.sleep(max(left, 0.0)))
        either: set[asyncio.Future[Any]] = {reply, timer}
        try:
            # Not awaited itself: our own cancellation must leave the reply open.
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        if not reply.done():
            until = iso(awaited.since + self.expiry)
            raise client_error(f"Callback token {awaited.token} expired: nobody had answered by {until}.")
        return None if reply.cancelled() else reply.result()

    async def _send(self, awaited: Awaited, arguments: JsonObject, status: str) -> None:
        body: dict[str, Json] = {
            "token": awaited.token,
            "pipelineExecutionArn": awaited.execution,
            "arguments": arguments,
            "status": status,
        }
        group, deduplication = execution_id(awaited.execution), f"{awaited.token}-{status}"
        try:
            await self.outbox.send(awaited.queue, json.dumps(body), group, deduplication)
        except (UsageError, MachineError) as error:
            raise client_error(f"Failed to invoke sqs:SendMessage. Error Details: {error}") from error

    def _note(self, awaited: Awaited, text: str) -> None:
        # Opened for each note: hundreds of steps that wait must not keep as many files open.
        with self.logs.open(awaited.execution, awaited.step) as log:
            log.note(text)

    async def _play(self, job: Job, stub: Stub) -> Outcome:
        self.logs.place(job.execution, job.step, "stub")
        with self.logs.open(job.execution, job.step) as log:
            for line in stub.logs:
                log.line(line)
        if stub.duration:
            await self.clock.sleep(stub.duration)
        if stub.fails(job.attempt):
            failure = stub.failure
            raise JobError(failure.reason, failure.error) if failure else client_error("the stub says so")
        empty = {output.name: PLACEHOLDERS[output.type] for output in job.outputs}
        return Succeeded({"OutputParameters": typed(job.outputs, {**empty, **stub.values})})


def _asked_again() -> bool:
    """Whether this task was cancelled more than once: two cancellations at the same time arrive as one."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 1


def _outcome(job: Job, answer: Answer) -> Outcome:
    if isinstance(answer, Failure):
        return Failed(f"ClientError: {answer.reason or _NO_REASON}", "ClientError")
    return Succeeded({"OutputParameters": typed(job.outputs, answer.outputs)})
