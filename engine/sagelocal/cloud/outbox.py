"""Messages to queues, ours or another endpoint's."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any, Protocol

from sagelocal.cloud.remote import LOCALSTACK
from sagelocal.cloud.sqs import Queues
from sagelocal.cloud.sqs_attributes import FIFO
from sagelocal.errors import MachineError, UsageError


class Outbox(Protocol):
    """Sends messages."""

    async def send(self, queue: str, body: str, group: str, deduplication: str) -> None:
        """Send a message to the queue with this URL; the last two are for FIFO queues only.

        Raises:
            UsageError: the queue refuses it, or there is no such queue.
            MachineError: the queue cannot be reached.
        """


class LocalOutbox:
    """Sends to our own queues."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    async def send(self, queue: str, body: str, group: str, deduplication: str) -> None:
        """See `Outbox.send`; a queue is made when there is none."""
        if self._queues.queue(queue).fifo:
            self._queues.send(queue, body, group=group, deduplication=deduplication)
        else:
            self._queues.send(queue, body)


class RemoteOutbox:
    """Sends to the queues of another endpoint: LocalStack, or AWS itself; connected when the first message goes out.

    Args:
        endpoint_url: where SQS is; ``"localstack"``: where localstack-client says.
        region: of the requests' signatures.
    """

    def __init__(self, endpoint_url: str, region: str) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._client: Any = None  # aiobotocore makes its clients at run time, without types
        self._connecting = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def close(self) -> None:
        await self._stack.aclose()

    async def send(self, queue: str, body: str, group: str, deduplication: str) -> None:
        """See `Outbox.send`."""
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": deduplication}
        client, exceptions = await self._connected(), _load("botocore.exceptions")
        try:
            await client.send_message(
                QueueUrl=queue, MessageBody=body, **(fifo if queue.endswith(FIFO) else {})
            )
        except exceptions.ClientError as error:
            message = f"{queue}: the SQS endpoint {self._endpoint_url} refuses: {error}"
            raise UsageError(message) from error
        except exceptions.BotoCoreError as error:
            message = f"{queue}: the SQS endpoint {self._endpoint_url} cannot be reached: {error}: start it, or check its URL"
            raise MachineError(message) from error

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                endpoint, keys = self._endpoint_url, {}
                session = _load("aiobotocore.session").get_session()
                if endpoint == LOCALSTACK:
                    endpoint = _load("localstack_client.config").get_service_endpoint("sqs")
                    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
                client = session.create_client("sqs", region_name=self._region, endpoint_url=endpoint, **keys)
                self._client = await self._stack.enter_async_context(client)
        return self._client


def _load(module: str) -> ModuleType:
    # On demand: the extra is optional, and its botocore costs a quarter of a second.
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"queues at another endpoint need {error.name}: pip install 'sagelocal[aws]'"
        raise MachineError(message) from None
