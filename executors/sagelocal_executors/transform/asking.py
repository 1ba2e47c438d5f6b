"""One request to the model, again if it may help (ModelClientConfig; semantics 08 §8.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus

from sagelocal.clock import Clock
from sagelocal.logs import StepLog
from sagelocal_executors.serving import InvocationError, Served
from sagelocal_executors.transform.faults import NO_ANSWER, FileError
from sagelocal_executors.transform.request import TransformRequest

Body = bytes | AsyncIterator[bytes]
_FIRST_PAUSE = 0.2
"""Seconds before the first repetition; each further pause is twice as long."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The requests of one instance.

    Attributes:
        gate: lets as many through at once as MaxConcurrentTransforms says.
    """

    serving: Served
    request: TransformRequest
    gate: asyncio.Semaphore
    clock: Clock
    log: StepLog

    async def ask(self, name: str, what: str, body: Callable[[], Body]) -> bytes:
        """The model's answer to a body.

        Args:
            name: of the object, for the log.
            what: the body has of it, for texts.
            body: called for each attempt, as a stream cannot be sent twice.

        Raises:
            FileError: the model refuses, or does not answer.
            JobError: its container has ended.
        """
        client = self.request.model_client_config
        pauses = [_FIRST_PAUSE * 2**number for number in range(client.invocations_max_retries)]
        async with self.gate:
            for pause in (*pauses, None):
                try:
                    reply = await self.serving.invoke(
                        body(),
                        content_type=self.request.transform_input.content_type,
                        accept=self.request.transform_output.accept,
                        timeout=client.invocations_timeout_in_seconds,
                    )
                except InvocationError as error:
                    if pause is None or not _passing(error.status):
                        raise _fault(what, error) from None
                    self.log.note(f"{name}: {what}: {_words(error.status)}; tried again in {pause:g} s")
                    await self.clock.sleep(pause)
                else:
                    return reply.body
        raise AssertionError("the last attempt neither answers nor fails")


def _passing(status: int) -> bool:
    """Whether the next attempt may fare better: no answer at all, too many requests, the server's own fault."""
    return not _answered(status) or status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500


def _answered(status: int) -> bool:
    return status >= HTTPStatus.MULTIPLE_CHOICES


def _fault(what: str, error: InvocationError) -> FileError:
    classes = {4: "ClientError", 5: "AlgorithmError"} if _answered(error.status) else {}
    return FileError(
        f"{what}: {_words(error.status)}", classes.get(error.status // 100, NO_ANSWER), error.text
    )


def _words(status: int) -> str:
    """What the service writes into the job's log."""
    if not _answered(status):
        return "Unable to get response from algorithm"
    return f"ClientError: {status}" if status < 500 else f"Bad HTTP status received from algorithm: {status}"
