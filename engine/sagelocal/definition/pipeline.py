"""A pipeline: its parameters, its steps, its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sagelocal.definition.parameters import Parameter, ParameterType
from sagelocal.definition.steps import Step, walk
from sagelocal.values import Json, JsonObject

__all__ = ["ExperimentConfig", "Parameter", "ParameterType", "PipelineDefinition", "walk"]


@dataclass(frozen=True, slots=True)
class ExperimentConfig:
    """The names of experiment and trial: literals or expressions, None where the definition has none."""

    experiment_name: Json
    trial_name: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDefinition:
    """A definition that was read without a fault (semantics 01 §1.1).

    Attributes:
        version: ``2020-12-01``, the only one there is.
        metadata: free strings of the author.
        parameters: in the order of the definition; no name twice.
        experiment_config: None when no experiment is to be recorded.
        mlflow_config: ``MlflowResourceArn`` and ``MlflowExperimentName``, expressions unresolved; None when absent.
        steps: the top-level steps in the order of the definition, which has no meaning.
    """

    version: str = "2020-12-01"
    metadata: Mapping[str, str] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    experiment_config: ExperimentConfig | None = None
    mlflow_config: JsonObject | None = None
    steps: tuple[Step, ...]
