"""The default bus: events to the targets of the rules that want them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sagelocal.cloud.eventbridge.deliveries import Deliveries, Delivery, Tell
from sagelocal.cloud.eventbridge.events import Event, envelope
from sagelocal.cloud.eventbridge.inputs import InputError, parameters, payload
from sagelocal.cloud.eventbridge.rules import Rule, Rules
from sagelocal.names import Partition


class Bus:
    """Takes events from anywhere: from PutEvents, from executions, from schedules.

    Args:
        tell: tells a person of an event that has not what a target asks for.
    """

    def __init__(self, rules: Rules, deliveries: Deliveries, partition: Partition, tell: Tell) -> None:
        self._rules = rules
        self._deliveries = deliveries
        self._partition = partition
        self._tell = tell
        self._open = True

    @property
    def wanted(self) -> bool:
        """Whether there are rules at all: without any, nobody needs to make events."""
        return self._open and bool(self._rules)

    def put(self, events: Iterable[Event]) -> list[str]:
        """Send each event to the targets of every enabled rule whose pattern matches; the events' ids are returned."""
        identities = []
        for event in events:
            whole = envelope(event, self._partition)
            identities.append(str(whole["id"]))
            for rule in self._rules if self._open else ():
                if rule.enabled and rule.pattern is not None and rule.pattern.matches(whole):
                    self.send(rule, whole)
        return identities

    def send(self, rule: Rule, event: Mapping[str, Any]) -> None:
        """Send an event, in its envelope, to the targets of a rule."""
        for target in rule.targets.values() if self._open else ():
            sender = f"rule {rule.name}"
            variables = {"aws.events.rule-arn": rule.arn, "aws.events.rule-name": rule.name}
            variables["aws.events.event.ingestion-time"] = event["time"]
            try:
                text, values = payload(target, event, variables), parameters(target, event)
            except InputError as error:
                self._tell(f"{sender}: {target['Arn']}: {error}")
                continue
            group = (target.get("SqsParameters") or {}).get("MessageGroupId")
            self._deliveries.send(Delivery(sender, target["Arn"], text, values, group))

    def close(self) -> None:
        """Send nothing more."""
        self._open = False
