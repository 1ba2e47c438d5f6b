"""What the steps of an execution left behind, and where it lies on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import UsageError
from sagelocal.names import S3Uri
from sagelocal.store.views import StepView
from sagelocal.values import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that a step made.

    Attributes:
        step: its name.
        name: of the output: the OutputName, ``model``, ``transform``, ``constraints``, ``model package`` …
        uri: S3 URI or ARN.
        path: the file or folder that holds it; None for what is no object, or is not there.
    """

    step: str
    name: str
    uri: str
    path: Path | None


def outputs(steps: tuple[StepView, ...], store: ObjectStore) -> Iterator[Output]:
    """The outputs of all steps that succeeded, in the order of the steps."""
    for step in steps:
        if step.status != "Succeeded":
            continue
        for name, uri in _declared(step.properties):
            yield Output(step.name, name, uri, _path(uri, store))


def _declared(properties: JsonObject) -> Iterator[tuple[str, str]]:
    """Names and addresses in a Describe answer of any kind of job (semantics 04)."""
    for output in _list(_at(properties, "ProcessingOutputConfig", "Outputs")):
        yield from _named(str(_at(output, "OutputName")), _at(output, "S3Output", "S3Uri"))
    yield from _named("model", _at(properties, "ModelArtifacts", "S3ModelArtifacts"))
    yield from _named("transform", _at(properties, "TransformOutput", "S3OutputPath"))
    yield from _named("best training job", _at(properties, "BestTrainingJob", "TrainingJobArn"))
    for container in _list(_at(properties, "BestCandidate", "InferenceContainers"))[:1]:
        yield from _named("best candidate", _at(container, "ModelDataUrl"))
    yield from _named("statistics", _at(properties, "CalculatedBaselineStatistics"))
    yield from _named("constraints", _at(properties, "CalculatedBaselineConstraints"))
    yield from _named("model", _at(properties, "ModelArn"))
    yield from _named("model package", _at(properties, "ModelPackageArn"))


def _named(name: str, uri: Json) -> Iterator[tuple[str, str]]:
    if isinstance(uri, str):
        yield name, uri


def _at(value: Json, *keys: str) -> Json:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list | tuple) else []


def _path(uri: str, store: ObjectStore) -> Path | None:
    try:
        address = S3Uri.parse(uri)
    except UsageError:
        return None
    return store.file(address) or store.folder(address)
