"""The shadow endpoint of a Clarify job: its model, served here as long as the job runs (semantics 08 §8.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.invocations import Invocations
from sagelocal.jobs import Job
from sagelocal.logs import StepLog
from sagelocal.values import JsonObject
from sagelocal_executors.checks.analysis import instances_wanted
from sagelocal_executors.checks.running import Environment
from sagelocal_executors.serving import served
from sagelocal_executors.tools import Tools

_ENDPOINT = "SAGELOCAL_ENDPOINT_NAME"
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Shadows:
    """Opens shadow endpoints.

    Attributes:
        catalog: has the models.
        invocations: where a job reaches its model.
    """

    tools: Tools
    catalog: Catalog
    invocations: Invocations

    @asynccontextmanager
    async def open(
        self, job: Job, model: str, config: JsonObject, log: StepLog
    ) -> AsyncIterator[Environment]:
        """Serve the model; gives the variables by which the job's container finds it.

        Raises:
            JobError: the model does not exist or does not start, or has died.
        """
        if instances_wanted(config) > 1:
            log.note(f"one instance of the model serves, not {instances_wanted(config)}")
        name = _endpoint_name(job)
        # Under a name of its own: at its end the processing job removes the folder that has the job's.
        shadow = replace(job, name=f"{job.name}-shadow")
        async with served(
            self.tools, self.catalog, shadow, model, log, instance="model", alone=False
        ) as server:
            with self.invocations.open(name, server.invoke):
                log.note(f"model {model} answers as endpoint {name}")
                yield {_ENDPOINT: name}


def _endpoint_name(job: Job) -> str:
    """The name of the shadow endpoint; it keeps the end of the job's name, which no other job has."""
    beginning = "sm-clarify-"
    kept = job.name.removeprefix("pipelines-")[len(beginning) - _LONGEST_NAME :]
    return beginning + kept.lstrip("-")
