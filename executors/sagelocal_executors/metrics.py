"""Metrics that a training job prints (semantics 08 §8.2, FinalMetricDataList)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from sagelocal.clock import Clock, iso
from sagelocal.values import JsonObject
from sagelocal_executors.faults import rejected
from sagelocal_executors.requests import MetricDefinition


class MetricReader:
    """Applies each metric's regular expression to each line; the last value of a metric counts.

    Args:
        listen: called with the metric's name and each value that it takes.

    Raises:
        JobError: an expression cannot be compiled, or captures no value.
    """

    def __init__(
        self,
        definitions: Iterable[MetricDefinition],
        clock: Clock,
        listen: Callable[[str, float], None] = lambda _name, _value: None,
    ) -> None:
        self._listen = listen
        self._patterns = {definition.name: _compile(definition) for definition in definitions}
        self._clock = clock
        self._last: dict[str, tuple[float, float]] = {}

    def read(self, line: str) -> None:
        for name, pattern in self._patterns.items():
            for match in pattern.finditer(line):
                value = _number(match.group(1))
                if value is not None:
                    self._last[name] = (value, self._clock.now())
                    self._listen(name, value)

    def final(self) -> list[JsonObject]:
        """FinalMetricDataList: the metrics seen, in the order of their definitions."""
        return [
            {"MetricName": name, "Value": self._last[name][0], "Timestamp": iso(self._last[name][1])}
            for name in self._patterns
            if name in self._last
        ]


def _compile(definition: MetricDefinition) -> re.Pattern[str]:
    try:
        pattern = re.compile(definition.regex)
    except re.error as error:
        raise rejected(
            "CreateTrainingJob", f"metric {definition.name!r}: invalid regex {definition.regex!r}: {error}"
        ) from None
    if not pattern.groups:
        raise rejected(
            "CreateTrainingJob",
            f"metric {definition.name!r}: regex {definition.regex!r} has no group: put (…) around the number",
        )
    return pattern


def _number(text: str | None) -> float | None:
    """The value, if it is one that JSON can say."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
