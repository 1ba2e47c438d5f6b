"""What becomes due by itself: rules with a schedule, and schedules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from uuid import uuid4

from sagelocal.clock import Clock
from sagelocal.cloud.eventbridge.bus import Bus
from sagelocal.cloud.eventbridge.deliveries import Deliveries, Delivery, Tell
from sagelocal.cloud.eventbridge.events import Event, envelope, seconds
from sagelocal.cloud.eventbridge.rules import Rule, Rules
from sagelocal.cloud.eventbridge.schedules import Schedule, Schedules
from sagelocal.cloud.eventbridge.timetable import Timetable
from sagelocal.errors import SagelocalError
from sagelocal.names import Partition

_RULE, _SCHEDULE = "rule", "schedule"
_DETAIL_TYPE = "Scheduled Event"


class Agenda:
    """Performs what is due while it is entered; what became due before is not made up for.

    Args:
        tell: tells a person what could not be done.
    """

    def __init__(
        self,
        rules: Rules,
        schedules: Schedules,
        bus: Bus,
        deliveries: Deliveries,
        *,
        clock: Clock,
        partition: Partition,
        tell: Tell,
    ) -> None:
        self._rules = rules
        self._schedules = schedules
        self._bus = bus
        self._deliveries = deliveries
        self._clock = clock
        self._partition = partition
        self._tell = tell
        self._timetable = Timetable(clock, self._perform)

    async def __aenter__(self) -> Self:
        now = self._clock.now()
        for rule in self._rules:
            self._timetable.put(f"{_RULE}:{rule.name}", rule.following(now))
        for schedule in self._schedules.all():
            self._timetable.put(f"{_SCHEDULE}:{schedule.key}", schedule.following(now))
        await self._timetable.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timetable.__aexit__(kind, error, trace)

    def rule_changed(self, rule: Rule) -> None:
        self._timetable.put(f"{_RULE}:{rule.name}", rule.following(self._clock.now()))

    def schedule_changed(self, schedule: Schedule, there: bool) -> None:
        self._timetable.put(f"{_SCHEDULE}:{schedule.key}", schedule.first() if there else None)

    def _perform(self, key: str, due: float) -> None:
        kind, _, name = key.partition(":")
        try:
            following = self._of_rule(name, due) if kind == _RULE else self._of_schedule(name, due)
        except SagelocalError as error:
            self._tell(f"{kind} {name}: {error}")
        else:
            self._timetable.put(key, following)

    def _of_rule(self, name: str, due: float) -> float | None:
        rule = self._rules.get(name)
        if rule is None:
            return None
        event = Event("aws.events", _DETAIL_TYPE, {}, due, [rule.arn])
        self._bus.send(rule, envelope(event, self._partition))
        return rule.following(max(due, self._clock.now()))

    def _of_schedule(self, key: str, due: float) -> float | None:
        schedule = self._schedules.get(key)
        if schedule is None:
            return None
        self._invoke(schedule, due)
        following = schedule.following(max(due, self._clock.now()))
        if following is None and schedule.given["ActionAfterCompletion"] == "DELETE":
            self._schedules.delete(key)
        return following

    def _invoke(self, schedule: Schedule, due: float) -> None:
        target = schedule.given["Target"]
        context = {
            "<aws.scheduler.schedule-arn>": schedule.arn,
            "<aws.scheduler.scheduled-time>": seconds(due),
            "<aws.scheduler.execution-id>": str(uuid4()),
            "<aws.scheduler.attempt-number>": "1",
        }
        body = _filled(target["Input"], context) if "Input" in target else self._standard(schedule, due)
        if "EventBridgeParameters" in target:
            self._put_event(target["EventBridgeParameters"], body, due)
            return
        listed = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
        values = {each["Name"]: _filled(each["Value"], context) for each in listed}
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        self._deliveries.send(Delivery(f"schedule {schedule.key}", target["Arn"], body, values, group))

    def _standard(self, schedule: Schedule, due: float) -> str:
        """What a target is given without an Input."""
        event = Event("aws.scheduler", _DETAIL_TYPE, {}, due, [schedule.arn])
        return json.dumps({**envelope(event, self._partition), "detail": "{}"})

    def _put_event(self, given: Mapping[str, str], body: str, due: float) -> None:
        try:
            detail = json.loads(body)
        except (ValueError, RecursionError):
            detail = {}
        self._bus.put(
            [Event(given["Source"], given["DetailType"], detail if isinstance(detail, dict) else {}, due)]
        )


def _filled(text: str, context: Mapping[str, str]) -> str:
    for name, value in context.items():
        text = text.replace(name, value)
    return text
