"""CreateAutoMLJob requests, as far as this machine acts on them (semantics 02 §2.15)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.alias_generators import to_pascal

from sagelocal.values import JsonObject
from sagelocal_executors.auto_ml.objectives import Problem, check_objective
from sagelocal_executors.faults import UnsupportedError, client_error, rejected
from sagelocal_executors.request_model import RequestModel, Text, Uri, parse_request

OPERATION = "CreateAutoMLJob"
CSV, PARQUET = "text/csv", "x-application/vnd.amazon+parquet"
_HINT = "stub the step, or train by a TuningStep"


class S3DataSource(RequestModel):
    s3_uri: Uri
    s3_data_type: Literal["S3Prefix", "ManifestFile", "AugmentedManifestFile"] = "S3Prefix"


class DataSource(RequestModel):
    s3_data_source: S3DataSource


class Channel(RequestModel):
    data_source: DataSource
    target_attribute_name: Text
    channel_type: Literal["training", "validation"] = "training"
    content_type: str = f"{CSV};header=present"
    compression_type: Literal["None", "Gzip"] = "None"
    sample_weight_attribute_name: Text = ""


class OutputDataConfig(RequestModel):
    s3_output_path: Uri


class Objective(RequestModel):
    metric_name: str


class CompletionCriteria(RequestModel):
    # The names are given: the generator would write "AutoMl".
    max_candidates: int | None = Field(default=None, ge=1, le=750)
    max_runtime_per_training_job_in_seconds: int | None = Field(default=None, ge=1)
    max_job_runtime: int | None = Field(default=None, ge=1, alias="MaxAutoMLJobRuntimeInSeconds")


class Algorithms(RequestModel):
    names: tuple[str, ...] = Field(default=(), alias="AutoMLAlgorithms")


class CandidateGenerationConfig(RequestModel):
    feature_specification: str | None = Field(default=None, alias="FeatureSpecificationS3Uri")
    algorithms_config: tuple[Algorithms, ...] = ()


class DataSplitConfig(RequestModel):
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)


class JobConfig(RequestModel):
    mode: str = "AUTO"
    completion_criteria: CompletionCriteria = CompletionCriteria()
    candidate_generation_config: CandidateGenerationConfig = CandidateGenerationConfig()
    data_split_config: DataSplitConfig = DataSplitConfig()


class AutoMLRequest(RequestModel):
    """CreateAutoMLJob."""

    input_data_config: tuple[Channel, ...] = Field(min_length=1, max_length=2)
    output_data_config: OutputDataConfig
    problem_type: Problem | None = None
    objective: Objective | None = Field(default=None, alias="AutoMLJobObjective")
    config: JobConfig = Field(default=JobConfig(), alias="AutoMLJobConfig")
    generate_candidate_definitions_only: bool = False

    @property
    def training(self) -> Channel:
        return next(channel for channel in self.input_data_config if channel.channel_type == "training")

    @property
    def metric(self) -> str | None:
        return self.objective.metric_name if self.objective else None

    @property
    def criteria(self) -> CompletionCriteria:
        return self.config.completion_criteria

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Those that are asked for; none: all."""
        return tuple(
            name for each in self.config.candidate_generation_config.algorithms_config for name in each.names
        )


def parse_auto_ml(arguments: JsonObject, *, stubbed: bool = False) -> AutoMLRequest:
    """Read a request; a stubbed step does without what this machine cannot.

    Raises:
        JobError: it does not have the operation's shape, contradicts itself, or asks for what is not played here.
    """
    request = parse_request(AutoMLRequest, OPERATION, arguments)
    _check_channels(request)
    check_objective(request.metric, request.problem_type)
    if not stubbed:
        _check_supported(request)
    return request


def _check_channels(request: AutoMLRequest) -> None:
    kinds = sorted(channel.channel_type for channel in request.input_data_config)
    if kinds not in (["training"], ["training", "validation"]):
        raise rejected(
            OPERATION, f"InputDataConfig: one training and at most one validation channel, not {kinds}"
        )
    for member in ("target_attribute_name", "content_type", "sample_weight_attribute_name"):
        if len({getattr(channel, member) for channel in request.input_data_config}) > 1:
            raise rejected(
                OPERATION, f"InputDataConfig: both channels must have the same {to_pascal(member)}"
            )


def _check_supported(request: AutoMLRequest) -> None:
    for text in _beyond(request):
        raise UnsupportedError(f"AutoML: {text} is not supported locally; {_HINT}")
    kind = request.training.content_type.replace(" ", "").lower()
    if kind not in {CSV, f"{CSV};header=present", PARQUET}:
        raise client_error(
            f"AutoML: ContentType {request.training.content_type!r} is none of '{CSV};header=present', '{PARQUET}'"
        )


def _beyond(request: AutoMLRequest) -> list[str]:
    """What SageMaker can do and this machine cannot."""
    config = request.config
    sources = [channel.data_source.s3_data_source for channel in request.input_data_config]
    return [
        *(["GenerateCandidateDefinitionsOnly"] if request.generate_candidate_definitions_only else []),
        *([f"Mode {config.mode} (only ENSEMBLING is)"] if config.mode == "HYPERPARAMETER_TUNING" else []),
        *(["FeatureSpecificationS3Uri"] if config.candidate_generation_config.feature_specification else []),
        *[
            f"S3DataType {each.s3_data_type}"
            for each in sources
            if each.s3_data_type == "AugmentedManifestFile"
        ],
    ]
