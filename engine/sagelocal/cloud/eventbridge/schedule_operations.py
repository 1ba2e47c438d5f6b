"""EventBridge Scheduler as a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.eventbridge.expressions import TimingError
from sagelocal.cloud.eventbridge.schedules import DEFAULT, Schedule, Schedules
from sagelocal.cloud.protocols.pages import BadTokenError, page
from sagelocal.cloud.protocols.service import Call, RefusedError, Service
from sagelocal.values import JsonObject

_PAGE = 100
_INVALID = "ValidationException"
_MISSING = "ResourceNotFoundException"
_CONFLICT = "ConflictException"
_DEFAULTS = {
    "ScheduleExpressionTimezone": "UTC",
    "State": "ENABLED",
    "ActionAfterCompletion": "NONE",
}
_NOT_KEPT = ("Name", "GroupName", "ClientToken")

Changed = Callable[[Schedule, bool], None]
"""Told of every schedule that is made or changed, and with False of one that is deleted."""


class Scheduler:
    """The operations on schedules and their groups."""

    def __init__(self, schedules: Schedules, clock: Clock, changed: Changed) -> None:
        self._schedules = schedules
        self._clock = clock
        self._changed = changed
        self._opened = clock.now()

    def service(self) -> Service:
        """Its operations."""
        table = {
            "CreateSchedule": self._create,
            "CreateScheduleGroup": self._create_group,
            "DeleteSchedule": self._delete,
            "DeleteScheduleGroup": self._delete_group,
            "GetSchedule": lambda call: _described(self._existing(call)),
            "GetScheduleGroup": lambda call: self._group(call.arguments["Name"]),
            "ListScheduleGroups": self._list_groups,
            "ListSchedules": self._list,
            "ListTagsForResource": lambda call: {"Tags": self._tagged(call).get("Tags", [])},
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateSchedule": self._update,
        }
        return Service("scheduler", table)

    def _create(self, call: Call) -> JsonObject:
        group, name = _place(call)
        self._group(group)
        token, now = call.arguments.get("ClientToken", ""), self._clock.now()
        old = self._schedules.get(f"{group}/{name}")
        if old is not None:
            # A client that has heard no answer asks again with the same token.
            if token and old.token == token:
                return {"ScheduleArn": old.arn}
            raise RefusedError(_CONFLICT, f"Schedule {name} already exists.", 409)
        arn = self._schedules.arn(group, name)
        return self._keep(Schedule(group, name, arn, _given(call), now, now, token))

    def _update(self, call: Call) -> JsonObject:
        old = self._existing(call)
        now = self._clock.now()
        return self._keep(Schedule(old.group, old.name, old.arn, _given(call), old.created, now, old.token))

    def _keep(self, schedule: Schedule) -> JsonObject:
        text = schedule.given["ScheduleExpression"]
        try:
            assert schedule.expression, "every expression is true"
        except TimingError as error:
            reason = "" if str(error) == text else f" {error}"
            raise RefusedError(_INVALID, f"Invalid Schedule Expression {text}.{reason}") from None
        _check_target(schedule)
        self._schedules.keep(schedule)
        self._changed(schedule, True)
        return {"ScheduleArn": schedule.arn}

    def _delete(self, call: Call) -> JsonObject:
        self._drop(self._existing(call))
        return {}

    def _drop(self, schedule: Schedule) -> None:
        self._schedules.delete(schedule.key)
        self._changed(schedule, False)

    def _list(self, call: Call) -> JsonObject:
        given = call.arguments
        group, prefix, state = (given.get(key) for key in ("GroupName", "NamePrefix", "State"))
        if group is not None:
            self._group(group)
        found = [
            schedule
            for schedule in self._schedules.all()
            if (group is None or schedule.group == group)
            and schedule.name.startswith(prefix or "")
            and (state is None or schedule.given["State"] == state)
        ]
        return _paged(call, "Schedules", found, lambda schedule: schedule.key, _summary)

    def _create_group(self, call: Call) -> JsonObject:
        name = call.arguments["Name"]
        if any(group["Name"] == name for group in self._schedules.groups(self._opened)):
            raise RefusedError(_CONFLICT, f"Schedule group {name} already exists.", 409)
        group = self._schedules.new_group(name, self._clock.now())
        self._schedules.keep_group({**group, "Tags": call.arguments.get("Tags", [])})
        return {"ScheduleGroupArn": group["Arn"]}

    def _delete_group(self, call: Call) -> JsonObject:
        name = call.arguments["Name"]
        if name == DEFAULT:
            raise RefusedError(_INVALID, "The default schedule group cannot be deleted.")
        self._group(name)
        for schedule in self._schedules.all():
            if schedule.group == name:
                self._drop(schedule)
        self._schedules.delete_group(name)
        return {}

    def _list_groups(self, call: Call) -> JsonObject:
        prefix = call.arguments.get("NamePrefix", "")
        found = [
            group for group in self._schedules.groups(self._opened) if str(group["Name"]).startswith(prefix)
        ]
        return _paged(call, "ScheduleGroups", found, lambda group: str(group["Name"]), _untagged)

    def _group(self, name: str) -> dict[str, Any]:
        for group in self._schedules.groups(self._opened):
            if group["Name"] == name:
                return _untagged(group)
        raise RefusedError(_MISSING, f"Schedule group {name} does not exist.", 404)

    def _existing(self, call: Call) -> Schedule:
        group, name = _place(call)
        schedule = self._schedules.get(f"{group}/{name}")
        if schedule is None:
            self._group(group)
            raise RefusedError(_MISSING, f"Schedule {name} does not exist.", 404)
        return schedule

    def _tagged(self, call: Call) -> dict[str, Any]:
        """The group that has the ARN; schedules have no tags."""
        arn = call.arguments["ResourceArn"]
        for group in self._schedules.groups(self._opened):
            if group["Arn"] == arn and group["Name"] != DEFAULT:
                return dict(group)
        raise RefusedError(_MISSING, f"Schedule group {arn.rpartition('/')[2]} does not exist.", 404)

    def _tag(self, call: Call) -> JsonObject:
        group, given = self._tagged(call), call.arguments["Tags"]
        keys = {tag["Key"] for tag in given}
        kept = [tag for tag in group.get("Tags", []) if tag["Key"] not in keys]
        self._schedules.keep_group({**group, "Tags": [*kept, *given]})
        return {}

    def _untag(self, call: Call) -> JsonObject:
        group, gone = self._tagged(call), call.arguments["TagKeys"]
        kept = [tag for tag in group.get("Tags", []) if tag["Key"] not in gone]
        self._schedules.keep_group({**group, "Tags": kept})
        return {}


def _place(call: Call) -> tuple[str, str]:
    return call.arguments.get("GroupName", DEFAULT), call.arguments["Name"]


def _given(call: Call) -> dict[str, Any]:
    return {**_DEFAULTS, **{key: value for key, value in call.arguments.items() if key not in _NOT_KEPT}}


def _check_target(schedule: Schedule) -> None:
    arn = schedule.given["Target"]["Arn"]
    if len(arn.split(":")) < 6:
        raise RefusedError(_INVALID, "Provided Arn is not in correct format.")
    window = schedule.given["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        message = "MaximumWindowInMinutes must be provided when, and only when, the FlexibleTimeWindow's Mode is FLEXIBLE."
        raise RefusedError(_INVALID, message)


def _described(schedule: Schedule) -> dict[str, Any]:
    return {
        "Arn": schedule.arn,
        "GroupName": schedule.group,
        "Name": schedule.name,
        **schedule.given,
        "CreationDate": schedule.created,
        "LastModificationDate": schedule.modified,
    }


def _summary(schedule: Schedule) -> dict[str, Any]:
    return {
        "Arn": schedule.arn,
        "Name": schedule.name,
        "GroupName": schedule.group,
        "State": schedule.given["State"],
        "CreationDate": schedule.created,
        "LastModificationDate": schedule.modified,
        "Target": {"Arn": schedule.given["Target"]["Arn"]},
    }


def _untagged(group: JsonObject) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "Tags"}


def _paged(
    call: Call, member: str, items: Iterable[Any], key: Callable[[Any], str], show: Callable[[Any], Any]
) -> JsonObject:
    try:
        shown, token = page(
            items, call.arguments.get("MaxResults", _PAGE), call.arguments.get("NextToken"), key
        )
    except BadTokenError:
        raise RefusedError(_INVALID, "Invalid NextToken.") from None
    return {member: [show(item) for item in shown], **({"NextToken": token} if token else {})}
