"""Every kind of job, with what the service says about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.job_operations import JobOperations
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.named import Refusal
from sagelocal.cloud.catalog import Kind
from sagelocal.cloud.job_records import AUTO_ML, PROCESSING, TRAINING, TRANSFORM, TUNING
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject

_NO_SUCH_JOB: Final = "Could not find requested job with name: {name}"
_NOT_UNIQUE: Final = Refusal(
    "ResourceInUse",
    "Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})",
)
_OF_TRAINING: Final = ("TrainingJobStatus", "TrainingStartTime", "TrainingEndTime", "FailureReason")
"""What a trial's summary has from its training job."""


def _tuning_summary(record: JsonObject) -> JsonObject:
    config = record["HyperParameterTuningJobConfig"]
    assert isinstance(config, Mapping)
    chosen = {name: config[name] for name in ("Strategy", "ResourceLimits") if name in config}
    return {**record, **chosen}


training: Final = JobOperations(
    TRAINING,
    "training job",
    # The documentation says ResourceNotFound, the service this.
    Refusal("ValidationException", "Requested resource not found."),
    Refusal(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this name already "
        "exists ({arn})",
    ),
    Listing(
        "TrainingJobSummaries",
        "TrainingJobSummary",
        "TrainingJobName",
        "TrainingJobName",
        "TrainingJobStatus",
    ),
)
processing: Final = JobOperations(
    PROCESSING,
    "processing job",
    Refusal("ValidationException", _NO_SUCH_JOB),
    _NOT_UNIQUE,
    Listing(
        "ProcessingJobSummaries",
        "ProcessingJobSummary",
        "ProcessingJobName",
        "ProcessingJobName",
        "ProcessingJobStatus",
    ),
)
transform: Final = JobOperations(
    TRANSFORM,
    "transform job",
    Refusal("ValidationException", _NO_SUCH_JOB),
    _NOT_UNIQUE,
    Listing(
        "TransformJobSummaries",
        "TransformJobSummary",
        "TransformJobName",
        "TransformJobName",
        "TransformJobStatus",
    ),
)
tuning: Final = JobOperations(
    TUNING,
    "hyperparameter tuning job",
    Refusal(
        "ResourceNotFound",
        "Amazon SageMaker can't find a tuning job called {name}. Type another name.",
    ),
    Refusal(
        "ResourceInUse",
        "A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
    ),
    Listing(
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobSummary",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobStatus",
        _tuning_summary,
    ),
)
auto_ml: Final = JobOperations(
    AUTO_ML,
    "AutoML job",
    Refusal("ResourceNotFound", _NO_SUCH_JOB),
    _NOT_UNIQUE,
    Listing("AutoMLJobSummaries", "AutoMLJobSummary", "AutoMLJobName", "AutoMLJobName", "AutoMLJobStatus"),
)


def _objective(name: str, member: str, record: JsonObject) -> float:
    """The value of the objective metric in that member; the lowest of all where there is none."""
    metric = record.get(name)
    value = metric.get(member) if isinstance(metric, Mapping) else None
    return float(value) if isinstance(value, int | float) else float("-inf")


_FINAL: Final = "FinalObjectiveMetricValue"
_TRIAL_METRIC: Final = "FinalHyperParameterTuningJobObjectiveMetric"
_TRIALS: Final = Listing(
    "TrainingJobSummaries",
    "HyperParameterTrainingJobSummary",
    "TrainingJobName",
    "TrainingJobName",
    "TrainingJobStatus",
    sorts={_FINAL: lambda record: _objective(_TRIAL_METRIC, "Value", record)},
)
_CANDIDATES: Final = Listing(
    "Candidates",
    "AutoMLCandidate",
    "CandidateName",
    "CandidateName",
    "CandidateStatus",
    sorts={_FINAL: lambda record: _objective("FinalAutoMLJobObjectiveMetric", "Value", record)},
)


def list_trials(engine: Engine, request: Request) -> JsonObject:
    """ListTrainingJobsForHyperParameterTuningJob: from A to Z, in the order of their start, unless asked otherwise."""
    name = request["HyperParameterTuningJobName"]
    tuning.record(engine, name)
    found = list(_trials(engine, name))
    if request.get("SortBy") == _FINAL:
        found = [record for record in found if _TRIAL_METRIC in record]
    return _TRIALS.answer({"SortBy": "Name", "SortOrder": "Ascending", **request}, found)


def _trials(engine: Engine, tuning_job: str) -> Iterator[JsonObject]:
    for row in engine.catalog.list(Kind.TUNING_TRIAL, tuning_job):
        summary = row.describe.get("Summary")
        job = engine.catalog.get(Kind.TRAINING_JOB, str(row.describe["TrainingJobName"]))
        if isinstance(summary, Mapping) and job is not None:
            yield {
                **summary,
                **{member: job.describe[member] for member in _OF_TRAINING if member in job.describe},
            }


def list_candidates(engine: Engine, request: Request) -> JsonObject:
    """ListCandidatesForAutoMLJob: in the order in which they were tried, unless asked otherwise."""
    wanted = request.get("CandidateNameEquals")
    found = [
        candidate
        for candidate in _objects(auto_ml.record(engine, request["AutoMLJobName"]).get("Candidates"))
        if wanted in {None, candidate["CandidateName"]}
    ]
    return _CANDIDATES.answer({"SortOrder": "Ascending", **request}, found)


def _objects(values: Json) -> list[JsonObject]:
    return [each for each in values if isinstance(each, Mapping)] if isinstance(values, Sequence) else []


OPERATIONS: Final[Mapping[str, Operation]] = {
    **training.table(),
    **processing.table(),
    **transform.table(),
    **tuning.table(),
    **auto_ml.table(),
    "DeleteHyperParameterTuningJob": tuning.delete,
    "DeleteProcessingJob": processing.delete,
    "DeleteTrainingJob": training.delete,
    "ListCandidatesForAutoMLJob": list_candidates,
    "ListTrainingJobsForHyperParameterTuningJob": list_trials,
}
