"""Where the expressions of a step find their values (semantics 03 §3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sagelocal.clock import iso
from sagelocal.definition.steps import ApiStep, Step, StepType
from sagelocal.errors import ExpressionError
from sagelocal.expressions import NeedsObject, as_text, resolve
from sagelocal.jobs import Job, Succeeded
from sagelocal.names import JOB_NAME_LENGTH, job_name
from sagelocal.nearest import did_you_mean
from sagelocal.state import Identity, Rules, StepState
from sagelocal.values import Json, JsonObject, ObjectText, Scalar

_NAME_MEMBER: Mapping[StepType, str] = {
    StepType.PROCESSING: "ProcessingJobName",
    StepType.QUALITY_CHECK: "ProcessingJobName",
    StepType.CLARIFY_CHECK: "ProcessingJobName",
    StepType.TRAINING: "TrainingJobName",
    StepType.TRANSFORM: "TransformJobName",
    StepType.TUNING: "HyperParameterTuningJobName",
    StepType.AUTO_ML: "AutoMLJobName",
    StepType.MODEL: "ModelName",
}
"""The member of Arguments that holds a custom prefix for the entity's name (semantics 06 §6.8)."""

_LONGEST_NAME: Mapping[StepType, int] = {StepType.TUNING: 32, StepType.AUTO_ML: 32}
"""Characters of the entity's name, where fewer are allowed than for others (boto: HyperParameterTuningJobName, AutoMLJobName)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What all steps of an execution can read.

    Attributes:
        started: of the execution, in seconds since the epoch.
        experiment: the resolved PipelineExperimentConfig; empty when there is none.
        states: per step, what is known of it.
        files: per (reading step, S3 URI), an object read for Std:JsonGet.
    """

    identity: Identity
    parameters: Mapping[str, Scalar]
    rules: Rules
    started: float
    experiment: Mapping[str, Json]
    states: Mapping[str, StepState]
    files: Mapping[tuple[str, str], ObjectText]


@dataclass(frozen=True, slots=True)
class StepScope:
    """What one step can read at the moment `now`; `name` is the name of its own job."""

    facts: Facts
    step: str
    now: float
    name: str = ""

    def find(self, namespace: str, name: str) -> Json | ObjectText:
        """The value that a reference begins with.

        Raises:
            ExpressionError: there is none, or not yet.
            NeedsObject: an S3 object must be read first.
        """
        match namespace:
            case "Parameters":
                return _known(self.facts.parameters, name, namespace)
            case "Execution":
                return _variable(self, name)
            case "PipelineExperimentConfig":
                return _known(self.facts.experiment, name, namespace)
            case "Steps":
                return self._properties(name)
            case "PropertyFiles":
                return self._property_file(*name.split("/", 1))
            case "Objects":
                return self._object(name)
            case _:
                message = f"{{'Get': '{namespace}.{name}'}} has no value outside a ForEach body."
                raise ExpressionError(message)

    def _properties(self, step: str) -> Json:
        state = self.facts.states.get(step)
        if state is None or (state.outcome is None and state.decision is None):
            message = f"{{'Get': 'Steps.{step}'}} is undefined: step {step!r} has not run."
            raise ExpressionError(message)
        return {"Outcome": state.decision} if state.outcome is None else state.outcome.properties

    def _property_file(self, step: str, file: str) -> ObjectText:
        state = self.facts.states.get(step)
        if state is None or not isinstance(state.outcome, Succeeded):
            message = f"Property file {file!r} cannot be read: step {step!r} has not succeeded."
            raise ExpressionError(message)
        if file not in state.outcome.files:
            message = f"Property file {file!r} is undefined in step {step!r}."
            raise ExpressionError(message)
        return state.outcome.files[file]

    def _object(self, uri: str) -> ObjectText:
        if (self.step, uri) not in self.facts.files:
            raise NeedsObject(uri)
        return self.facts.files[self.step, uri]


def prepare(facts: Facts, step: Step, now: float, attempt: int = 1) -> Job:
    """An attempt at a step, every expression resolved.

    Raises:
        ExpressionError: an expression has no value.
        NeedsObject: an S3 object must be read first.
    """
    assert isinstance(step, ApiStep), "the core decides the others itself"
    arguments = dict(step.arguments)
    prefix = arguments.pop(_NAME_MEMBER[step.type], None) if step.type in _NAME_MEMBER else None
    nameless = StepScope(facts, step.name, now)
    custom = None if prefix is None else as_text(resolve(prefix, nameless))
    longest = _LONGEST_NAME.get(step.type, JOB_NAME_LENGTH)
    name = job_name(facts.identity.arn, step.name, attempt, custom, longest)
    scope = StepScope(facts, step.name, now, name)
    return Job(
        execution=facts.identity.arn,
        step=step.name,
        kind=step.type,
        attempt=attempt,
        name=name,
        arguments=_object(resolve(arguments, scope)),
        extras=_object(resolve(step.extras, scope)),
        property_files=step.property_files,
        outputs=step.output_parameters,
    )


def _object(value: Json) -> JsonObject:
    assert isinstance(value, Mapping)
    return value


def _known(values: Mapping[str, Json], name: str, namespace: str) -> Json:
    if name not in values:
        message = f"{{'Get': '{namespace}.{name}'}} is undefined{did_you_mean(name, values)}."
        raise ExpressionError(message)
    return values[name]


def _pipeline_name(scope: StepScope) -> str:
    name = scope.facts.identity.pipeline
    return name.lower() if scope.facts.rules.lower_case_pipeline_name else name


_VARIABLES: Mapping[str, Callable[[StepScope], str]] = {
    "PipelineName": _pipeline_name,
    "PipelineArn": lambda scope: scope.facts.identity.pipeline_arn,
    "PipelineExecutionId": lambda scope: scope.facts.identity.id,
    "PipelineExecutionArn": lambda scope: scope.facts.identity.arn,
    "StartDateTime": lambda scope: iso(scope.facts.started),
    "CurrentDateTime": lambda scope: iso(scope.now),
    "TrainingJobName": lambda scope: scope.name,
    "ProcessingJobName": lambda scope: scope.name,
}


def _variable(scope: StepScope, name: str) -> str:
    value = _VARIABLES[name](scope) if name in _VARIABLES else ""
    if not value:
        message = f"{{'Get': 'Execution.{name}'}} is undefined here; known: {', '.join(_VARIABLES)}."
        raise ExpressionError(message)
    return value
