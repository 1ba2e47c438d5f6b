"""AutoML jobs (CreateAutoMLJob V1; semantics 02 §2.15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.objects import Objects
from sagelocal.jobs import Executor, Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog, StepLogs
from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject
from sagelocal_executors.auto_ml.children import Children, artifacts
from sagelocal_executors.auto_ml.describe import (
    Candidate,
    Ending,
    describe_auto_ml,
    describe_candidate,
    resolved_attributes,
)
from sagelocal_executors.auto_ml.documents import Documents
from sagelocal_executors.auto_ml.requests import AutoMLRequest, parse_auto_ml
from sagelocal_executors.auto_ml.search import Search, answer
from sagelocal_executors.describe import JobStatus
from sagelocal_executors.faults import JobError, step_reason
from sagelocal_executors.trees import remove


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class AutoMLExecutor:
    """Searches a model for a table: some learners of scikit-learn and XGBoost, and an ensemble of the best of them.

    Attributes:
        training: what runs training jobs; each candidate is one.
        folder: where each job gets a working folder.
        stubbed: whether a step, by its name, is played by a stub: it then has one candidate, and needs no data.
    """

    training: Executor
    objects: Objects
    catalog: Catalog
    logs: StepLogs
    partition: Partition
    folder: Path
    clock: Clock
    stubbed: Callable[[str], bool] = _never

    async def run(self, job: Job) -> Outcome:
        with self.logs.open(job.execution, job.log) as log:
            try:
                request = parse_auto_ml(job.arguments, stubbed=self.stubbed(job.step))
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            return await self._work(job, request, log).run()

    def _work(self, job: Job, request: AutoMLRequest, log: StepLog) -> _Work:
        area = f"{request.output_data_config.s3_output_path.rstrip('/')}/{job.name}"
        folder = self.folder / job.name
        children = Children(self.training, self.objects, self.catalog, self.clock, job, request, area, folder)
        search = Search(children, request, self.partition, self.clock, log)
        return _Work(self, job, search, Documents(self.objects, area, folder), log, self.clock.now())


@dataclass(frozen=True, slots=True)
class _Work:
    """One AutoML job on its way."""

    tools: AutoMLExecutor
    job: Job
    search: Search
    documents: Documents
    log: StepLog
    begun: float

    async def run(self) -> Outcome:
        folder = self.documents.folder
        self._record(Ending(JobStatus.IN_PROGRESS, "Starting"), {})
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            return await self._to_the_end()
        except JobError as error:
            self.log.note(error.reason)
            ending = Ending(JobStatus.FAILED, "Failed", error.reason)
            return Failed(step_reason(error.reason), error.error, self._record(ending, {}))
        except asyncio.CancelledError:
            return Stopped(self._record(Ending(JobStatus.STOPPED, "Stopped"), {}))
        finally:
            await asyncio.to_thread(remove, folder)

    async def _to_the_end(self) -> Outcome:
        stubbed = self.tools.stubbed(self.job.step)
        in_time = await self._searched(stubbed=stubbed)
        best = self.search.best()
        self.log.note(f"the best candidate is {best.number}, {best.trial.title}")
        partial = [f"{each.name}: {each.reason}" for each in self._candidates if each.reason]
        try:
            reports = await (self._placeholders(best) if stubbed else self._reports(best))
        except JobError as error:
            self.log.note(f"there are no reports: {error.reason}")
            partial = [error.reason, *partial]
            reports = {}
        secondary = "Completed" if in_time else "MaxAutoMLJobRuntimeReached"
        ending = Ending(JobStatus.COMPLETED, secondary if reports else "ModelInsightsError")
        return Succeeded(self._record(ending, self._found(best, reports), partial))

    async def _searched(self, *, stubbed: bool) -> bool:
        """Search; returns whether that ended before MaxAutoMLJobRuntimeInSeconds."""
        if stubbed:
            await self.search.pretend()
            return True
        await self.search.children.ship_code()
        limit = self.search.request.criteria.max_job_runtime
        in_time = await ends_in_time(self.search.run(), self.tools.clock, limit)
        if not in_time:
            self.log.note(f"MaxAutoMLJobRuntimeInSeconds of {limit} is over")
        return in_time

    @property
    def _candidates(self) -> list[Candidate]:
        return sorted(self.search.candidates, key=lambda candidate: candidate.number)

    async def _placeholders(self, best: Candidate) -> JsonObject:
        return await self.documents.put_placeholders(best.name)

    async def _reports(self, best: Candidate) -> JsonObject:
        """Make and upload the reports on the best candidate; BestCandidateProperties.

        Raises:
            JobError: the job that makes them failed.
        """
        resolved, children = self.search.resolved, self.search.children
        assert resolved is not None
        await self.documents.put_notebook(self.search.facts)
        parameters: dict[str, Json] = {
            "task": "report",
            "problem_type": resolved.problem,
            "objective": resolved.objective,
        }
        outcome = await children.run("report", best.image, parameters, model=artifacts(best.describe))
        return await self.documents.put_reports(best.name, await children.results(answer(outcome)))

    def _found(self, best: Candidate, reports: JsonObject) -> JsonObject:
        """The members of the answer that only a job with a winner has."""
        resolved = self.search.resolved
        assert resolved is not None
        places = self._places(best) if reports else ()
        notebook = {"DataExplorationNotebookLocation": self.documents.notebook}
        return {
            "BestCandidate": describe_candidate(best, resolved, *places),
            "ResolvedAttributes": resolved_attributes(self.job.arguments, resolved),
            **({"AutoMLJobArtifacts": notebook} if self.search.facts else {}),
            **({"BestCandidateProperties": reports} if reports else {}),
        }

    def _places(self, candidate: Candidate) -> tuple[str, str]:
        return self.documents.explainability(candidate.name), self.documents.insights(candidate.name)

    def _record(self, ending: Ending, found: JsonObject, partial: list[str] | None = None) -> JsonObject:
        """The Describe answer, which the catalog keeps together with all candidates."""
        arn = self.tools.partition.arn(f"automl-job/{self.job.name}")
        times = (self.begun, self.tools.clock.now())
        described = describe_auto_ml(
            self.job.arguments, (self.job.name, arn), times, ending, more=found, partial=partial or ()
        )
        resolved = self.search.resolved
        listed = [describe_candidate(each, resolved) for each in self._candidates] if resolved else []
        record = {**described, "Candidates": listed}
        self.tools.catalog.put(Entity(Kind.AUTO_ML_JOB, self.job.name, self.begun, record))
        return described


async def ends_in_time(work: Coroutine[Any, Any, None], clock: Clock, seconds: float | None) -> bool:
    """Do the work, but stop it when its time is over; None: it may take as long as it likes."""
    if seconds is None:
        await work
        return True
    task, timer = asyncio.ensure_future(work), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        finished = task.done()
    finally:
        for each in (task, timer):
            each.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)
    if finished:
        task.result()
    return finished
