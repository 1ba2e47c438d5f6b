"""The answers of the Describe operations about a tuning job and its training jobs (semantics 04, 14)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sagelocal.clock import iso
from sagelocal.values import Json, JsonObject
from sagelocal_executors.describe import echo_training
from sagelocal_executors.tuning.course import Course
from sagelocal_executors.tuning.ledger import ENDED
from sagelocal_executors.tuning.plan import TuningPlan
from sagelocal_executors.tuning.trials import Trial, best
from sagelocal_executors.tuning.warm_start import IDENTICAL, Parent

_REASON_LENGTH = 1024
MOST_SUMMARIES = 50
_COUNTED = {
    "Completed": "Completed",
    "InProgress": "InProgress",
    "Failed": "NonRetryableError",
    "Stopped": "Stopped",
}
"""TrainingJobStatus to the member of TrainingJobStatusCounters; nothing that fails here is worth a second try."""


def counters(trials: Sequence[Trial]) -> dict[str, Json]:
    """TrainingJobStatusCounters and ObjectiveStatusCounters."""
    started = [trial for trial in trials if trial.describe]
    statuses = Counter(_COUNTED[trial.status] for trial in started)
    objectives = Counter(trial.objective_status for trial in started)
    members = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
    return {
        "TrainingJobStatusCounters": {member: statuses[member] for member in members},
        "ObjectiveStatusCounters": {
            member: objectives[member] for member in ("Succeeded", "Pending", "Failed")
        },
    }


def begun_training(arguments: JsonObject, name: str, arns: tuple[str, str], moment: float) -> JsonObject:
    """DescribeTrainingJobResponse of a job that begins now; `arns` are its own and that of its tuning job."""
    now = iso(moment)
    message = "Preparing the instances for training"
    output = arguments["OutputDataConfig"]
    assert isinstance(output, Mapping), "the tuning job's request has been parsed"
    return {
        **echo_training(arguments),
        "TrainingJobName": name,
        "TrainingJobArn": arns[0],
        "TuningJobArn": arns[1],
        "ModelArtifacts": {
            "S3ModelArtifacts": f"{str(output['S3OutputPath']).rstrip('/')}/{name}/output/model.tar.gz"
        },
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": now, "StatusMessage": message}],
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def ended_training(begun: JsonObject, status: str, reason: str, moment: float) -> JsonObject:
    """DescribeTrainingJobResponse of a job that has ended before it could tell anything itself."""
    now = iso(moment)
    answer = {
        **begun,
        "TrainingJobStatus": status,
        "SecondaryStatus": status,
        "LastModifiedTime": now,
        "TrainingEndTime": now,
    }
    return {**answer, "FailureReason": reason} if reason else answer


def summary(plan: TuningPlan, trial: Trial) -> dict[str, Json]:
    """HyperParameterTrainingJobSummary of a trial."""
    definition = plan.definitions[trial.definition]
    answer: dict[str, Json] = {
        "TrainingJobName": trial.name,
        "TrainingJobArn": trial.describe["TrainingJobArn"],
        "CreationTime": trial.describe["CreationTime"],
        "TrainingJobStatus": trial.status,
        "TunedHyperParameters": dict(trial.values),
        "ObjectiveStatus": trial.objective_status,
    }
    if definition.name:
        answer["TrainingJobDefinitionName"] = definition.name
    for member in ("TrainingStartTime", "TrainingEndTime", "FailureReason"):
        if member in trial.describe:
            answer[member] = trial.describe[member]
    if trial.objective is not None:
        answer["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": "Maximize" if plan.maximize else "Minimize",
            "MetricName": definition.metric,
            "Value": trial.objective,
        }
    return answer


def summaries(course: Course) -> list[dict[str, Json]]:
    """TrainingJobSummaries, best first."""
    return [summary(course.plan, trial) for trial in course.ranked[:MOST_SUMMARIES] if trial.describe]


@dataclass(frozen=True, slots=True)
class State:
    """What a Describe answer says about a tuning job beside its trials.

    Attributes:
        status: HyperParameterTuningJobStatus.
        created: when it was created, in seconds since the epoch.
        now: when the answer is given.
        seconds: how long it has run, without the time between two runs.
        failure: its FailureReason; empty when it has none.
    """

    status: str
    created: float
    now: float
    seconds: float
    failure: str = ""


def describe_tuning(course: Course, parents: Sequence[Parent], arn: str, state: State) -> JsonObject:
    """DescribeHyperParameterTuningJobResponse."""
    progress = course.progress
    details: dict[str, Json] = {"NumberOfTrainingJobsObjectiveNotImproving": progress.not_improving}
    if progress.converged:
        details["ConvergenceDetectedTime"] = progress.converged
    answer: dict[str, Json] = {
        **course.plan.echoed,
        "HyperParameterTuningJobName": course.plan.name,
        "HyperParameterTuningJobArn": arn,
        "HyperParameterTuningJobStatus": state.status,
        "CreationTime": iso(state.created),
        "LastModifiedTime": iso(state.now),
        **counters(course.trials),
        "TuningJobCompletionDetails": details,
        "ConsumedResources": {"RuntimeInSeconds": ceil(state.seconds)},
    }
    if state.status in ENDED:
        answer["HyperParameterTuningEndTime"] = iso(state.now)
    if state.failure:
        answer["FailureReason"] = state.failure[:_REASON_LENGTH]
    if course.best is not None:
        answer["BestTrainingJob"] = summary(course.plan, course.best)
    if overall := _overall_best(course, parents):
        answer["OverallBestTrainingJob"] = overall
    return answer


def _overall_best(course: Course, parents: Sequence[Parent]) -> JsonObject | None:
    """The best of this tuning job and of its parents, for identical data and algorithm."""
    config = course.plan.request.warm_start_config
    if config is None or config.warm_start_type != IDENTICAL:
        return None
    plans = {trial.name: parent.plan for parent in parents for trial in parent.trials}
    everything = [*course.trials, *(trial for parent in parents for trial in parent.trials)]
    first = best(everything, maximize=course.plan.maximize)
    if first is None:
        return None
    plan = plans.get(first.name, course.plan)
    return {**summary(plan, first), "TuningJobName": plan.name}
