"""What the author wrote: the definition JSON as frozen, validated values."""

from __future__ import annotations

from sagelocal.definition.conditions import Comparison, Condition, Membership, Not, Or
from sagelocal.definition.pipeline import ExperimentConfig, Parameter, ParameterType, PipelineDefinition, walk
from sagelocal.definition.read_pipeline import parse
from sagelocal.definition.steps import (
    ApiStep,
    CacheConfig,
    ConditionStep,
    Dependency,
    FailStep,
    ForEachStep,
    OutputParameter,
    PropertyFile,
    RetryPolicy,
    Selector,
    Step,
    StepType,
    Trigger,
)

__all__ = [
    "ApiStep",
    "CacheConfig",
    "Comparison",
    "Condition",
    "ConditionStep",
    "Dependency",
    "ExperimentConfig",
    "FailStep",
    "ForEachStep",
    "Membership",
    "Not",
    "Or",
    "OutputParameter",
    "Parameter",
    "ParameterType",
    "PipelineDefinition",
    "PropertyFile",
    "RetryPolicy",
    "Selector",
    "Step",
    "StepType",
    "Trigger",
    "parse",
    "walk",
]
