"""CreateTransformJob: its request, parsed once, with the rules that AWS documents for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    StringConstraints,
)

from sagelocal.values import JsonObject
from sagelocal_executors.request_model import RequestModel, Text, Uri, parse_request
from sagelocal_executors.transform.filters import Filter, parse_filter

OPERATION = "CreateTransformJob"
_JSON_PATH_LENGTH = 63
ALL = parse_filter("$")


def _parsed(value: Any) -> Filter:
    if not isinstance(value, str) or len(value) > _JSON_PATH_LENGTH:
        raise ValueError(f"{value!r} is no text of at most {_JSON_PATH_LENGTH} characters")
    return parse_filter(value) if value else ALL


JsonPath = Annotated[InstanceOf[Filter], BeforeValidator(_parsed)]
Key = Annotated[str, StringConstraints(max_length=1024, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class S3DataSource(RequestModel):
    s3_uri: Uri
    s3_data_type: Literal["S3Prefix", "ManifestFile"]


class DataSource(RequestModel):
    s3_data_source: S3DataSource


class TransformInput(RequestModel):
    data_source: DataSource
    content_type: str | None = None
    compression_type: Literal["None", "Gzip"] = "None"
    split_type: Literal["None", "Line", "RecordIO", "TFRecord"] = "None"


class TransformOutput(RequestModel):
    s3_output_path: Uri
    accept: str | None = None
    assemble_with: Literal["None", "Line"] = "None"


class TransformResources(RequestModel):
    instance_count: int = Field(default=1, ge=1, le=100)


class ModelClientConfig(RequestModel):
    invocations_timeout_in_seconds: int = Field(default=600, ge=1, le=3600)
    invocations_max_retries: int = Field(default=3, ge=0, le=3)


class DataProcessing(RequestModel):
    input_filter: JsonPath = ALL
    output_filter: JsonPath = ALL
    join_source: Literal["None", "Input"] = "None"


class DataCaptureConfig(RequestModel):
    """The shape BatchDataCaptureConfig."""

    destination_s3_uri: Uri
    generate_inference_id: bool = False


class TransformRequest(RequestModel):
    """CreateTransformJob."""

    model_name: str
    transform_input: TransformInput
    transform_output: TransformOutput
    transform_resources: TransformResources
    max_concurrent_transforms: int = Field(default=0, ge=0)
    max_payload_in_mb: int | None = Field(default=None, alias="MaxPayloadInMB", ge=0, le=100)
    batch_strategy: Literal["MultiRecord", "SingleRecord"] | None = None
    model_client_config: ModelClientConfig = ModelClientConfig()
    data_processing: DataProcessing = DataProcessing()
    data_capture_config: DataCaptureConfig | None = None
    environment: Mapping[Key, Text] = Field(default_factory=dict, max_length=16)


def parse_transform(arguments: JsonObject) -> TransformRequest:
    """Read a CreateTransformJob request.

    Raises:
        JobError: it does not have the operation's shape.
    """
    return parse_request(TransformRequest, OPERATION, arguments)
