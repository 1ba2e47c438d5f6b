"""The search itself: look at the data, train candidates, combine the best ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sagelocal.clock import Clock
from sagelocal.jobs import Failed, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog
from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject
from sagelocal_executors.auto_ml.children import Children
from sagelocal_executors.auto_ml.describe import Candidate, Resolved
from sagelocal_executors.auto_ml.documents import SIGNED
from sagelocal_executors.auto_ml.images import image
from sagelocal_executors.auto_ml.objectives import direction, objective_of, printed, problem_of
from sagelocal_executors.auto_ml.requests import AutoMLRequest
from sagelocal_executors.auto_ml.trials import Trial, ensemble_of, not_played, trials_of
from sagelocal_executors.describe import JobStatus
from sagelocal_executors.faults import JobError

AT_A_TIME = 2
_FEWEST = 500
"""Rows that SageMaker asks for (API: CreateAutoMLJob.InputDataConfig)."""


@dataclass(slots=True)
class Search:
    """The candidates of one AutoML job, as they come.

    Attributes:
        resolved: what is predicted and how that is judged, once it is known.
        facts: what the data is like, likewise; empty for a stub.
        candidates: those that have ended.
    """

    children: Children
    request: AutoMLRequest
    partition: Partition
    clock: Clock
    log: StepLog
    resolved: Resolved | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)

    async def run(self) -> None:
        """Try all candidates, two at a time, then an ensemble of the best.

        Raises:
            JobError: the data does not fit the request.
        """
        await self._inspect()
        trials = trials_of(self.request.algorithms, self.request.criteria.max_candidates)
        self._announce(trials)
        await self._train_all(trials)
        best_first = [candidate.trial for candidate in self.ranked]
        ensemble = ensemble_of(best_first, self.request.criteria.max_candidates)
        if ensemble is not None:
            await self._train(len(trials) + 1, ensemble)

    async def pretend(self) -> None:
        """One candidate that a stub plays, whatever the data may be."""
        problem = self.request.problem_type or problem_of(self.request.metric)
        self.resolved = Resolved(problem, objective_of(problem, self.request.metric))
        await self._train(1, trials_of((), 1)[0], stubbed=True)

    @property
    def ranked(self) -> list[Candidate]:
        """Those that completed, the best first; of equals the one that was tried first."""
        assert self.resolved is not None
        objective = self.resolved.objective
        sign = 1 if direction(objective) == "Minimize" else -1
        completed = [candidate for candidate in self.candidates if candidate.completed]
        return sorted(completed, key=lambda each: (sign * each.values.get(objective, 0.0), each.number))

    def best(self) -> Candidate:
        """The winner.

        Raises:
            JobError: no candidate completed; the reason is that of the first.
        """
        if self.resolved is not None and self.ranked:
            return self.ranked[0]
        failed = sorted(
            (each for each in self.candidates if each.reason), key=lambda candidate: candidate.number
        )
        if failed:
            raise JobError(
                f"No candidate completed. {failed[0].trial.title}: {failed[0].reason}", failed[0].error
            )
        seconds = self.request.criteria.max_job_runtime
        raise JobError(
            f"ClientError: MaxAutoMLJobRuntimeInSeconds of {seconds} was over before a candidate completed"
        )

    async def _inspect(self) -> None:
        region = self.partition.region
        parameters: dict[str, Json] = {"task": "inspect", "problem_type": self.request.problem_type or ""}
        outcome = await self.children.run("data", image(region, boosts=False), parameters)
        self.facts = json.loads((await self.children.results(answer(outcome)))["inspection.json"])
        problem = self.facts["problem_type"]
        self.resolved = Resolved(problem, objective_of(problem, self.request.metric))

    def _announce(self, trials: Sequence[Trial]) -> None:
        assert self.resolved is not None
        rows = self.facts["training_rows"], self.facts["validation_rows"]
        self.log.note(f"{SIGNED}: {self.resolved.problem}, because {self.facts['reason']}")
        self.log.note(
            f"{len(trials)} candidates, {AT_A_TIME} at a time, then an ensemble if there is a place for one;"
            f" {rows[0]} rows to train on, {direction(self.resolved.objective)} {self.resolved.objective}"
            f" on {rows[1]} rows held back"
        )
        for name in not_played(self.request.algorithms):
            self.log.note(f"AutoMLAlgorithms: {name} is not played locally; it is left out")
        if sum(rows) < _FEWEST:
            self.log.note(f"SageMaker itself asks for {_FEWEST} rows at least")

    async def _train_all(self, trials: Sequence[Trial]) -> None:
        places = asyncio.Semaphore(AT_A_TIME)

        async def train(number: int, trial: Trial) -> None:
            async with places:
                await self._train(number, trial)

        tasks = [asyncio.create_task(train(number, trial)) for number, trial in enumerate(trials, 1)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _train(self, number: int, trial: Trial, *, stubbed: bool = False) -> None:
        assert self.resolved is not None
        where, begun = image(self.partition.region, boosts=trial.boosts), self.clock.now()
        outcome = await self.children.run(
            str(number),
            where,
            {
                "task": "train",
                "problem_type": self.resolved.problem,
                "objective": self.resolved.objective,
                **trial.hyperparameters,
            },
            metrics=printed(self.resolved.problem),
        )
        values = _metrics(outcome.properties)
        status, reason, error = self._verdict(outcome, values, stubbed=stubbed)
        name = self.children.name(str(number))
        candidate = Candidate(
            number=number,
            trial=trial,
            name=name,
            arn=self.partition.arn(f"training-job/{name}"),
            image=where,
            begun=begun,
            ended=self.clock.now(),
            status=status,
            describe=outcome.properties,
            values=values,
            reason=reason,
            error=error,
        )
        self.candidates.append(candidate)
        self.log.note(f"candidate {number}, {trial.title}: {self._outcome(candidate)}")
        if isinstance(outcome, Stopped):
            # A training job ends our wish to stop in its answer; the search must not go on from there.
            raise asyncio.CancelledError

    def _outcome(self, candidate: Candidate) -> str:
        assert self.resolved is not None
        if not candidate.completed:
            return f"{candidate.status}: {candidate.reason}" if candidate.reason else candidate.status
        value = candidate.values.get(self.resolved.objective)
        return f"{self.resolved.objective}={value}" if value is not None else candidate.status

    def _verdict(
        self, outcome: Outcome, values: dict[str, float], *, stubbed: bool
    ) -> tuple[JobStatus, str, str]:
        assert self.resolved is not None
        match outcome:
            case Failed():
                return JobStatus.FAILED, failure_of(outcome), outcome.error
            case Stopped():
                return JobStatus.STOPPED, "", ""
        if outcome.properties.get("TrainingJobStatus") != JobStatus.COMPLETED:
            return JobStatus.FAILED, "ClientError: the training job ran out of its time", "ClientError"
        if self.resolved.objective not in values and not stubbed:
            text = f"AlgorithmError: the training job printed no {self.resolved.objective}"
            return JobStatus.FAILED, text, "AlgorithmError"
        return JobStatus.COMPLETED, "", ""


def answer(outcome: Outcome) -> JsonObject:
    """The Describe answer of a child that succeeded.

    Raises:
        JobError: it failed.
        asyncio.CancelledError: it was stopped, as we were asked to.
    """
    match outcome:
        case Succeeded():
            return outcome.properties
        case Failed():
            raise JobError(failure_of(outcome), outcome.error)
        case Stopped():
            raise asyncio.CancelledError


def failure_of(failed: Failed) -> str:
    """The job's own FailureReason, else what its step would say."""
    return str(failed.properties.get("FailureReason") or failed.reason)


def _metrics(describe: JsonObject) -> dict[str, float]:
    listed = describe.get("FinalMetricDataList")
    found: list[Any] = list(listed) if isinstance(listed, list | tuple) else []
    return {str(each["MetricName"]): float(each["Value"]) for each in found}
