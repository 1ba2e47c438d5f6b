"""Whether the Arguments of each step are a request that its AWS operation takes (semantics 02 §2.1, 09 §9.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sagelocal.check.composed import COMPOSED, Composed
from sagelocal.definition.pipeline import PipelineDefinition
from sagelocal.definition.place import below
from sagelocal.definition.steps import ApiStep, StepType, walk
from sagelocal.errors import Problem
from sagelocal.references import is_expression
from sagelocal.shapes import ANYTHING, Fault, Shape, Traits, faults, request_shape, shape


@dataclass(frozen=True, slots=True)
class _Call:
    """An operation whose request the Arguments are.

    Attributes:
        operation: of SageMaker.
        filled: required members that the service fills when they are absent.
        refused: members that the operation has but a pipeline step may not give.
        untyped: members that the operation lacks or has in another form than the SDK sends.
    """

    operation: str
    filled: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()


_CREATE_PROCESSING_JOB = _Call("CreateProcessingJob", filled=("ProcessingJobName",))
_CALLS: Mapping[StepType, _Call] = {
    StepType.PROCESSING: _CREATE_PROCESSING_JOB,
    StepType.QUALITY_CHECK: _CREATE_PROCESSING_JOB,
    StepType.CLARIFY_CHECK: _CREATE_PROCESSING_JOB,
    StepType.TRAINING: _Call("CreateTrainingJob", filled=("TrainingJobName",)),
    StepType.TUNING: _Call("CreateHyperParameterTuningJob", filled=("HyperParameterTuningJobName",)),
    StepType.MODEL: _Call("CreateModel", filled=("ModelName",)),
    StepType.REGISTER_MODEL: _Call(
        "CreateModelPackage", refused=("ModelPackageName", "CertifyForMarketplace")
    ),
    StepType.TRANSFORM: _Call("CreateTransformJob", filled=("TransformJobName",)),
    StepType.AUTO_ML: _Call("CreateAutoMLJob", filled=("AutoMLJobName",)),
    StepType.ENDPOINT_CONFIG: _Call("CreateEndpointConfig"),
    StepType.ENDPOINT: _Call("CreateEndpoint"),
    StepType.INFERENCE_COMPONENT: _Call("CreateInferenceComponent"),
    StepType.JOB: _Call("CreateJob", filled=("JobName",), untyped=("Tags", "CustomerDetails")),
}

# Definitions written for a trial carry made-up roles, which nothing here ever assumes.
_PLACEHOLDERS: Mapping[str, Traits] = {"RoleArn": {"type": "string"}}


def check_arguments(definition: PipelineDefinition) -> list[Problem]:
    """List what is wrong with the Arguments of all steps, at every level of nesting, in the order of the definition.

    An expression may stand for any value but a list. Callback and Lambda steps take any payload and are not looked at.
    """
    return [
        problem
        for step in walk(definition.steps)
        if isinstance(step, ApiStep)
        for problem in _check_step(step)
    ]


def _check_step(step: ApiStep) -> Iterator[Problem]:
    expected = _expected(step.type)
    if expected is None:
        return
    for fault in faults(expected, step.arguments, stands_in=is_expression):
        yield _problem(step, fault)


def _problem(step: ApiStep, fault: Fault) -> Problem:
    path = f"{step.path}.Arguments"
    for key in fault.path:
        path = below(path, key)
    call = _CALLS.get(step.type)
    refused = call is not None and len(fault.path) == 1 and fault.path[0] in call.refused
    return Problem(
        path, fault.message, step.name, "the service refuses it in a pipeline" if refused else fault.hint
    )


@lru_cache
def _expected(kind: StepType) -> Shape | None:
    """Return the shape that the Arguments must have; None when anything goes."""
    if kind in COMPOSED:
        return _composed(COMPOSED[kind])
    call = _CALLS.get(kind)
    try:
        return _as_argument(request_shape(call.operation), call) if call else None
    except KeyError:
        # The installed botocore is older than the operation.
        return None


def _composed(composed: Composed) -> Shape:
    relaxed = {
        name: _relaxed(shape(name, composed.service).traits, filled)
        for name, filled in composed.filled.items()
    }
    return shape("Arguments", composed.service, {**composed.shapes, **relaxed})


def _as_argument(request: Shape, call: _Call) -> Shape:
    members = {name: member for name, member in request.members.items() if name not in call.refused}
    untyped = {name: {"shape": ANYTHING} for name in call.untyped}
    traits = {**_relaxed(request.traits, call.filled), "members": {**members, **untyped}}
    return Shape(request.name, traits, {**request.family, **_PLACEHOLDERS})


def _relaxed(traits: Traits, filled: tuple[str, ...]) -> Traits:
    return {**traits, "required": [name for name in traits.get("required", ()) if name not in filled]}
