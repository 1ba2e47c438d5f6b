"""The channels and the program of a training job, checked against what this machine can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sagelocal_executors import contract
from sagelocal_executors.channels import Source, unsupported
from sagelocal_executors.contract import Host
from sagelocal_executors.faults import UnsupportedError, client_error, rejected
from sagelocal_executors.requests import AlgorithmSpecification, Channel, S3DataSource, TrainingRequest

_SERVERLESS = (
    "ServerlessJobConfig is not supported locally: serverless customization runs models that only AWS has; "
    "stub the step, or give an AlgorithmSpecification with a TrainingImage"
)
_ALGORITHM = (
    "AlgorithmSpecification.AlgorithmName is not supported locally: the image behind it is known to AWS alone; "
    "give a TrainingImage, or stub the step"
)


@dataclass(frozen=True, slots=True)
class PlannedChannel:
    """One channel: its source, how it reaches the container, and the hosts that get it."""

    channel: Channel
    source: Source
    piped: bool
    hosts: tuple[Host, ...]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to run, on which hosts, with which channels."""

    image: str
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    hosts: tuple[Host, ...]
    channels: tuple[PlannedChannel, ...]


def plan_training(request: TrainingRequest, *, stubbed: bool = False) -> TrainingPlan:
    """Check what this machine can do of a request, and lay it out; a stubbed step does without what it cannot.

    Raises:
        JobError: something in it is wrong, or not supported locally.
    """
    algorithm = request.algorithm_specification
    hosts = contract.training_hosts(request)
    return TrainingPlan(
        image=_image(request, stubbed=stubbed),
        entrypoint=algorithm.container_entrypoint,
        command=_command(algorithm),
        hosts=hosts,
        channels=tuple(_channels(request, hosts, stubbed=stubbed)),
    )


def _image(request: TrainingRequest, *, stubbed: bool) -> str:
    algorithm = request.algorithm_specification
    if stubbed:
        return algorithm.training_image or algorithm.algorithm_name or "serverless"
    if request.serverless_job_config is not None:
        raise UnsupportedError(_SERVERLESS)
    if algorithm.training_image is None and algorithm.algorithm_name is not None:
        raise UnsupportedError(_ALGORITHM)
    if algorithm.training_image is None:
        raise rejected("CreateTrainingJob", "AlgorithmSpecification needs a TrainingImage")
    return algorithm.training_image


def _command(algorithm: AlgorithmSpecification) -> tuple[str, ...] | None:
    """``docker run image train``, unless the request says what to run."""
    if algorithm.container_entrypoint is None and algorithm.container_arguments is None:
        return ("train",)
    return algorithm.container_arguments


def _channels(
    request: TrainingRequest, hosts: tuple[Host, ...], *, stubbed: bool
) -> Iterator[PlannedChannel]:
    for channel in request.input_data_config:
        try:
            yield _channel(channel, request.algorithm_specification.training_input_mode, hosts)
        except UnsupportedError:
            if not stubbed:
                raise


def _channel(channel: Channel, default_mode: str, hosts: tuple[Host, ...]) -> PlannedChannel:
    source = channel.data_source.s3_data_source
    label = f"channel {channel.channel_name!r}"
    if source is None:
        raise unsupported(label, "a DataSource without S3DataSource")
    mode = channel.input_mode or default_mode
    _check(label, source, mode)
    groups = source.instance_group_names
    return PlannedChannel(
        channel=channel,
        source=Source(
            label=label,
            uri=source.s3_uri,
            target=f"{contract.INPUT_DATA}/{channel.channel_name}",
            manifest=source.s3_data_type == "ManifestFile",
            sharded=source.s3_data_distribution_type == "ShardedByS3Key",
        ),
        piped=mode == "Pipe",
        hosts=tuple(host for host in hosts if not groups or host.group in groups),
    )


def _check(label: str, source: S3DataSource, mode: str) -> None:
    if source.s3_data_type not in {"S3Prefix", "ManifestFile"}:
        raise unsupported(label, f"S3DataType {source.s3_data_type!r}")
    if mode == "FastFile" and source.s3_data_type != "S3Prefix":
        raise client_error(f"{label}: FastFile mode works with S3DataType S3Prefix only")
    if mode not in {"File", "FastFile", "Pipe"}:
        raise client_error(f"{label}: InputMode {mode!r} is none of File, FastFile, Pipe")
