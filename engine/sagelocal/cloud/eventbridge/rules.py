"""The rules of the default bus, with their targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.eventbridge.expressions import Expression, rule_expression
from sagelocal.cloud.eventbridge.pattern import Pattern, parse_pattern
from sagelocal.names import Partition

BUS = "default"
DISABLED = "DISABLED"


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        pattern_text: its EventPattern; empty when it has none.
        expression_text: its ScheduleExpression; empty when it has none.
        state: ``ENABLED``, ``DISABLED`` or ``ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS``.
        created: when it was made or enabled last, in seconds since the epoch: a rate counts from then.
        targets: as PutTargets took them, by Id.
    """

    name: str
    arn: str
    created: float
    pattern_text: str = ""
    expression_text: str = ""
    state: str = "ENABLED"
    description: str = ""
    role: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        return self.state != DISABLED

    @cached_property
    def pattern(self) -> Pattern | None:
        """Which events it wants."""
        return parse_pattern(self.pattern_text) if self.pattern_text else None

    @cached_property
    def expression(self) -> Expression | None:
        """When it is due."""
        return rule_expression(self.expression_text) if self.expression_text else None

    def read(self) -> tuple[Pattern | None, Expression | None]:
        """Both; those of a rule that is kept have been read before.

        Raises:
            PatternError: the pattern cannot be read.
            TimingError: the expression cannot.
        """
        return self.pattern, self.expression

    def following(self, moment: float) -> float | None:
        """When it is due next after a moment; None: never."""
        if not self.enabled or self.expression is None:
            return None
        return self.expression.following(max(moment, self.created), self.created)

    def described(self) -> dict[str, Any]:
        """The rule as DescribeRule and ListRules have it."""
        found = {
            "Name": self.name,
            "Arn": self.arn,
            "EventPattern": self.pattern_text,
            "ScheduleExpression": self.expression_text,
            "State": self.state,
            "Description": self.description,
            "RoleArn": self.role,
            "EventBusName": BUS,
        }
        return {key: value for key, value in found.items() if value}


class Rules:
    """All of them, held in memory: every event of every step asks which rules want it."""

    def __init__(self, catalog: Catalog, partition: Partition) -> None:
        self._catalog = catalog
        self._partition = partition
        self._rules = {entity.name: _rule(entity) for entity in catalog.list(Kind.RULE)}

    def __iter__(self) -> Iterator[Rule]:
        return iter(list(self._rules.values()))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def get(self, name: str) -> Rule | None:
        return self._rules.get(name)

    def arn(self, name: str) -> str:
        return f"arn:aws:events:{self._partition.region}:{self._partition.account}:rule/{name}"

    def keep(self, rule: Rule) -> None:
        """Keep the rule as it is now."""
        kept = {name: value for name, value in asdict(rule).items() if name != "created"}
        self._catalog.put(Entity(Kind.RULE, rule.name, rule.created, kept))
        self._rules[rule.name] = rule

    def delete(self, name: str) -> None:
        self._catalog.delete(Kind.RULE, name)
        self._rules.pop(name, None)


def _rule(entity: Entity) -> Rule:
    kept: Any = entity.describe
    return Rule(created=entity.created, **kept)
