"""What the Arguments of one type of step must satisfy beyond their API's shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sagelocal.definition.place import Place
from sagelocal.definition.steps import StepType
from sagelocal.references import is_expression
from sagelocal.values import JsonObject

_RUN_JOB_FLOW_ONLY = ("Name", "Steps", "AutoTerminationPolicy")


def check_argument_rules(place: Place, kind: StepType, arguments: JsonObject) -> None:
    """Note where the Arguments at `place` break a rule of their type of step."""
    rule = _RULES.get(kind)
    if rule is not None:
        rule(place, arguments)


def _check_tuning(place: Place, arguments: JsonObject) -> None:
    _exactly_one(place, arguments, "TrainingJobDefinition", "TrainingJobDefinitions")


def _check_emr(place: Place, arguments: JsonObject) -> None:
    _exactly_one(place, arguments, "ClusterId", "ClusterConfig")
    if arguments.get("ClusterConfig") is not None and arguments.get("ExecutionRoleArn") is not None:
        (place / "ExecutionRoleArn").note(
            "Model Validation failed: ExecutionRoleArn goes with ClusterId only."
        )
    config = arguments.get("ClusterConfig")
    if isinstance(config, Mapping) and not is_expression(config):
        _check_cluster(place / "ClusterConfig", config)


def _check_cluster(place: Place, config: JsonObject) -> None:
    for key in _RUN_JOB_FLOW_ONLY:
        if key in config:
            (place / key).note(f"Unknown Argument member '{key}'.", "the EMR step sets it itself")
    instances = config.get("Instances")
    if instances is None:
        (place / "Instances").note("Model Validation failed: 'Instances' is required.")
    elif isinstance(instances, Mapping) and not is_expression(instances):
        _exactly_one(place / "Instances", instances, "InstanceGroups", "InstanceFleets")


def _check_emr_serverless(place: Place, arguments: JsonObject) -> None:
    _exactly_one(place, arguments, "ApplicationId", "ApplicationConfig")


def _exactly_one(place: Place, arguments: JsonObject, one: str, other: str) -> None:
    if (arguments.get(one) is None) == (arguments.get(other) is None):
        both = "both are given" if arguments.get(one) is not None else "neither is given"
        place.note(f"Model Validation failed: give either {one} or {other}.", both)


_RULES: Mapping[StepType, Callable[[Place, JsonObject], None]] = {
    StepType.TUNING: _check_tuning,
    StepType.EMR: _check_emr,
    StepType.EMR_SERVERLESS: _check_emr_serverless,
}
