"""The schedules of EventBridge Scheduler, in their groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.eventbridge.expressions import Expression, schedule_expression
from sagelocal.names import Partition
from sagelocal.values import JsonObject

DEFAULT = "default"
_PRECISION = 60.0
"""Seconds within which Scheduler invokes its targets: what was due so shortly before it was asked for is due now."""


@dataclass(frozen=True)
class Schedule:
    """A schedule.

    Attributes:
        given: the members that CreateSchedule or UpdateSchedule was given, defaults filled in.
        created: in seconds since the epoch; `modified` likewise.
        token: the ClientToken that it was created with.
    """

    group: str
    name: str
    arn: str
    given: Mapping[str, Any]
    created: float
    modified: float
    token: str = ""

    @property
    def key(self) -> str:
        return f"{self.group}/{self.name}"

    @cached_property
    def expression(self) -> Expression:
        """When it is due.

        Raises:
            TimingError: it cannot be read; that of a schedule that is kept can.
        """
        return schedule_expression(self.given["ScheduleExpression"], self.given["ScheduleExpressionTimezone"])

    def first(self) -> float | None:
        """When it is due for the first time since it was made or changed; None: never."""
        return self.following(self.modified - _PRECISION)

    def following(self, moment: float) -> float | None:
        """When it is due next after a moment; None: never."""
        if self.given["State"] != "ENABLED":
            return None
        found = self.expression.following(moment, self.given.get("StartDate", self.modified))
        end: float | None = self.given.get("EndDate")
        return None if found is None or (end is not None and found > end) else found


class Schedules:
    """All of them, and their groups, in the catalog."""

    def __init__(self, catalog: Catalog, partition: Partition) -> None:
        self._catalog = catalog
        self._prefix = f"arn:aws:scheduler:{partition.region}:{partition.account}"

    def all(self) -> list[Schedule]:
        return [_schedule(entity) for entity in self._catalog.list(Kind.SCHEDULE)]

    def get(self, key: str) -> Schedule | None:
        """The schedule ``<group>/<name>``."""
        entity = self._catalog.get(Kind.SCHEDULE, key)
        return None if entity is None else _schedule(entity)

    def arn(self, group: str, name: str) -> str:
        return f"{self._prefix}:schedule/{group}/{name}"

    def keep(self, schedule: Schedule) -> None:
        kept: dict[str, Any] = {
            "group": schedule.group,
            "name": schedule.name,
            "arn": schedule.arn,
            "given": schedule.given,
            "modified": schedule.modified,
            "token": schedule.token,
        }
        self._catalog.put(Entity(Kind.SCHEDULE, schedule.key, schedule.created, kept))

    def delete(self, key: str) -> None:
        self._catalog.delete(Kind.SCHEDULE, key)

    def groups(self, opened: float) -> list[JsonObject]:
        """All groups as GetScheduleGroup has them; the default one is as old as the account, `opened` say."""
        default = self.new_group(DEFAULT, opened)
        return [default, *(entity.describe for entity in self._catalog.list(Kind.SCHEDULE_GROUP))]

    def new_group(self, name: str, now: float) -> dict[str, Any]:
        return {
            "Arn": f"{self._prefix}:schedule-group/{name}",
            "Name": name,
            "State": "ACTIVE",
            "CreationDate": now,
            "LastModificationDate": now,
        }

    def keep_group(self, group: Mapping[str, Any]) -> None:
        self._catalog.put(Entity(Kind.SCHEDULE_GROUP, group["Name"], group["CreationDate"], group))

    def delete_group(self, name: str) -> None:
        self._catalog.delete(Kind.SCHEDULE_GROUP, name)


def _schedule(entity: Entity) -> Schedule:
    kept: Any = entity.describe
    return Schedule(created=entity.created, **kept)
