"""CreateTransformJob: its request, parsed once, with the rules that AWS documents for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_pascal

from sagelocal.values import JsonObject
from sagelocal_executors.faults import ill_formed
from sagelocal_executors.requests import Text, Uri
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


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: member for key, member in value.items() if member is not None}


class S3DataSource(_Request):
    s3_uri: Uri
    s3_data_type: Literal["S3Prefix", "ManifestFile"]


class DataSource(_Request):
    s3_data_source: S3DataSource


class TransformInput(_Request):
    data_source: DataSource
    content_type: str | None = None
    compression_type: Literal["None", "Gzip"] = "None"
    split_type: Literal["None", "Line", "RecordIO", "TFRecord"] = "None"


class TransformOutput(_Request):
    s3_output_path: Uri
    accept: str | None = None
    assemble_with: Literal["None", "Line"] = "None"


class TransformResources(_Request):
    instance_count: int = Field(default=1, ge=1, le=100)


class ModelClientConfig(_Request):
    invocations_timeout_in_seconds: int = Field(default=600, ge=1, le=3600)
    invocations_max_retries: int = Field(default=3, ge=0, le=3)


class DataProcessing(_Request):
    input_filter: JsonPath = ALL
    output_filter: JsonPath = ALL
    join_source: Literal["None", "Input"] = "None"


class DataCaptureConfig(_Request):
    """The shape BatchDataCaptureConfig."""

    destination_s3_uri: Uri
    generate_inference_id: bool = False


class TransformRequest(_Request):
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
    try:
        return TransformRequest.model_validate(arguments)
    except ValidationError as error:
        raise ill_formed(OPERATION, error) from None
