"""QualityCheck steps: the quality of data, or of a model's predictions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog
from sagelocal.jobs import Executor, Job, Outcome
from sagelocal.logs import StepLog
from sagelocal_executors.checks.requests import CheckRequest
from sagelocal_executors.checks.running import Checker, Environment
from sagelocal_executors.tools import Tools


@dataclass(frozen=True, slots=True)
class QualityCheckExecutor:
    """Runs the processing job of a QualityCheck step and compares what it found with a baseline.

    Attributes:
        processing: runs that job.
        catalog: has the model packages with their baselines; gets the record of the job.
    """

    processing: Executor
    tools: Tools
    catalog: Catalog

    async def run(self, job: Job) -> Outcome:
        return await Checker(self.processing, self.tools, self.catalog, _alone).run(job)


@asynccontextmanager
async def _alone(_job: Job, _request: CheckRequest, _log: StepLog) -> AsyncIterator[Environment]:
    yield {}
