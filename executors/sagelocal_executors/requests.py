"""The Create requests that run containers, as far as this machine acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from sagelocal.values import JsonObject
from sagelocal_executors.request_model import RequestModel, Text, Uri, parse_request

DEFAULT_RUNTIME = 86_400
"""MaxRuntimeInSeconds when none is given: one day (semantics 08 §8.1, §8.2)."""


class StoppingCondition(RequestModel):
    max_runtime_in_seconds: int = DEFAULT_RUNTIME


class S3Input(RequestModel):
    s3_uri: Uri
    local_path: str | None = None
    s3_data_type: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"
    s3_input_mode: str = "File"
    s3_data_distribution_type: Literal["FullyReplicated", "ShardedByS3Key"] = "FullyReplicated"


class ProcessingInput(RequestModel):
    input_name: str
    s3_input: S3Input | None = None
    dataset_definition: Mapping[str, Any] | None = None


class S3Output(RequestModel):
    s3_uri: Uri
    local_path: str | None = None
    s3_upload_mode: Literal["EndOfJob", "Continuous"] = "EndOfJob"


class ProcessingOutput(RequestModel):
    output_name: str
    s3_output: S3Output | None = None
    feature_store_output: Mapping[str, Any] | None = None


class ProcessingOutputConfig(RequestModel):
    outputs: tuple[ProcessingOutput, ...] = ()


class AppSpecification(RequestModel):
    image_uri: str
    container_entrypoint: tuple[Text, ...] | None = None
    container_arguments: tuple[Text, ...] | None = None


class ClusterConfig(RequestModel):
    instance_type: str
    instance_count: int = Field(default=1, ge=1)


class ProcessingResources(RequestModel):
    cluster_config: ClusterConfig


class NetworkConfig(RequestModel):
    enable_network_isolation: bool = False


class ProcessingRequest(RequestModel):
    """CreateProcessingJob."""

    app_specification: AppSpecification
    processing_resources: ProcessingResources
    processing_inputs: tuple[ProcessingInput, ...] = ()
    processing_output_config: ProcessingOutputConfig = ProcessingOutputConfig()
    environment: Mapping[str, Text] = Field(default_factory=dict)
    stopping_condition: StoppingCondition = StoppingCondition()
    network_config: NetworkConfig = NetworkConfig()


class MetricDefinition(RequestModel):
    name: str
    regex: str


class AlgorithmSpecification(RequestModel):
    training_image: str | None = None
    algorithm_name: str | None = None
    training_input_mode: str = "File"
    metric_definitions: tuple[MetricDefinition, ...] = ()
    container_entrypoint: tuple[Text, ...] | None = None
    container_arguments: tuple[Text, ...] | None = None


class S3DataSource(RequestModel):
    s3_uri: Uri
    s3_data_type: str = "S3Prefix"
    s3_data_distribution_type: Literal["FullyReplicated", "ShardedByS3Key"] = "FullyReplicated"
    instance_group_names: tuple[str, ...] = ()


class DataSource(RequestModel):
    s3_data_source: S3DataSource | None = None


class Channel(RequestModel):
    channel_name: str
    data_source: DataSource
    content_type: str | None = None
    compression_type: str = "None"
    record_wrapper_type: str = "None"
    input_mode: str | None = None


class OutputDataConfig(RequestModel):
    s3_output_path: Uri
    compression_type: Literal["GZIP", "NONE"] = "GZIP"


class InstanceGroup(RequestModel):
    instance_group_name: str
    instance_type: str
    instance_count: int = Field(ge=1)


class ResourceConfig(RequestModel):
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(default=1, ge=1)
    instance_groups: tuple[InstanceGroup, ...] = ()


class CheckpointConfig(RequestModel):
    s3_uri: Uri
    local_path: str = "/opt/ml/checkpoints"


class TrainingRequest(RequestModel):
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
    return parse_request(ProcessingRequest, "CreateProcessingJob", arguments)


def parse_training(arguments: JsonObject) -> TrainingRequest:
    """Read a CreateTrainingJob request.

    Raises:
        JobError: it does not have the operation's shape.
    """
    return parse_request(TrainingRequest, "CreateTrainingJob", arguments)
