"""The training job of one trial: its CreateTrainingJob request."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job
from sagelocal.values import Json, JsonObject
from sagelocal_executors.tuning.builtin_metrics import builtin_metrics
from sagelocal_executors.tuning.plan import Definition
from sagelocal_executors.tuning.request import TuningResourceConfig
from sagelocal_executors.tuning.trials import Trial

_NOT_OF_TRAINING = frozenset(
    {
        "DefinitionName",
        "TuningObjective",
        "HyperParameterRanges",
        "StaticHyperParameters",
        "HyperParameterTuningResourceConfig",
    }
)
_MOST_METRICS = 40


def child(parent: Job, definition: Definition, trial: Trial) -> Job:
    """The job of a trial."""
    return Job(
        execution=parent.execution,
        step=parent.step,
        kind=StepType.TRAINING,
        attempt=parent.attempt,
        name=trial.name,
        arguments=training_request(definition, trial, parent.arguments.get("Tags")),
        child=True,
    )


def training_request(definition: Definition, trial: Trial, tags: Json = None) -> JsonObject:
    """CreateTrainingJob of a trial: the definition, with one point of its ranges."""
    request = {key: value for key, value in definition.raw.items() if key not in _NOT_OF_TRAINING}
    request["AlgorithmSpecification"] = _algorithm(definition)
    request["HyperParameters"] = definition.hyperparameters(trial.values)
    flexible = definition.request.hyper_parameter_tuning_resource_config
    if flexible is not None:
        request["ResourceConfig"] = _resource_config(flexible)
    if isinstance(checkpoints := request.get("CheckpointConfig"), Mapping):
        request["CheckpointConfig"] = _own_checkpoints(checkpoints, trial.name)
    return request if tags is None else {**request, "Tags": tags}


def _algorithm(definition: Definition) -> JsonObject:
    given = definition.raw["AlgorithmSpecification"]
    assert isinstance(given, Mapping)
    own = given.get("MetricDefinitions") or []
    assert isinstance(own, list)
    named = {metric.name for metric in definition.request.algorithm_specification.metric_definitions}
    inherent = [metric for metric in builtin_metrics(definition.request) if metric["Name"] not in named]
    metrics = [*own, *inherent][:_MOST_METRICS]
    return {**given, "MetricDefinitions": metrics} if metrics else given


def _resource_config(flexible: TuningResourceConfig) -> JsonObject:
    """ResourceConfig; of several InstanceConfigs the first, as the AllocationStrategy Prioritized has it."""
    first = next(iter(flexible.instance_configs), flexible)
    members: dict[str, Json] = {
        "InstanceType": first.instance_type,
        "InstanceCount": first.instance_count or 1,
        "VolumeSizeInGB": first.volume_size_in_gb or flexible.volume_size_in_gb or 1,
        "VolumeKmsKeyId": flexible.volume_kms_key_id,
    }
    return {name: value for name, value in members.items() if value is not None}


def _own_checkpoints(config: JsonObject, name: str) -> JsonObject:
    """A prefix of the trial's own: trials run side by side, and must not go on from one another's checkpoints."""
    return {**config, "S3Uri": f"{str(config['S3Uri']).rstrip('/')}/{name}"}
