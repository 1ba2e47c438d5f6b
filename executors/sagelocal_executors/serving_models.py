"""The containers of a model, from what CreateModel and the model registry recorded (semantics 08 §8.3, §8.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog, Kind
from sagelocal.cloud.registry import find_package
from sagelocal.expressions import render
from sagelocal.nearest import did_you_mean
from sagelocal.values import Json, JsonObject
from sagelocal_executors.faults import UnsupportedError, client_error


@dataclass(frozen=True, slots=True)
class ModelContainer:
    """One container of a model.

    Attributes:
        image: as the definition says it.
        data: S3 URI of model.tar.gz, or of a prefix; None for a model without data.
        uncompressed: whether `data` names plain files: all objects of a prefix, or one object.
        env: the model's Environment.
        hostname: ContainerHostname, or container-1, container-2 … by its place.
    """

    image: str
    data: str | None
    uncompressed: bool
    env: Mapping[str, str]
    hostname: str


def model_containers(catalog: Catalog, model_name: str) -> tuple[ModelContainer, ...]:
    """The containers of a model in the order in which a request passes them.

    Raises:
        JobError: there is no such model, or it is of a kind that is not served locally.
    """
    definitions = list(_definitions(catalog, find_model(catalog, model_name)))
    if not definitions:
        raise client_error(f'The model "{model_name}" has no container')
    taken: set[str] = set()
    found = []
    for place, definition in enumerate(definitions, start=1):
        name = definition.get("ContainerHostname")
        hostname = name if isinstance(name, str) and name not in taken else f"container-{place}"
        taken.add(hostname)
        found.append(_container(definition, hostname))
    return tuple(found)


def find_model(catalog: Catalog, name: str) -> JsonObject:
    """The Describe answer of the model.

    Raises:
        JobError: there is none.
    """
    entity = catalog.get(Kind.MODEL, name)
    if entity is None:
        hint = did_you_mean(name, (model.name for model in catalog.list(Kind.MODEL)))
        raise client_error(f'Could not find model "{name}"{hint}. A Model step creates one')
    return entity.describe


def is_isolated(model: JsonObject) -> bool:
    return bool(model.get("EnableNetworkIsolation"))


def _definitions(catalog: Catalog, model: JsonObject) -> Iterator[JsonObject]:
    """The model's container definitions, with those of model packages in the place of their names."""
    listed = _objects(model.get("Containers")) or _objects([model.get("PrimaryContainer")])
    if len(listed) > 1 and _object(model.get("InferenceExecutionConfig")).get("Mode") == "Direct":
        raise UnsupportedError(
            "InferenceExecutionConfig.Mode Direct is not supported locally: its containers are not a pipeline; "
            "make a model of the one container that is meant, or stub the step"
        )
    for definition in listed:
        name = definition.get("ModelPackageName")
        if isinstance(name, str):
            yield from _packaged(catalog, name, definition)
        else:
            yield definition


def _packaged(catalog: Catalog, name: str, outer: JsonObject) -> Iterator[JsonObject]:
    """The containers of a model package, each with the Environment that the model adds."""
    entity = find_package(catalog, name)
    if entity is None:
        raise client_error(f"Model package {name} does not exist")
    for definition in _objects(_specification(entity.describe, outer, name).get("Containers")):
        inner = _object(definition.get("Environment"))
        yield {**definition, "Environment": {**inner, **_object(outer.get("Environment"))}}


def _specification(package: JsonObject, outer: JsonObject, name: str) -> JsonObject:
    """The package's InferenceSpecification, or the additional one that the container names."""
    wanted = outer.get("InferenceSpecificationName")
    if wanted is None:
        return _object(package.get("InferenceSpecification"))
    for specification in _objects(package.get("AdditionalInferenceSpecifications")):
        if specification.get("Name") == wanted:
            return specification
    raise client_error(f"Model package {name} has no additional inference specification {wanted!r}")


def _container(definition: JsonObject, hostname: str) -> ModelContainer:
    image = definition.get("Image")
    if definition.get("Mode") == "MultiModel":
        raise UnsupportedError(
            f"{hostname}: Mode MultiModel is not supported locally: name the model.tar.gz of one model as ModelDataUrl, "
            "or stub the step"
        )
    if definition.get("AdditionalModelDataSources"):
        raise UnsupportedError(
            f"{hostname}: AdditionalModelDataSources is not supported locally: put all files into one model data source, "
            "or stub the step"
        )
    if not isinstance(image, str):
        raise UnsupportedError(
            f"{hostname}: the model names no Image, so it is not known what serves it; give one, or stub the step"
        )
    data, uncompressed = _data(definition, hostname)
    env = {key: render(value) for key, value in _object(definition.get("Environment")).items()}
    return ModelContainer(image, data, uncompressed, env, hostname)


def _data(definition: JsonObject, hostname: str) -> tuple[str | None, bool]:
    """Where the model data lies, and whether it is plain files (API: S3ModelDataSource)."""
    source = _object(_object(definition.get("ModelDataSource")).get("S3DataSource"))
    if not source:
        url = definition.get("ModelDataUrl")
        return (url if isinstance(url, str) and url else None), False
    uncompressed = source.get("CompressionType", "None") == "None"
    if not uncompressed and source.get("S3DataType") == "S3Prefix":
        raise client_error(
            f"{hostname}: ModelDataSource: CompressionType Gzip goes with S3DataType S3Object, as one archive holds a model"
        )
    return str(source.get("S3Uri")), uncompressed


def _objects(values: Json) -> list[JsonObject]:
    return (
        [value for value in values if isinstance(value, Mapping)] if isinstance(values, list | tuple) else []
    )


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
