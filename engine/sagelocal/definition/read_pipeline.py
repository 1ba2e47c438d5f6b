"""A whole definition, read from its JSON text (semantics 01 §1.1-1.4)."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.definition.json_text import read_json, too_deep
from sagelocal.definition.pipeline import ExperimentConfig, PipelineDefinition
from sagelocal.definition.place import Place
from sagelocal.definition.read_expressions import check_text
from sagelocal.definition.read_parameters import read_parameters
from sagelocal.definition.read_steps import read_steps
from sagelocal.errors import DefinitionError, Problem
from sagelocal.values import Json, JsonObject

VERSION = "2020-12-01"
_KEYS = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
_EXPERIMENT_NAMESPACES = frozenset({"Parameters", "Execution"})
_EXPERIMENT_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}"
_LONGEST_METADATA = 1024
_LONGEST_MLFLOW = 2048


def parse(text: str | bytes) -> PipelineDefinition:
    """Read a pipeline definition: JSON of version 2020-12-01, at most 1,048,576 characters, a BOM allowed.

    Raises:
        DefinitionError: everything that is wrong with its form, at once and in the order of the file. What only shows in
            the graph (step names used twice, unknown steps, cycles) is for `sagelocal.plan`; whether Arguments fit the
            service's API, for `sagelocal.check`.
    """
    problems: list[Problem] = []
    value = read_json(text)
    try:
        definition = _read_definition(Place(problems), value)
    except RecursionError:
        # Our caller's stack may be nearly full already; that the limit of `read_json` suffices holds for shallow ones.
        raise too_deep() from None
    if problems:
        raise DefinitionError(problems)
    return definition


def _read_definition(place: Place, value: Json) -> PipelineDefinition:
    members = place.members(value, _KEYS, ("Steps",))
    version = (place / "Version").choice(members.get("Version", VERSION), (VERSION,), "Version")
    return PipelineDefinition(
        version=version,
        metadata=_read_metadata(place / "Metadata", members.get("Metadata")),
        parameters=read_parameters(place / "Parameters", members.get("Parameters")),
        experiment_config=_read_experiment(
            place / "PipelineExperimentConfig", members.get("PipelineExperimentConfig")
        ),
        mlflow_config=_read_mlflow(place / "MlflowConfig", members.get("MlflowConfig")),
        steps=read_steps(place / "Steps", members.get("Steps")),
    )


def _read_metadata(place: Place, value: Json) -> Mapping[str, str]:
    found = {} if value is None else place.object(value)
    return {key: (place / key).text(item, longest=_LONGEST_METADATA) for key, item in found.items()}


def _read_experiment(place: Place, value: Json) -> ExperimentConfig | None:
    if value is None:
        return None
    # The experiment is made before any step runs, so its names cannot come from one.
    members = place.seeing(_EXPERIMENT_NAMESPACES).members(value, ("ExperimentName", "TrialName"))
    for key, item in members.items():
        inside = place.seeing(_EXPERIMENT_NAMESPACES) / key
        if isinstance(item, str):
            inside.text(item, longest=120, pattern=_EXPERIMENT_NAME)
        else:
            check_text(inside, item, longest=120)
    return ExperimentConfig(members.get("ExperimentName"), members.get("TrialName")) if members else None


def _read_mlflow(place: Place, value: Json) -> JsonObject | None:
    if value is None:
        return None
    members = place.members(value, ("MlflowResourceArn", "MlflowExperimentName"))
    for key, item in members.items():
        check_text(place / key, item, longest=_LONGEST_MLFLOW)
    return members or None
