"""What a job's container finds below /opt/ml (semantics 08 §8.1, §8.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sagelocal.values import Json, JsonObject
from sagelocal_executors.requests import Channel, InstanceGroup, ProcessingRequest, TrainingRequest

PROCESSING = "/opt/ml/processing"
PROCESSING_CONFIG = "/opt/ml/config"
INPUT = "/opt/ml/input"
INPUT_CONFIG = f"{INPUT}/config"
INPUT_DATA = f"{INPUT}/data"
MODEL = "/opt/ml/model"
OUTPUT = "/opt/ml/output"
OUTPUT_DATA = f"{OUTPUT}/data"
FAILURE = f"{OUTPUT}/failure"
MESSAGE = f"{OUTPUT}/message"

ONE_GROUP = "homogeneousCluster"
"""What resourceconfig.json calls the group of a cluster without InstanceGroups."""


@dataclass(frozen=True, slots=True)
class Host:
    """One instance of a cluster: ``algo-1`` … with its instance type and its group."""

    name: str
    instance_type: str
    group: str = ONE_GROUP


def processing_hosts(request: ProcessingRequest) -> tuple[Host, ...]:
    cluster = request.processing_resources.cluster_config
    return tuple(_hosts([(ONE_GROUP, cluster.instance_type, cluster.instance_count)]))


def training_hosts(request: TrainingRequest) -> tuple[Host, ...]:
    resources = request.resource_config
    return tuple(
        _hosts(
            [_group(group) for group in resources.instance_groups]
            or [(ONE_GROUP, resources.instance_type, resources.instance_count)]
        )
    )


def _group(group: InstanceGroup) -> tuple[str, str, int]:
    return group.instance_group_name, group.instance_type, group.instance_count


def _hosts(groups: Iterable[tuple[str, str, int]]) -> Iterator[Host]:
    number = count(1)
    for group, instance_type, instances in groups:
        for _ in range(instances):
            yield Host(f"algo-{next(number)}", instance_type, group)


def resource_config(current: Host, hosts: tuple[Host, ...]) -> JsonObject:
    """resourceconfig.json: who this host is, who the others are."""
    groups = {host.group: host.instance_type for host in hosts}
    return {
        "current_host": current.name,
        "current_instance_type": current.instance_type,
        "current_group_name": current.group,
        "hosts": [host.name for host in hosts],
        "instance_groups": [
            {
                "instance_group_name": group,
                "instance_type": instance_type,
                "hosts": [host.name for host in hosts if host.group == group],
            }
            for group, instance_type in groups.items()
        ],
        "network_interface_name": "eth0",
    }


def processing_job_config(name: str, arn: str, echo: JsonObject) -> JsonObject:
    """processingjobconfig.json: the request, with null for what it does not say."""
    inputs, outputs = echo.get("ProcessingInputs"), echo.get("ProcessingOutputConfig")
    application = echo.get("AppSpecification")
    return {
        "ProcessingJobArn": arn,
        "ProcessingJobName": name,
        "AppSpecification": _with_nulls(application, "ImageUri", "ContainerEntrypoint", "ContainerArguments"),
        "Environment": echo.get("Environment"),
        "ProcessingInputs": [_processing_input(item) for item in _items(inputs)],
        "ProcessingOutputConfig": _with_nulls(outputs, "Outputs", "KmsKeyId"),
        "ProcessingResources": echo.get("ProcessingResources"),
        "RoleArn": echo.get("RoleArn"),
        "StoppingCondition": echo.get("StoppingCondition"),
    }


_S3_INPUT = (
    "LocalPath",
    "S3Uri",
    "S3DataDistributionType",
    "S3DataType",
    "S3InputMode",
    "S3CompressionType",
)


def _processing_input(item: Json) -> Json:
    if not isinstance(item, Mapping) or "S3Input" not in item:
        return item
    s3_input = {**_with_nulls(item["S3Input"], *_S3_INPUT), "S3DownloadMode": "StartOfJob"}
    return {**item, "S3Input": s3_input}


def _with_nulls(value: Json, *members: str) -> JsonObject:
    present = value if isinstance(value, Mapping) else {}
    return {**dict.fromkeys(members), **present}


def _items(value: Json) -> tuple[Json, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def input_data_config(channels: Iterable[Channel], default_mode: str) -> JsonObject:
    """inputdataconfig.json; a FastFile channel says File, as the container reads files either way."""
    return {channel.channel_name: _channel(channel, default_mode) for channel in channels}


def _channel(channel: Channel, default_mode: str) -> JsonObject:
    source = channel.data_source.s3_data_source
    mode = channel.input_mode or default_mode
    content_type = {"ContentType": channel.content_type} if channel.content_type is not None else {}
    return {
        **content_type,
        "TrainingInputMode": "File" if mode == "FastFile" else mode,
        "S3DistributionType": source.s3_data_distribution_type if source else "FullyReplicated",
        "RecordWrapperType": channel.record_wrapper_type,
    }


def training_environment(
    name: str, arn: str, region: str, environment: Mapping[str, str]
) -> Mapping[str, str]:
    """The environment of a training container, but for what the runtime adds."""
    return {"AWS_REGION": region, **environment, "TRAINING_JOB_NAME": name, "TRAINING_JOB_ARN": arn}


def processing_environment(
    name: str, arn: str, region: str, environment: Mapping[str, str]
) -> Mapping[str, str]:
    """The environment of a processing container, but for what the runtime adds."""
    return {"AWS_REGION": region, **environment, "PROCESSING_JOB_NAME": name, "PROCESSING_JOB_ARN": arn}


def write_config(folder: Path, files: Mapping[str, Json]) -> None:
    """Write each value as ``<folder>/<name>``, in JSON."""
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, indent=2), encoding="utf-8")
