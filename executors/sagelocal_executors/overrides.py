"""Given properties instead of, or beside, those that a job has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sagelocal.jobs import Executor, Failed, Job, Outcome, Succeeded
from sagelocal.values import Json, JsonObject


def _as_it_is(_step: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Overridden:
    """An executor that gives what is given for its steps, instead of or beside what the job gave.

    Attributes:
        overrides: per step, properties that are merged over those of a success.
        errors: per step, the class of its failures for retry policies; empty: as it is.
    """

    executor: Executor
    overrides: Callable[[str], JsonObject]
    errors: Callable[[str], str] = _as_it_is

    async def run(self, job: Job) -> Outcome:
        outcome = await self.executor.run(job)
        if isinstance(outcome, Failed):
            return replace(outcome, error=self.errors(job.step) or outcome.error)
        given = self.overrides(job.step)
        if not isinstance(outcome, Succeeded) or not given:
            return outcome
        return replace(outcome, properties=merged(outcome.properties, given))


def merged(base: JsonObject, over: JsonObject) -> JsonObject:
    """`base` with the members of `over`; where both are objects, those are merged likewise."""
    return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}


def _merge(base: Json, over: Json) -> Json:
    return merged(base, over) if isinstance(base, Mapping) and isinstance(over, Mapping) else over
