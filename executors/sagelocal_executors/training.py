"""Training jobs (CreateTrainingJob; semantics 02 §2.3, 08 §8.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.values import JsonObject
from sagelocal_executors.containers import ImageMissingError
from sagelocal_executors.describe import (
    STOPPED,
    Ending,
    JobStatus,
    Timeline,
    describe_training,
    echo_training,
)
from sagelocal_executors.faults import JobError, client_error, step_reason
from sagelocal_executors.hosts import Output, failure_reason, run_together
from sagelocal_executors.metrics import MetricReader
from sagelocal_executors.requests import parse_training
from sagelocal_executors.tools import Tools
from sagelocal_executors.training_data import plan_training
from sagelocal_executors.training_files import TrainingFiles
from sagelocal_executors.trees import reclaim, remove

OnMetric = Callable[[str, str, float], None]


def _nobody(_job: str, _metric: str, _value: float) -> None: ...


@dataclass(frozen=True, slots=True)
class TrainingExecutor(Tools):
    """Runs a training job: channels down, one container per instance, model up.

    Built from what `Tools` lists.

    Attributes:
        on_metric: told of each value of a metric as it is printed: the job's name, the metric's and the value.
    """

    on_metric: OnMetric = _nobody

    async def run(self, job: Job) -> Outcome:
        with self.logs.of(job, StepType.TRAINING) as log:
            try:
                request = parse_training(job.arguments)
                plan = plan_training(request, stubbed=self.stubbed(job.step))
                metrics = MetricReader(
                    request.algorithm_specification.metric_definitions,
                    self.clock,
                    partial(self.on_metric, job.name),
                )
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            files = TrainingFiles(self, job, request, plan, log)
            return await _Work(self, job, files, metrics, Timeline(self.clock)).run()


@dataclass(frozen=True, slots=True)
class _Work:
    """One training job on its way."""

    tools: Tools
    job: Job
    files: TrainingFiles
    metrics: MetricReader
    timeline: Timeline

    async def run(self) -> Outcome:
        self._enter("Starting", "Preparing the instances for training")
        try:
            return await self._to_the_end()
        except JobError as error:
            return self._failed(error)
        except ImageMissingError as error:
            return self._failed(client_error(str(error)))
        except asyncio.CancelledError:
            return await self._stopped()
        finally:
            await asyncio.to_thread(remove, self.tools.folder / self.job.name)

    async def _to_the_end(self) -> Outcome:
        self._enter("Downloading", "Downloading input data")
        specs, pipes = await self.files.bring()
        checkpoints = self.files.checkpoints()
        beside = [mirror.run(self.tools.clock) for mirror in checkpoints] + [pipe.run() for pipe in pipes]
        output = Output(self.files.log, self.metrics.read)
        self._enter("Training", "Training in progress")
        try:
            spec, end = await run_together(self.tools.containers, specs, output, beside)
        finally:
            await asyncio.to_thread(reclaim, self.tools.folder / self.job.name)
            for mirror in checkpoints:
                await mirror.sync()
        if end.code != 0 and not end.timed_out:
            told = self.files.failure_text(spec.hostname) or output.last_line(spec.hostname)
            raise JobError(failure_reason(end, told), "AlgorithmError")
        return await self._completed(timed_out=end.timed_out)

    async def _completed(self, *, timed_out: bool) -> Outcome:
        """Upload what there is; a job that ran out of time counts when it left a model (semantics 06 §6.1)."""
        has_model = self.files.has_model()
        self._enter("Uploading", "Uploading generated training model")
        await self.files.take_away()
        if not timed_out:
            return Succeeded(self._describe(Ending(JobStatus.COMPLETED), "Training job completed"))
        seconds = self.files.request.stopping_condition.max_runtime_in_seconds
        text = f"Training job runtime exceeded MaxRuntimeInSeconds of {seconds}"
        self.files.log.note(text)
        answer = self._describe(Ending(JobStatus.STOPPED, secondary="MaxRuntimeExceeded"), text)
        return Succeeded(answer) if has_model else Failed(f"ClientError: {text}", "ClientError", answer)

    async def _stopped(self) -> Outcome:
        """The containers are gone; their model is kept, as at SageMaker."""
        self._enter("Stopping", "Stopping the training job")
        if self.timeline.when("Training") is not None and self.files.has_model():
            await self.files.take_away()
        return Stopped(self._describe(STOPPED, "Training job stopped"))

    def _failed(self, error: JobError) -> Failed:
        self.files.log.note(error.reason)
        answer = self._describe(Ending(JobStatus.FAILED, failure=error.reason), "Training job failed")
        return Failed(step_reason(error.reason), error.error, answer)

    def _enter(self, status: str, message: str) -> None:
        self.timeline.enter(status, message)
        primary = JobStatus.STOPPING if status == "Stopping" else JobStatus.IN_PROGRESS
        self.tools.on_progress(self.job, self._answer(Ending(primary, secondary=status)))

    def _describe(self, ending: Ending, message: str) -> JsonObject:
        self.timeline.enter(ending.secondary or ending.status, message)
        return self._answer(ending)

    def _answer(self, ending: Ending) -> JsonObject:
        identity = (self.job.name, self.files.arn)
        return describe_training(
            echo_training(self.job.arguments),
            identity,
            self.timeline,
            ending,
            artifacts=self.files.artifacts,
            metrics=self.metrics.final(),
        )
