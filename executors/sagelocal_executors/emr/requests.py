"""The requests of EMR and EMR Serverless steps, as far as this machine acts on them (semantics 02 §2.12, §2.13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

from pydantic import AliasChoices, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from sagelocal.values import JsonObject
from sagelocal_executors.faults import JobError, client_error
from sagelocal_executors.request_model import RequestModel, Text

ADD_STEPS = "elasticmapreduce:AddJobFlowSteps"
RUN_FLOW = "elasticmapreduce:RunJobFlow"
START_RUN = "emr-serverless:StartJobRun"

_SPARK_DEFAULTS = "spark-defaults"


class _CamelRequest(RequestModel):
    model_config = ConfigDict(alias_generator=to_camel)


class KeyValue(RequestModel):
    # The SDK passes on what its users write, in either case (semantics 07 §7.3).
    key: Text = Field(validation_alias=AliasChoices("Key", "key"))
    value: Text = Field(default="", validation_alias=AliasChoices("Value", "value"))


class HadoopJarStep(RequestModel):
    jar: str
    args: tuple[Text, ...] = ()
    main_class: str | None = None
    properties: tuple[KeyValue, ...] = ()


class StepConfig(RequestModel):
    hadoop_jar_step: HadoopJarStep
    action_on_failure: Literal["TERMINATE_JOB_FLOW", "TERMINATE_CLUSTER", "CANCEL_AND_WAIT", "CONTINUE"] = (
        "CONTINUE"
    )


class EmrRequest(RequestModel):
    """The Arguments of an EMR step: AddJobFlowSteps on a cluster, or RunJobFlow for a cluster of its own."""

    step_config: StepConfig
    cluster_id: str | None = None
    cluster_config: Mapping[str, Any] | None = None
    execution_role_arn: str | None = None


class SparkSubmit(_CamelRequest):
    entry_point: str
    entry_point_arguments: tuple[Text, ...] = ()
    spark_submit_parameters: str = ""


class JobDriver(_CamelRequest):
    spark_submit: SparkSubmit | None = None
    hive: Mapping[str, Any] | None = None


class JobConfig(_CamelRequest):
    """StartJobRun."""

    job_driver: JobDriver
    application_id: str | None = None
    execution_role_arn: str = ""
    configuration_overrides: Mapping[str, Any] = Field(default_factory=dict)
    execution_timeout_minutes: int = Field(default=720, ge=0)
    name: str | None = None
    tags: Mapping[str, str] = Field(default_factory=dict)


class ServerlessRequest(RequestModel):
    """The Arguments of an EMR Serverless step: StartJobRun in an application, or CreateApplication before it."""

    job_config: JobConfig
    application_id: str | None = None
    application_config: Mapping[str, Any] | None = None
    execution_role_arn: str = ""


AnyRequest = TypeVar("AnyRequest", bound=RequestModel)


def parse(operation: str, model: type[AnyRequest], arguments: JsonObject) -> AnyRequest:
    """The request in `arguments`.

    Raises:
        JobError: it does not have the operation's shape; names each member concerned.
    """
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise refused(operation, details) from None


def refused(operation: str, text: str, error: str = "ClientError") -> JobError:
    """An operation that does not accept its request (semantics 05 §5.5)."""
    reason = client_error(f"Failed to invoke {operation}. Error Details: {text}").reason
    return JobError(reason, error)


def spark_defaults(configurations: Any) -> dict[str, str]:
    """The properties of the classification ``spark-defaults`` in a list of EMR configurations, of either service."""
    listed = configurations if isinstance(configurations, list | tuple) else ()
    return dict(pair for item in listed if isinstance(item, Mapping) for pair in _properties(item))


def _properties(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    lowered = {key.lower(): value for key, value in item.items()}
    properties = lowered.get("properties")
    if lowered.get("classification") == _SPARK_DEFAULTS and isinstance(properties, Mapping):
        yield from ((key, str(value)) for key, value in properties.items())
