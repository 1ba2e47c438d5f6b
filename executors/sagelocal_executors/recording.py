"""Jobs kept in the catalogue, as the account of SageMaker keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog, Entity
from sagelocal.cloud.job_records import JOB_KINDS, created
from sagelocal.jobs import Executor, Job, Outcome
from sagelocal.values import JsonObject


@dataclass(frozen=True, slots=True)
class Recorder:
    """Keeps the Describe answers of jobs, whether they are under way or have ended."""

    catalog: Catalog

    def keep(self, job: Job, describe: JsonObject) -> None:
        """Keep what is known of a job now."""
        self.catalog.put(Entity(JOB_KINDS[job.kind].kind, job.name, created(describe), describe))


@dataclass(frozen=True, slots=True)
class Recorded:
    """An executor whose jobs can be described when they have ended."""

    executor: Executor
    recorder: Recorder

    async def run(self, job: Job) -> Outcome:
        outcome = await self.executor.run(job)
        if outcome.properties:  # else it was refused before it was created
            self.recorder.keep(job, outcome.properties)
        return outcome
