"""ClarifyCheck steps: bias of data, bias of a model, and what a model's predictions come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.invocations import Invocations
from sagelocal.jobs import Executor, Job, Outcome
from sagelocal.logs import StepLog
from sagelocal_executors.checks.analysis import instances_wanted, model_to_ask, read_analysis
from sagelocal_executors.checks.requests import CheckRequest
from sagelocal_executors.checks.running import Checker, Environment
from sagelocal_executors.serving import served
from sagelocal_executors.tools import Tools

_ENDPOINT = "SAGELOCAL_ENDPOINT_NAME"
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class ClarifyCheckExecutor:
    """Runs the processing job of a ClarifyCheck step, with its model behind an endpoint of its own, if it asks one.

    Attributes:
        processing: runs that job.
        catalog: has the models, and the model packages with their baselines; gets the record of the job.
        invocations: where the job reaches the model.
    """

    processing: Executor
    tools: Tools
    catalog: Catalog
    invocations: Invocations

    async def run(self, job: Job) -> Outcome:
        return await Checker(self.processing, self.tools, self.catalog, self._model).run(job)

    @asynccontextmanager
    async def _model(self, job: Job, request: CheckRequest, log: StepLog) -> AsyncIterator[Environment]:
        """Serve the model as long as the job runs: SageMaker's shadow endpoint (semantics 08 §8.7)."""
        model = None if self.tools.stubbed(job.step) else await self._wanted(request, log)
        if model is None:
            yield {}
            return
        name = _endpoint_name(job)
        # Under a name of its own: at its end the processing job removes the folder that has the job's.
        shadow = replace(job, name=f"{job.name}-shadow")
        async with served(
            self.tools, self.catalog, shadow, model, log, instance="model", alone=False
        ) as server:
            with self.invocations.open(name, server.invoke):
                log.note(f"model {model} answers as endpoint {name}")
                yield {_ENDPOINT: name}

    async def _wanted(self, request: CheckRequest, log: StepLog) -> str | None:
        config = await read_analysis(self.tools.objects, request)
        model = model_to_ask(request, config)
        if model is not None and instances_wanted(config) > 1:
            log.note(f"one instance of the model serves, not {instances_wanted(config)}")
        return model


def _endpoint_name(job: Job) -> str:
    """The name of the shadow endpoint; it keeps the end of the job's name, which no other job has."""
    beginning = "sm-clarify-"
    kept = job.name.removeprefix("pipelines-")[len(beginning) - _LONGEST_NAME :]
    return beginning + kept.lstrip("-")
