"""EventBridge's operations on rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.eventbridge.expressions import TimingError
from sagelocal.cloud.eventbridge.pattern import PatternError
from sagelocal.cloud.eventbridge.rules import BUS, DISABLED, Rule, Rules
from sagelocal.cloud.protocols.pages import BadTokenError, page
from sagelocal.cloud.protocols.service import Call, Operation, RefusedError
from sagelocal.values import JsonObject

_PAGE = 100
_ENABLED = "ENABLED"
_MOST_TARGETS = 5
_INVALID = "ValidationException"

Changed = Callable[[Rule], None]
"""Told of every rule that is made, changed or deleted; a deleted one is disabled."""


class RuleOperations:
    """On rules and their targets; there is the default bus only."""

    def __init__(self, rules: Rules, clock: Clock, changed: Changed) -> None:
        self._rules = rules
        self._clock = clock
        self._changed = changed

    def table(self) -> dict[str, Operation]:
        """Its operations."""
        return {
            "DeleteRule": self._delete,
            "DescribeRule": lambda call: self._existing(call, call.arguments["Name"]).described(),
            "DisableRule": lambda call: self._set_state(call, DISABLED),
            "EnableRule": lambda call: self._set_state(call, _ENABLED),
            "ListRuleNamesByTarget": self._list_by_target,
            "ListRules": self._list,
            "ListTagsForResource": self._list_tags,
            "ListTargetsByRule": self._list_targets,
            "PutRule": self._put,
            "PutTargets": self._put_targets,
            "RemoveTargets": self._remove_targets,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    def _put(self, call: Call) -> JsonObject:
        check_bus(call)
        given, name = call.arguments, call.arguments["Name"]
        if not given.get("EventPattern") and not given.get("ScheduleExpression"):
            message = "Parameter(s) EventPattern or ScheduleExpression must be specified."
            raise RefusedError(_INVALID, message)
        old = self._rules.get(name)
        rule = Rule(
            name,
            self._rules.arn(name),
            self._clock.now(),
            given.get("EventPattern", ""),
            given.get("ScheduleExpression", ""),
            given.get("State", _ENABLED),
            given.get("Description", ""),
            given.get("RoleArn", ""),
            old.tags if old else {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])},
            old.targets if old else {},
        )
        _check(rule)
        self._keep(rule)
        return {"RuleArn": rule.arn}

    def _delete(self, call: Call) -> JsonObject:
        check_bus(call)
        rule = self._rules.get(call.arguments["Name"])
        if rule is None:
            return {}
        if rule.targets:
            raise RefusedError(_INVALID, "Rule can't be deleted since it has targets.")
        self._rules.delete(rule.name)
        self._changed(replace(rule, state=DISABLED))
        return {}

    def _set_state(self, call: Call, state: str) -> JsonObject:
        rule = self._existing(call, call.arguments["Name"])
        created = rule.created if rule.enabled else self._clock.now()
        self._keep(replace(rule, state=state, created=created))
        return {}

    def _list(self, call: Call) -> JsonObject:
        check_bus(call)
        prefix = call.arguments.get("NamePrefix", "")
        found = [rule for rule in self._rules if rule.name.startswith(prefix)]
        return _paged(call, "Rules", found, lambda rule: rule.name, Rule.described)

    def _list_by_target(self, call: Call) -> JsonObject:
        check_bus(call)
        wanted = call.arguments["TargetArn"]
        found = [
            rule.name
            for rule in self._rules
            if any(target["Arn"] == wanted for target in rule.targets.values())
        ]
        return _paged(call, "RuleNames", found, str, str)

    def _put_targets(self, call: Call) -> JsonObject:
        rule = self._existing(call, call.arguments["Rule"])
        given = call.arguments["Targets"]
        for target in given:
            _check_target(target)
        targets = {**rule.targets, **{target["Id"]: target for target in given}}
        if len(targets) > _MOST_TARGETS:
            message = f"The requested resource exceeds the maximum number allowed: a rule has at most {_MOST_TARGETS} targets."
            raise RefusedError("LimitExceededException", message)
        self._keep(replace(rule, targets=targets))
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def _remove_targets(self, call: Call) -> JsonObject:
        rule = self._existing(call, call.arguments["Rule"])
        gone = set(call.arguments["Ids"])
        failed = [
            {
                "TargetId": identity,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {rule.name} does not have a target with the Id {identity}.",
            }
            for identity in sorted(gone - set(rule.targets))
        ]
        targets = {identity: target for identity, target in rule.targets.items() if identity not in gone}
        self._keep(replace(rule, targets=targets))
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    def _list_targets(self, call: Call) -> JsonObject:
        targets = self._existing(call, call.arguments["Rule"]).targets
        return _paged(call, "Targets", targets, str, lambda identity: targets[identity])

    def _list_tags(self, call: Call) -> JsonObject:
        tags = self._tagged(call).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tag(self, call: Call) -> JsonObject:
        rule = self._tagged(call)
        given = {tag["Key"]: tag["Value"] for tag in call.arguments["Tags"]}
        self._rules.keep(replace(rule, tags={**rule.tags, **given}))
        return {}

    def _untag(self, call: Call) -> JsonObject:
        rule, gone = self._tagged(call), call.arguments["TagKeys"]
        self._rules.keep(
            replace(rule, tags={key: value for key, value in rule.tags.items() if key not in gone})
        )
        return {}

    def _tagged(self, call: Call) -> Rule:
        arn = call.arguments["ResourceARN"]
        for rule in self._rules:
            if rule.arn == arn:
                return rule
        raise RefusedError(
            "ResourceNotFoundException", f"Rule {arn.rpartition('/')[2]} does not exist on EventBus {BUS}."
        )

    def _existing(self, call: Call, name: str) -> Rule:
        check_bus(call)
        rule = self._rules.get(name)
        if rule is None:
            message = f"Rule {name} does not exist on EventBus {BUS}."
            raise RefusedError("ResourceNotFoundException", message)
        return rule

    def _keep(self, rule: Rule) -> None:
        self._rules.keep(rule)
        self._changed(rule)


def check_bus(call: Call) -> None:
    """Make sure that a call is about the default bus, by name or ARN.

    Raises:
        RefusedError: ResourceNotFoundException.
    """
    name = call.arguments.get("EventBusName", BUS).rpartition("/")[2]
    if name != BUS:
        raise RefusedError("ResourceNotFoundException", f"Event bus {name} does not exist.")


def _check(rule: Rule) -> None:
    try:
        rule.read()
    except PatternError as error:
        message = f"Event pattern is not valid. Reason: {error}"
        raise RefusedError("InvalidEventPatternException", message) from None
    except TimingError:
        raise RefusedError(_INVALID, "Parameter ScheduleExpression is not valid.") from None


def _check_target(target: dict[str, Any]) -> None:
    identity, arn = target["Id"], target["Arn"]
    if len(arn.split(":")) < 6 or not arn.startswith("arn:"):
        message = f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
        raise RefusedError(_INVALID, message)
    if ":sagemaker:" in arn and not target.get("RoleArn"):
        raise RefusedError(_INVALID, f"RoleArn is required for target {arn}.")
    if sum(key in target for key in ("Input", "InputPath", "InputTransformer")) > 1:
        message = f"Only one of Input, InputPath, or InputTransformer must be provided for target {identity}."
        raise RefusedError(_INVALID, message)


def _paged(
    call: Call, member: str, items: Iterable[Any], key: Callable[[Any], str], show: Callable[[Any], Any]
) -> JsonObject:
    try:
        shown, token = page(items, call.arguments.get("Limit", _PAGE), call.arguments.get("NextToken"), key)
    except BadTokenError:
        raise RefusedError(_INVALID, "Parameter NextToken is not valid.") from None
    return {member: [show(item) for item in shown], **({"NextToken": token} if token else {})}
