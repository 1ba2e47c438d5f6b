"""Given properties instead of, or beside, those that a job has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sagelocal.jobs import Executor, Job, Outcome, Succeeded
from sagelocal.values import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Overridden:
    """An executor whose successes get the properties that `overrides` gives for the step, merged over its own."""

    executor: Executor
    overrides: Callable[[str], JsonObject]

    async def run(self, job: Job) -> Outcome:
        outcome = await self.executor.run(job)
        given = self.overrides(job.step)
        if not isinstance(outcome, Succeeded) or not given:
            return outcome
        return replace(outcome, properties=merged(outcome.properties, given))


def merged(base: JsonObject, over: JsonObject) -> JsonObject:
    """`base` with the members of `over`; where both are objects, those are merged likewise."""
    return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}


def _merge(base: Json, over: Json) -> Json:
    return merged(base, over) if isinstance(base, Mapping) and isinstance(over, Mapping) else over
