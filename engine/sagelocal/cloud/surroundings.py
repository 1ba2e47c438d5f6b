"""What surrounds SageMaker at the same endpoint, built and joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from sagelocal.cloud.around import Around, Events
from sagelocal.cloud.eventbridge.agenda import Agenda
from sagelocal.cloud.eventbridge.bus import Bus
from sagelocal.cloud.eventbridge.deliveries import Deliveries
from sagelocal.cloud.eventbridge.rules import Rules
from sagelocal.cloud.eventbridge.schedules import Schedules
from sagelocal.cloud.others import OTHERS
from sagelocal.cloud.services import Services

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["SERVED", "Around", "Surroundings"]

SERVED: Final = ("ecr", "events", "iam", "logs", "scheduler", "sts", OTHERS)
"""The signing names of what is around SageMaker."""


class Surroundings:
    """STS, IAM, ECR, CloudWatch Logs, EventBridge and its Scheduler; what is not ours by moto.

    While entered, schedules are kept; `close` may be called before it is left, when executions shall not start any more.

    Attributes:
        bus: the default bus, for whoever has events to put on it.
    """

    def __init__(self, around: Around) -> None:
        self._around = around
        rules = Rules(around.catalog, around.partition)
        schedules = Schedules(around.catalog, around.partition)
        self._deliveries = Deliveries(around.start, around.invoke, around.queues, around.tell)
        self.bus = Bus(rules, self._deliveries, around.partition, around.tell)
        self._agenda = Agenda(
            rules,
            schedules,
            self.bus,
            self._deliveries,
            clock=around.clock,
            partition=around.partition,
            tell=around.tell,
        )
        self._events = Events(rules, schedules, self.bus, self._agenda)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._agenda)
        self._stack.push_async_callback(self._deliveries.close)
        self._stack.callback(self.bus.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Start and send nothing more."""
        await self._stack.aclose()

    async def settled(self) -> None:
        """Wait until everything that was sent to targets has arrived or failed."""
        await self._deliveries.settled()

    def serve(self, services: Services) -> None:
        """Add them to what an engine serves."""
        for name, app in self.apps().items():
            services.serve(name, app)

    def apps(self) -> Mapping[str, Callable[[], ASGIApp]]:
        """By signing name, what makes the app of each service."""
        return {name: partial(self._app, name) for name in SERVED}

    def _app(self, name: str) -> ASGIApp:
        # Imported when an endpoint opens: starlette, and the services themselves, cost start-up time.
        from sagelocal.cloud.surrounding_apps import APPS  # noqa: PLC0415 - start-up time

        return APPS[name](self._around, self._events)
