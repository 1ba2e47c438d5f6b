"""Which jobs run at the moment, whoever has created them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sagelocal.cloud.job_records import JOB_KINDS
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor, Failed, Job, Outcome, Stopped

_Key = tuple[StepType, str]

_CHECKS = frozenset({StepType.QUALITY_CHECK, StepType.CLARIFY_CHECK})


@dataclass(slots=True)
class _Run:
    job: Job
    task: asyncio.Task[object]
    stopped: bool = False
    """By `RunningJobs.stop`, not by whoever awaits the job."""


@dataclass(slots=True)
class RunningJobs:
    """Lets a single job be stopped that an executor runs, as StopTrainingJob does."""

    _runs: dict[_Key, _Run] = field(default_factory=dict)

    def watched(self, executors: Mapping[StepType, Executor]) -> dict[StepType, Executor]:
        """The executors; those of jobs say here what they run."""
        watched = JOB_KINDS.keys() | _CHECKS
        return {
            type_: _Watched(executor, self._runs) if type_ in watched else executor
            for type_, executor in executors.items()
        }

    def job(self, type_: StepType, name: str) -> Job | None:
        """The job of that name; None when it does not run here."""
        run = self._runs.get((type_, name))
        return run.job if run else None

    def stop(self, type_: StepType, name: str) -> bool:
        """Stop a job; False when it does not run here.

        The step that has created it fails (semantics 13, U17).
        """
        run = self._runs.get((type_, name))
        if run is None:
            return False
        run.stopped = True
        run.task.cancel()
        return True

    def stopping(self, type_: StepType, name: str) -> bool:
        """Whether a job runs here that has been asked to stop."""
        run = self._runs.get((type_, name))
        return run is not None and run.task.cancelling() > 0


@dataclass(frozen=True, slots=True)
class _Watched:
    executor: Executor
    runs: dict[_Key, _Run]

    async def run(self, job: Job) -> Outcome:
        task = asyncio.current_task()
        assert task, "executors are run in tasks"
        key = _type(job), job.name
        run = self.runs[key] = _Run(job, task)
        try:
            outcome = await self.executor.run(job)
        except asyncio.CancelledError:
            if not _alone(run):
                raise
            outcome = Stopped()
        finally:
            del self.runs[key]
        return _failed(job, outcome) if isinstance(outcome, Stopped) and _alone(run) else outcome


def _alone(run: _Run) -> bool:
    """Whether the job alone was stopped: its task has not been asked to end by anybody else."""
    return run.stopped and run.task.cancelling() == 1


def _type(job: Job) -> StepType:
    """What kind of job it is; that of a check is a processing job."""
    return StepType.PROCESSING if job.kind in _CHECKS else job.kind


def _failed(job: Job, outcome: Stopped) -> Failed:
    noun = JOB_KINDS[_type(job)].noun
    reason = f"ClientError: {noun} {job.name} was stopped by Stop{noun}"
    return Failed(reason, "ClientError", outcome.properties)
