"""The experiments that an execution belongs to (semantics 01 §1.3, §1.4)."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.definition.pipeline import PipelineDefinition
from sagelocal.errors import ExpressionError, UsageError
from sagelocal.expressions import as_text, resolve
from sagelocal.names import execution_id, pipeline_of
from sagelocal.scope import Facts, StepScope
from sagelocal.state import Identity, Rules
from sagelocal.values import Json, Scalar

_PIPELINE_NAME = {"Get": "Execution.PipelineName"}


def experiment(
    definition: PipelineDefinition, arn: str, parameters: Mapping[str, Scalar], rules: Rules, now: float
) -> dict[str, Json]:
    """The resolved PipelineExperimentConfig of an execution; empty when the definition turns it off.

    Raises:
        UsageError: a name cannot be resolved from parameters and execution variables.
    """
    config = definition.experiment_config
    if config is None:
        return {}
    scope = _scope(arn, parameters, rules, now)
    try:
        names = {
            "ExperimentName": as_text(resolve(config.experiment_name, scope)),
            "TrialName": as_text(resolve(config.trial_name, scope)),
        }
    except ExpressionError as error:
        message = f"PipelineExperimentConfig: {error}"
        raise UsageError(message) from None
    if config.experiment_name == _PIPELINE_NAME:
        # Seen at the service: pipeline SimpleXGBoostPipeline gave experiment simplexgboostpipeline.
        names["ExperimentName"] = names["ExperimentName"].lower()
    return dict(names)


def mlflow(
    definition: PipelineDefinition, arn: str, parameters: Mapping[str, Scalar], rules: Rules, now: float
) -> dict[str, Json]:
    """The resolved MlflowConfig of an execution; empty when the definition has none.

    Raises:
        UsageError: a member cannot be resolved from parameters and execution variables.
    """
    scope = _scope(arn, parameters, rules, now)
    try:
        return {
            name: as_text(resolve(value, scope))
            for name, value in (definition.mlflow_config or {}).items()
            if value is not None
        }
    except ExpressionError as error:
        message = f"MlflowConfig: {error}"
        raise UsageError(message) from None


def _scope(arn: str, parameters: Mapping[str, Scalar], rules: Rules, now: float) -> StepScope:
    identity = Identity(pipeline_of(arn), arn.removesuffix(f"/execution/{execution_id(arn)}"), arn)
    return StepScope(Facts(identity, parameters, rules, now, {}, {}, {}), step="", now=now)
