"""Tuning jobs (CreateHyperParameterTuningJob; semantics 02 §2.4, 08 §8.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sagelocal.clock import Clock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.objects import Objects
from sagelocal.jobs import Executor, Failed, Job, Outcome
from sagelocal.logs import StepLog, StepLogs
from sagelocal.names import Partition
from sagelocal_executors.faults import JobError, step_reason
from sagelocal_executors.tuning.course import Course
from sagelocal_executors.tuning.ledger import Ledger
from sagelocal_executors.tuning.plan import plan_tuning
from sagelocal_executors.tuning.tuner import Past, Services, StubMetrics, Tuner
from sagelocal_executors.tuning.warm_start import parents_of
from sagelocal_executors.tuning.watch import Watch


def _never(_: str) -> bool:
    return False


def _none(_: str) -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class TuningExecutor:
    """Runs a tuning job: training jobs, each with hyperparameters of its own, until the best is found.

    A tuning job of the same name that has not come to its end goes on: its ended trials are kept.

    Attributes:
        training: runs the training jobs. It keeps none of them in the catalogue: that is done here.
        watch: must be told of each metric value that these print.
        stubbed: whether a step, by its name, is played by a stub.
        stub_metrics: what the stub of a step declares as metrics.
    """

    training: Executor
    watch: Watch
    objects: Objects
    catalog: Catalog
    logs: StepLogs
    partition: Partition
    clock: Clock
    stubbed: Callable[[str], bool] = _never
    stub_metrics: StubMetrics = _none

    async def run(self, job: Job) -> Outcome:
        with self.logs.open(job.execution, job.log) as log:
            try:
                tuner = self._tuner(job, log)
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            return await tuner.run()

    def _tuner(self, job: Job, log: StepLog) -> Tuner:
        stubbed = self.stubbed(job.step)
        plan = plan_tuning(job.name, job.arguments, stubbed=stubbed)
        parents = parents_of(plan, self.catalog)
        ledger = Ledger(self.catalog, job.name)
        before = ledger.trials([each.metric for each in plan.definitions])
        course = Course(plan, parents, before, stubbed=stubbed)
        for note in plan.notes:
            log.note(note)
        if before:
            log.note(f"goes on: {len(course.over)} of {plan.jobs} training jobs have ended before")
        declared = self.stub_metrics(job.step) if stubbed else None
        if declared is not None and (missing := {each.metric for each in plan.definitions} - declared.keys()):
            log.note(
                f"the stub declares no metric {', '.join(sorted(missing))}: 0 stands for it, unless it is printed"
            )
        services = Services(self.training, self.watch, self.objects, self.partition, self.clock)
        return Tuner(services, job, course, parents, ledger, log, self._past(ledger), declared)

    def _past(self, ledger: Ledger) -> Past:
        describe = ledger.job()
        if describe is None:
            return Past(self.clock.now())
        consumed = describe.get("ConsumedResources")
        seconds = consumed.get("RuntimeInSeconds", 0) if isinstance(consumed, Mapping) else 0
        created = datetime.fromisoformat(str(describe["CreationTime"])).timestamp()
        return Past(created, float(seconds) if isinstance(seconds, int | float) else 0.0)
