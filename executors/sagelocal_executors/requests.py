"""The Create requests that run containers, as far as this machine acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from sagelocal.errors import UsageError
from sagelocal.expressions import render
from sagelocal.names import S3Uri
from sagelocal.values import JsonObject
from sagelocal_executors.faults import ill_formed

DEFAULT_RUNTIME = 86_400
"""MaxRuntimeInSeconds when none is given: one day (semantics 08 §8.1, §8.2)."""


def _s3_uri(value: Any) -> Any:
    try:
        S3Uri.parse(str(value))
    except UsageError as error:
        raise ValueError(str(error)) from None
    return value


# A bare Get of an Integer parameter may stand where the API wants a string (semantics 02 §2.2).
Text = Annotated[str, BeforeValidator(render)]
Uri = Annotated[str, BeforeValidator(_s3_uri)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: member for key, member in value.items() if member is not None}


class StoppingCondition(_Request):
    max_runtime_in_seconds: int = DEFAULT_RUNTIME


class S3Input(_Request):
    s3_uri: Uri
    local_path: str | None = None
    s3_data_type: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"
    s3_input_mode: str = "File"
    s3_data_distribution_type: Literal["FullyReplicated", "ShardedByS3Key"] = "FullyReplicated"


class ProcessingInput(_Request):
    input_name: str
    s3_input: S3Input | None = None
    dataset_definition: Mapping[str, Any] | None = None


class S3Output(_Request):
    s3_uri: Uri
    local_path: str | None = None
    s3_upload_mode: Literal["EndOfJob", "Continuous"] = "EndOfJob"


class ProcessingOutput(_Request):
    output_name: str
    s3_output: S3Output | None = None
    feature_store_output: Mapping[str, Any] | None = None


class ProcessingOutputConfig(_Request):
    outputs: tuple[ProcessingOutput, ...] = ()


class AppSpecification(_Request):
    image_uri: str
    container_entrypoint: tuple[Text, ...] | None = None
    container_arguments: tuple[Text, ...] | None = None


class ClusterConfig(_Request):
    instance_type: str
    instance_count: int = Field(default=1, ge=1)


class ProcessingResources(_Request):
    cluster_config: ClusterConfig


class NetworkConfig(_Request):
    enable_network_isolation: bool = False


class ProcessingRequest(_Request):
    """CreateProcessingJob."""

    app_specification: AppSpecification
    processing_resources: ProcessingResources
    processing_inputs: tuple[ProcessingInput, ...] = ()
    processing_output_config: ProcessingOutputConfig = ProcessingOutputConfig()
    environment: Mapping[str, Text] = Field(default_factory=dict)
    stopping_condition: StoppingCondition = StoppingCondition()
    network_config: NetworkConfig = NetworkConfig()


class MetricDefinition(_Request):
    name: str
    regex: str


class AlgorithmSpecification(_Request):
    training_image: str | None = None
    algorithm_name: str | None = None
    training_input_mode: str = "File"
    metric_definitions: tuple[MetricDefinition, ...] = ()
    container_entrypoint: tuple[Text, ...] | None = None
    container_arguments: tuple[Text, ...] | None = None


class S3DataSource(_Request):
    s3_uri: Uri
    s3_data_type: str = "S3Prefix"
    s3_data_distribution_type: Literal["FullyReplicated", "ShardedByS3Key"] = "FullyReplicated"
    instance_group_names: tuple[str, ...] = ()


class DataSource(_Request):
    s3_data_source: S3DataSource | None = None


class Channel(_Request):
    channel_name: str
    data_source: DataSource
    content_type: str | None = None
    compression_type: str = "None"
    record_wrapper_type: str = "None"
    input_mode: str | None = None


class OutputDataConfig(_Request):
    s3_output_path: Uri
    compression_type: Literal["GZIP", "NONE"] = "GZIP"


class InstanceGroup(_Request):
    instance_group_name: str
    instance_type: str
    instance_count: int = Field(ge=1)


class ResourceConfig(_Request):
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(default=1, ge=1)
    instance_groups: tuple[InstanceGroup, ...] = ()


class CheckpointConfig(_Request):
    s3_uri: Uri
    local_path: str = "/opt/ml/checkpoints"


class TrainingRequest(_Request):
    """CreateTrainingJob."""

    algorithm_specification: AlgorithmSpecification = AlgorithmSpecification()
    hyper_parameters: Mapping[str, Text] = Field(default_factory=dict)
    input_data_config: tuple[Channel, ...] = ()
    output_data_config: OutputDataConfig
    resource_config: ResourceConfig = ResourceConfig()
    stopping_condition: StoppingCondition = StoppingCondition()
    checkpoint_config: CheckpointConfig | None = None
    environment: Mapping[str, Text] = Field(default_factory=dict)
    enable_network_isolation: bool = False
    serverless_job_config: Mapping[str, Any] | None = None


def parse_processing(arguments: JsonObject) -> ProcessingRequest:
    """Read a CreateProcessingJob request.

    Raises:
        JobError: it does not have the operation's shape.
    """
    try:
        return ProcessingRequest.model_validate(arguments)
    except ValidationError as error:
        raise ill_formed("CreateProcessingJob", error) from None


def parse_training(arguments: JsonObject) -> TrainingRequest:
    """Read a CreateTrainingJob request.

    Raises:
        JobError: it does not have the operation's shape.
    """
    try:
        return TrainingRequest.model_validate(arguments)
    except ValidationError as error:
        raise ill_formed("CreateTrainingJob", error) from None
