"""The answers of DescribeAutoMLJob and ListCandidatesForAutoMLJob (semantics 14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sagelocal.clock import iso
from sagelocal.values import Json, JsonObject
from sagelocal_executors.auto_ml.children import artifacts
from sagelocal_executors.auto_ml.objectives import METRICS, direction
from sagelocal_executors.auto_ml.trials import Trial
from sagelocal_executors.describe import JobStatus, echo

_REASON_LENGTH = 1024
_MOST_PARTIAL = 5
_LABEL, _EVERYTHING = "predicted_label", "predicted_label,labels,probability,probabilities"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate whose training job has ended.

    Attributes:
        number: its place in the order in which candidates are tried, from 1.
        name: that of its training job.
        arn: likewise.
        image: that it was trained in, and serves in.
        describe: of its training job; empty when it was never created.
        values: its metrics on the rows held back.
        reason: why it failed; empty when it did not.
    """

    number: int
    trial: Trial
    name: str
    arn: str
    image: str
    begun: float
    ended: float
    status: JobStatus
    describe: JsonObject
    values: Mapping[str, float]
    reason: str = ""
    error: str = ""

    @property
    def completed(self) -> bool:
        return self.status is JobStatus.COMPLETED


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was asked for, or found out: ResolvedAttributes."""

    problem: str
    objective: str


def describe_candidate(candidate: Candidate, resolved: Resolved, *places: str) -> JsonObject:
    """AutoMLCandidate; `places` are the prefixes of its reports, when it has any: explainability, model insights."""
    metric: dict[str, Json] = {
        "Type": direction(resolved.objective),
        "MetricName": resolved.objective,
        "StandardMetricName": resolved.objective,
        "Value": candidate.values.get(resolved.objective, 0.0),
    }
    finished: dict[str, Json] = {
        "FinalAutoMLJobObjectiveMetric": metric,
        "InferenceContainers": [_container(candidate, resolved)],
        "CandidateProperties": _properties(candidate, places),
    }
    step = {
        "CandidateStepType": "AWS::SageMaker::TrainingJob",
        "CandidateStepArn": candidate.arn,
        "CandidateStepName": candidate.name,
    }
    return {
        "CandidateName": candidate.name,
        "ObjectiveStatus": "Succeeded" if candidate.completed else "Failed",
        "CandidateSteps": [step],
        "CandidateStatus": candidate.status,
        "CreationTime": iso(candidate.begun),
        "EndTime": iso(candidate.ended),
        "LastModifiedTime": iso(candidate.ended),
        **(finished if candidate.completed else {}),
        **({"FailureReason": candidate.reason[:_REASON_LENGTH]} if candidate.reason else {}),
    }


def _container(candidate: Candidate, resolved: Resolved) -> JsonObject:
    """How the candidate serves; the six variables are those that the SDK's get_best_auto_ml_model passes on."""
    return {
        "Image": candidate.image,
        "ModelDataUrl": artifacts(candidate.describe),
        "Environment": {
            "MODEL_NAME": candidate.trial.title,
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
            "SAGEMAKER_INFERENCE_OUTPUT": _LABEL,
            "SAGEMAKER_INFERENCE_SUPPORTED": _LABEL if resolved.problem == "Regression" else _EVERYTHING,
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        },
    }


def _properties(candidate: Candidate, places: Sequence[str]) -> JsonObject:
    known = {name for names in METRICS.values() for name in names}
    metrics: list[Json] = [
        {
            **({"MetricName": name} if name in known else {}),
            "StandardMetricName": name,
            "Value": value,
            "Set": "Validation",
        }
        for name, value in candidate.values.items()
    ]
    located = dict(zip(("Explainability", "ModelInsights"), places, strict=True)) if places else None
    return {
        "CandidateMetrics": metrics,
        **({"CandidateArtifactLocations": located} if located else {}),
    }


@dataclass(frozen=True, slots=True)
class Ending:
    """How the job ended, or has not yet, in the words of its Describe answer."""

    status: JobStatus
    secondary: str
    failure: str = ""


def describe_auto_ml(
    arguments: JsonObject,
    identity: tuple[str, str],
    times: tuple[float, float],
    ending: Ending,
    *,
    more: JsonObject,
    partial: Sequence[str] = (),
) -> JsonObject:
    """DescribeAutoMLJobResponse of a job, known by its name and ARN, that began and changed last then; with `more` members."""
    reasons: list[Json] = [
        {"PartialFailureMessage": text[:_REASON_LENGTH]} for text in partial[:_MOST_PARTIAL]
    ]
    return {
        **echo(arguments, "Tags", "AutoMLJobName"),
        "AutoMLJobName": identity[0],
        "AutoMLJobArn": identity[1],
        "CreationTime": iso(times[0]),
        "LastModifiedTime": iso(times[1]),
        **({} if ending.status is JobStatus.IN_PROGRESS else {"EndTime": iso(times[1])}),
        "AutoMLJobStatus": ending.status,
        "AutoMLJobSecondaryStatus": ending.secondary,
        **({"FailureReason": ending.failure[:_REASON_LENGTH]} if ending.failure else {}),
        **({"PartialFailureReasons": reasons} if reasons else {}),
        **more,
    }


def resolved_attributes(arguments: JsonObject, resolved: Resolved) -> JsonObject:
    """ResolvedAttributes, with the completion criteria as they were given."""
    config = arguments.get("AutoMLJobConfig")
    criteria = config.get("CompletionCriteria") if isinstance(config, Mapping) else None
    return {
        "AutoMLJobObjective": {"MetricName": resolved.objective},
        "ProblemType": resolved.problem,
        **({"CompletionCriteria": criteria} if isinstance(criteria, Mapping) else {}),
    }
