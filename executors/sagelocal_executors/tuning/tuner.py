"""A tuning job on its way: its training jobs side by side, each change on record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from sagelocal.clock import Clock, iso
from sagelocal.cloud.objects import Objects
from sagelocal.jobs import Executor, Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog
from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject
from sagelocal_executors.faults import step_reason
from sagelocal_executors.tuning.answers import (
    State,
    begun_training,
    describe_tuning,
    ended_training,
    summaries,
    summary,
)
from sagelocal_executors.tuning.child import child
from sagelocal_executors.tuning.course import Course
from sagelocal_executors.tuning.ledger import Ledger
from sagelocal_executors.tuning.plan import TuningPlan
from sagelocal_executors.tuning.trials import COMPLETED, FAILED, IN_PROGRESS, STOPPED, Trial, final_metric
from sagelocal_executors.tuning.warm_start import Parent
from sagelocal_executors.tuning.watch import Watch

StubMetrics = Callable[[str], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Services:
    """What a tuning job works with, as `TuningExecutor` has it."""

    training: Executor
    watch: Watch
    objects: Objects
    partition: Partition
    clock: Clock


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier run of the same tuning job has left: when it was created, and how many seconds it has run."""

    created: float
    seconds: float = 0.0


@dataclass(slots=True)
class Tuner:
    """One tuning job.

    Attributes:
        stub: the metrics that the step's stub declares; None for a step that really runs.
    """

    services: Services
    job: Job
    course: Course
    parents: tuple[Parent, ...]
    ledger: Ledger
    log: StepLog
    past: Past
    stub: Mapping[str, float] | None = None
    begun: float = 0.0
    _running: dict[asyncio.Task[Outcome], Trial] = field(default_factory=dict)

    async def run(self) -> Outcome:
        self.begun = self.services.clock.now()
        if self._limit is not None and self.past.seconds >= self._limit:
            self._close_as_late()
        self._record(IN_PROGRESS)
        alarm = asyncio.create_task(self._alarm())
        try:
            await self._all(alarm)
        except asyncio.CancelledError:
            self.log.note(f"stopped: {self._so_far()}")
            return Stopped(self._record(STOPPED))
        finally:
            alarm.cancel()
            await asyncio.gather(alarm, return_exceptions=True)
        return self._outcome()

    async def _all(self, alarm: asyncio.Task[None]) -> None:
        """Keep as many training jobs running as may, until none is left to run."""
        try:
            while True:
                self._fill()
                if not self._running:
                    return
                beside = set() if alarm.done() else {alarm}
                await asyncio.wait({*self._running, *beside}, return_when=asyncio.FIRST_COMPLETED)
                for task in self._done():
                    self._end(self._running.pop(task), _outcome_of(task))
                if self.course.closed:
                    self.log.note(f"enough: {self.course.closed}")
                    await self._stop_all()
        finally:
            await self._stop_all()

    def _fill(self) -> None:
        while len(self._running) < self.plan.parallel and (trial := self.course.next()):
            self._start(trial)

    def _start(self, trial: Trial) -> None:
        moment = self.services.clock.now()
        trial.created = trial.created or moment
        one = child(self.job, self.plan.definitions[trial.definition], trial)
        arns = (self.services.partition.arn(f"training-job/{trial.name}"), self.arn)
        trial.describe = begun_training(one.arguments, trial.name, arns, moment)
        self.ledger.keep(trial, summary(self.plan, trial))
        self._record(IN_PROGRESS)
        values = ", ".join(f"{name}={value}" for name, value in trial.values.items())
        self.log.note(f"{trial.name} starts, {trial.number} of {self.plan.jobs}: {values}")
        task = asyncio.create_task(self._play(trial, one), name=trial.name)
        self._running[task] = trial

    async def _play(self, trial: Trial, one: Job) -> Outcome:
        with self.services.watch.on(trial.name, partial(self._value, trial)):
            outcome = await self.services.training.run(one)
        if isinstance(outcome, Stopped):
            trial.has_model = await self._left_a_model(outcome.properties)
        else:
            trial.has_model = isinstance(outcome, Succeeded)
        return outcome

    async def _left_a_model(self, describe: JsonObject) -> bool:
        artifacts = describe.get("ModelArtifacts")
        uri = artifacts.get("S3ModelArtifacts") if isinstance(artifacts, Mapping) else None
        return bool(uri) and bool(await self.services.objects.list(str(uri)))

    def _value(self, trial: Trial, metric: str, value: float) -> None:
        """A running trial has printed a value: stop it when it is not worth going on."""
        if trial.stopping or metric != self.plan.definitions[trial.definition].metric:
            return
        trial.stopping = self.course.value(trial, value)
        if trial.stopping:
            self.log.note(f"{trial.name} is stopped: {trial.stopping}")
            self._task_of(trial).cancel()

    def _task_of(self, trial: Trial) -> asyncio.Task[Outcome]:
        return next(task for task, running in self._running.items() if running is trial)

    async def _stop_all(self) -> None:
        """Stop what runs; what is stopped for no fault of its own may run again."""
        for task, trial in self._running.items():
            trial.abandoned = not trial.stopping
            task.cancel()
        try:
            # A second cancellation reaches the tasks through gather: they give up their grace.
            await asyncio.gather(*self._running, return_exceptions=True)
        finally:
            for task in self._done():
                trial = self._running.pop(task)
                # An exception is a fault of ours, which is on its way already.
                if task.cancelled() or task.exception() is None:
                    self._end(trial, _outcome_of(task))

    def _done(self) -> list[asyncio.Task[Outcome]]:
        return [task for task in self._running if task.done()]

    def _end(self, trial: Trial, outcome: Outcome) -> None:
        trial.describe = self._described(trial, outcome)
        trial.abandoned = trial.abandoned and isinstance(outcome, Stopped)
        definition = self.plan.definitions[trial.definition]
        if self.stub is not None and trial.status == COMPLETED:
            trial.describe = _with_stubbed_metric(trial.describe, definition.metric, self.stub)
        trial.objective = final_metric(trial.describe, definition.metric)
        self.ledger.keep(trial, summary(self.plan, trial))
        self.course.ended(trial)
        self._record(IN_PROGRESS)
        value = "no objective" if trial.objective is None else f"{definition.metric}={trial.objective:g}"
        why = " ".join(str(trial.describe.get("FailureReason", "")).split())
        told = f"{value}: {why}" if why else value
        self.log.note(f"{trial.name} {trial.status}, {told}; {self._so_far()}")

    def _described(self, trial: Trial, outcome: Outcome) -> JsonObject:
        """The training job's Describe answer; one of our own for a job that ended before it had any."""
        if outcome.properties:
            return {**outcome.properties, "TuningJobArn": self.arn}
        failed = isinstance(outcome, Failed)
        reason = outcome.reason if isinstance(outcome, Failed) else ""
        return ended_training(
            trial.describe, FAILED if failed else STOPPED, reason, self.services.clock.now()
        )

    def _so_far(self) -> str:
        best = self.course.best
        leader = "none has an objective" if best is None else f"best so far {best.objective:g} of {best.name}"
        return f"{leader}; {len(self.course.over)} of {self.plan.jobs} ended"

    async def _alarm(self) -> None:
        """Close the course when the tuning job has run as long as it may."""
        if self._limit is None:
            await asyncio.get_running_loop().create_future()
        else:
            await self.services.clock.sleep(max(self._limit - self.past.seconds, 0))
            self._close_as_late()

    def _close_as_late(self) -> None:
        self.course.close(f"MaxRuntimeInSeconds, {self._limit}, have passed")

    def _outcome(self) -> Outcome:
        if failure := self.course.failure():
            self.log.note(failure)
            answer = self._record(FAILED, failure)
            return Failed(step_reason(failure), _error_class(self.course), answer)
        self.log.note(f"completed: {self._so_far()}")
        return Succeeded(self._record(COMPLETED))

    def _record(self, status: str, failure: str = "") -> JsonObject:
        """Put the Describe answer on record; returned with the summaries, as the properties of the step."""
        now = self.services.clock.now()
        seconds = self.past.seconds + now - self.begun
        state = State(status, self.past.created, now, seconds, failure)
        answer = describe_tuning(self.course, self.parents, self.arn, state)
        self.ledger.keep_job(answer, self.past.created)
        return {**answer, "TrainingJobSummaries": summaries(self.course)}

    @property
    def plan(self) -> TuningPlan:
        return self.course.plan

    @property
    def _limit(self) -> int | None:
        return self.plan.request.config.resource_limits.max_runtime_in_seconds

    @property
    def arn(self) -> str:
        return self.services.partition.arn(f"hyper-parameter-tuning-job/{self.plan.name}")


def _outcome_of(task: asyncio.Task[Outcome]) -> Outcome:
    return Stopped() if task.cancelled() else task.result()


def _error_class(course: Course) -> str:
    """That of the first training job that failed."""
    reasons = (str(trial.describe.get("FailureReason", "")) for trial in course.over)
    first = next((reason for reason in reasons if reason), "")
    return "AlgorithmError" if "AlgorithmError" in first else "ClientError"


def _with_stubbed_metric(describe: JsonObject, metric: str, declared: Mapping[str, float]) -> JsonObject:
    """The answer with what the stub declares for the metric, whatever the regular expression; else 0, so that all goes on."""
    if metric not in declared and final_metric(describe, metric) is not None:
        return describe
    listed = describe.get("FinalMetricDataList")
    others: list[Json] = [
        item
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, Mapping) and item.get("MetricName") != metric
    ]
    moment = describe.get("TrainingEndTime") or iso(0)
    value: JsonObject = {"MetricName": metric, "Value": declared.get(metric, 0.0), "Timestamp": moment}
    return {**describe, "FinalMetricDataList": [*others, value]}
