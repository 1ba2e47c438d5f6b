"""Jobs kept in the catalogue, as the account of SageMaker keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from sagelocal.clock import Clock
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.jobs import Executor, Job, Outcome


@dataclass(frozen=True, slots=True)
class Recorded:
    """An executor whose jobs can be described once they have ended.

    Attributes:
        kind: what its jobs are.
    """

    executor: Executor
    kind: Kind
    catalog: Catalog
    clock: Clock

    async def run(self, job: Job) -> Outcome:
        created = self.clock.now()
        outcome = await self.executor.run(job)
        if outcome.properties:  # else it was refused before it was created
            self.catalog.put(Entity(self.kind, job.name, created, outcome.properties))
        return outcome
