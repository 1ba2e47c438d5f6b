"""Which queues feed which functions, kept in the catalog."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.event_sources import Course, EventSource, Feeder
from sagelocal.cloud.functions import name_of
from sagelocal.cloud.sqs_directory import queue_name
from sagelocal.values import JsonObject

_AT_ONCE = 5
"""Events of one queue that are dealt with at the same time: what Lambda begins with (Lambda developer guide, "Scaling")."""
_MOST_RECEIVED = 10
REPORTS = "ReportBatchItemFailures"
"""The FunctionResponseType of a function that names the messages it has failed on."""


class EventSourceMappings:
    """The mappings that were created, by UUID, and the configuration's; those enabled are fed while this is open.

    Args:
        catalog: where created mappings are recorded.
        feeder: gives the messages to the functions.
        clock: where moments come from.
        grace: seconds that invocations under way have to finish, when this is closed.

    Raises:
        MachineError: from all methods but `close`, when the state cannot be read or written.
    """

    def __init__(self, catalog: Catalog, feeder: Feeder, clock: Clock, grace: float = 0.0) -> None:
        self._catalog = catalog
        self._feeder = feeder
        self._clock = clock
        self._grace = grace
        self._configured: list[EventSource] = []
        self._feeding: dict[str, list[tuple[asyncio.Task[None], Course]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def begin(self, configured: Iterable[EventSource]) -> None:
        """Feed from these and from what was created earlier."""
        for source in configured:
            self._configured.append(source)
            self._feed(f"{source.queue} {source.function}", source)
        for mapping in self.all():
            self._follow(mapping)

    async def close(self) -> None:
        """Feed no more; the messages of invocations that do not finish in time stay in their queues."""
        for identity in list(self._feeding):
            self._halt(identity)
        if not self._ending:
            return
        _, late = await asyncio.wait(self._ending, timeout=self._grace)
        for task in late:
            task.cancel()
        ended, _ = await asyncio.wait(self._ending)
        for task in ended:
            if not task.cancelled():
                task.result()

    def all(self) -> list[dict[str, Any]]:
        """The EventSourceMappingConfigurations of all created mappings, by UUID."""
        found = (dict(entity.describe) for entity in self._catalog.list(Kind.EVENT_SOURCE_MAPPING))
        return sorted(found, key=lambda mapping: str(mapping["UUID"]))

    def get(self, identity: str) -> dict[str, Any] | None:
        entity = self._catalog.get(Kind.EVENT_SOURCE_MAPPING, identity)
        return None if entity is None else dict(entity.describe)

    def same(self, queue: str, function: str) -> str | None:
        """What feeds this function from this queue already: a UUID, or "sagelocal.toml"; None: nothing does."""
        wanted = queue_name(queue), name_of(function)
        if wanted in [(queue_name(source.queue), name_of(source.function)) for source in self._configured]:
            return "sagelocal.toml"
        ours = ((_source(mapping), str(mapping["UUID"])) for mapping in self.all())
        return next(
            (uuid for each, uuid in ours if (queue_name(each.queue), name_of(each.function)) == wanted), None
        )

    def create(self, mapping: JsonObject) -> dict[str, Any]:
        """Record a mapping under a new UUID, and feed from it."""
        return self.put({**mapping, "UUID": str(uuid.uuid4())})

    def put(self, mapping: JsonObject) -> dict[str, Any]:
        """Record a mapping in place of that of its UUID; an invocation under way is finished."""
        now = self._clock.now()
        kept = {**mapping, "LastModified": now, "StateTransitionReason": "USER_INITIATED"}
        self._catalog.put(Entity(Kind.EVENT_SOURCE_MAPPING, str(mapping["UUID"]), now, kept))
        self._follow(kept)
        return kept

    def delete(self, identity: str) -> None:
        """Forget a mapping; an invocation under way is finished."""
        self._catalog.delete(Kind.EVENT_SOURCE_MAPPING, identity)
        self._halt(identity)

    def _follow(self, mapping: JsonObject) -> None:
        identity = str(mapping["UUID"])
        self._halt(identity)
        if mapping["State"] == "Enabled":
            self._feed(identity, _source(mapping))

    def _feed(self, identity: str, source: EventSource) -> None:
        courses = [Course() for _ in range(_AT_ONCE)]
        self._feeding[identity] = [
            (asyncio.create_task(self._feeder.feed(source, course), name=f"feeds {source.function}"), course)
            for course in courses
        ]

    def _halt(self, identity: str) -> None:
        for task, course in self._feeding.pop(identity, []):
            course.over = True
            if not course.giving:
                task.cancel()
            self._ending.add(task)


def _source(mapping: JsonObject) -> EventSource:
    have: Any = mapping
    return EventSource(
        queue=have["EventSourceArn"],
        function=have["FunctionArn"],
        batch=min(have["BatchSize"], _MOST_RECEIVED),
        partial=REPORTS in have["FunctionResponseTypes"],
    )
