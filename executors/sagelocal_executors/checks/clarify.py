"""ClarifyCheck steps: bias of data, bias of a model, and what a model's predictions come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sagelocal.jobs import Executor, Job, Outcome
from sagelocal.logs import StepLog
from sagelocal_executors.checks.analysis import model_to_ask, read_analysis
from sagelocal_executors.checks.requests import CheckRequest
from sagelocal_executors.checks.running import Checker, Environment
from sagelocal_executors.checks.shadow import Shadows


@dataclass(frozen=True, slots=True)
class ClarifyCheckExecutor:
    """Runs the processing job of a ClarifyCheck step, with its model behind an endpoint of its own, if it asks one.

    Attributes:
        processing: runs that job.
        shadows: where the job reaches the model; its catalogue has the model packages, and gets the record of the job.
    """

    processing: Executor
    shadows: Shadows

    async def run(self, job: Job) -> Outcome:
        return await Checker(self.processing, self.shadows.tools, self.shadows.catalog, self._model).run(job)

    @asynccontextmanager
    async def _model(self, job: Job, request: CheckRequest, log: StepLog) -> AsyncIterator[Environment]:
        """Serve the model as long as the job runs."""
        tools = self.shadows.tools
        if tools.stubbed(job.step):
            yield {}
            return
        config = await read_analysis(tools.objects, request.job)
        model = model_to_ask(request, config)
        if model is None:
            yield {}
            return
        async with self.shadows.open(job, model, config, log) as variables:
            yield variables
