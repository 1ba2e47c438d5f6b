"""What rules and schedules send off, each on its own way."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_directory import queue_name
from sagelocal.errors import UsageError

Start = Callable[[str, Mapping[str, str]], Awaitable[object]]
"""Starts an execution of the pipeline with this ARN, with these parameters."""
Invoke = Callable[[str, bytes], Awaitable[object]]
"""Invokes the Lambda function with this ARN on a JSON payload."""
Tell = Callable[[str], None]
"""Tells a person what has become of a delivery that failed."""

_warn: Tell = logging.getLogger(__name__).warning

_UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
_START = "sagemaker:startPipelineExecution"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One target, with what it is given.

    Attributes:
        sender: who sends it, in words: ``rule nightly``.
        arn: of the target.
        body: the text that it is given.
        parameters: of a pipeline.
        group: MessageGroupId of a FIFO queue.
    """

    sender: str
    arn: str
    body: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None


class Deliveries:
    """Delivers to pipelines, Lambda functions and our own queues; whatever else a target is, that is told.

    Args:
        start: starts pipelines.
        invoke: invokes functions; None: there are none here.
        queues: None: they are another endpoint's.
    """

    def __init__(
        self,
        start: Start,
        invoke: Invoke | None = None,
        queues: Queues | None = None,
        tell: Tell = _warn,
    ) -> None:
        self._start = start
        self._invoke = invoke
        self._queues = queues
        self._tell = tell
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, delivery: Delivery) -> None:
        """Send it off; how that ended is told only when it went wrong."""
        # Each has its own task, in the order of the events; a queue is reached in its first step, so its order is kept.
        task = asyncio.create_task(self._deliver(delivery), name=f"{delivery.sender} to {delivery.arn}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """Wait until everything that was sent has arrived or failed."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def close(self) -> None:
        """Give up what is still under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self._to(delivery)
        except Exception as error:  # nobody waits for it who could be told otherwise
            self._tell(f"{delivery.sender}: {delivery.arn}: {error}")

    async def _to(self, delivery: Delivery) -> None:
        match delivery.arn.split(":", 5):
            case ["arn", _, "sagemaker", _, _, resource] if resource.startswith("pipeline/"):
                await self._start(delivery.arn, delivery.parameters)
            case ["arn", _, "lambda", *_] if self._invoke is not None:
                await self._invoke(delivery.arn, delivery.body.encode())
            case ["arn", _, "sqs", *_] if self._queues is not None:
                group = delivery.group if delivery.arn.endswith(".fifo") else None
                self._queues.send(queue_name(delivery.arn), delivery.body, group=group)
            case _ if delivery.arn == f"{_UNIVERSAL}{_START}":
                await self._start(*_request(delivery.body))
            case _:
                message = "sagelocal delivers to pipelines, Lambda functions and its own queues only"
                raise UsageError(message)


def _request(body: str) -> tuple[str, dict[str, str]]:
    """Pipeline and parameters in a StartPipelineExecution request."""
    try:
        given: Any = json.loads(body)
        listed = given.get("PipelineParameters") or []
        return str(given["PipelineName"]), {each["Name"]: each["Value"] for each in listed}
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"the Input is no StartPipelineExecution request: {body[:200]}"
        raise UsageError(message) from None
