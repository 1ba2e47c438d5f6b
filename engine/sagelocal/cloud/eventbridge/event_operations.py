"""EventBridge as a service: its operations on events and buses, and those on rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.eventbridge.bus import Bus
from sagelocal.cloud.eventbridge.events import Event
from sagelocal.cloud.eventbridge.pattern import PatternError, parse_pattern
from sagelocal.cloud.eventbridge.rule_operations import RuleOperations, check_bus
from sagelocal.cloud.eventbridge.rules import BUS
from sagelocal.cloud.protocols.service import Call, RefusedError, Service
from sagelocal.names import Partition
from sagelocal.values import JsonObject

_REQUIRED = ("Source", "DetailType", "Detail")


class EventBridge:
    """The operations of ``events``."""

    def __init__(self, bus: Bus, rules: RuleOperations, partition: Partition, clock: Clock) -> None:
        self._bus = bus
        self._rules = rules
        self._partition = partition
        self._clock = clock

    def service(self) -> Service:
        """Its operations."""
        table = {
            **self._rules.table(),
            "DescribeEventBus": self._describe_bus,
            "ListEventBuses": lambda _: {"EventBuses": [self._default()]},
            "PutEvents": self._put_events,
            "TestEventPattern": self._test_pattern,
        }
        return Service("events", table)

    def _default(self) -> dict[str, Any]:
        region, account = self._partition.region, self._partition.account
        return {"Name": BUS, "Arn": f"arn:aws:events:{region}:{account}:event-bus/{BUS}"}

    def _describe_bus(self, call: Call) -> JsonObject:
        name = call.arguments.get("Name", BUS).rpartition("/")[2]
        if name != BUS:
            raise RefusedError("ResourceNotFoundException", f"Event bus {name} does not exist.")
        return self._default()

    def _put_events(self, call: Call) -> JsonObject:
        results = [self._put(entry) for entry in call.arguments["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put(self, entry: Mapping[str, Any]) -> dict[str, str]:
        fault = _fault(entry)
        if fault:
            return dict(zip(("ErrorCode", "ErrorMessage"), fault, strict=True))
        event = Event(
            entry["Source"],
            entry["DetailType"],
            json.loads(entry["Detail"]),
            entry.get("Time", self._clock.now()),
            entry.get("Resources", []),
        )
        return {"EventId": self._bus.put([event])[0]}

    def _test_pattern(self, call: Call) -> JsonObject:
        try:
            pattern = parse_pattern(call.arguments["EventPattern"])
        except PatternError as error:
            message = f"Event pattern is not valid. Reason: {error}"
            raise RefusedError("InvalidEventPatternException", message) from None
        try:
            event = json.loads(call.arguments["Event"])
        except (ValueError, RecursionError):
            raise RefusedError("ValidationException", "Parameter Event is not valid.") from None
        return {"Result": isinstance(event, dict) and pattern.matches(event)}


def _fault(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """Code and text of what is wrong with an entry of PutEvents; None when nothing is."""
    for name in _REQUIRED:
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    if entry["Source"].startswith("aws."):
        return "NotAuthorizedForSource", "Not authorized for the source."
    try:
        check_bus(Call(entry))
    except RefusedError as error:
        return error.code, str(error)
    try:
        content = json.loads(entry["Detail"])
    except (ValueError, RecursionError):
        content = None
    return None if isinstance(content, dict) else ("MalformedDetail", "Detail is malformed.")
