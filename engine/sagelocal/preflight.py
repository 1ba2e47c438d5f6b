"""What a run will need, as far as it can be known before it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sagelocal.definition.steps import ApiStep, StepType
from sagelocal.errors import ExpressionError
from sagelocal.expressions import NeedsObject, resolve
from sagelocal.plan import Plan
from sagelocal.references import references
from sagelocal.values import Json, ObjectText, Scalar


class _Given:
    """A scope of parameters alone."""

    def __init__(self, parameters: Mapping[str, Scalar]) -> None:
        self._parameters = parameters

    def find(self, namespace: str, name: str) -> Json | ObjectText:
        if namespace != "Parameters" or name not in self._parameters:
            message = f"{namespace}.{name} is not known before the run"
            raise ExpressionError(message)
        return self._parameters[name]


def images(plan: Plan, parameters: Mapping[str, Scalar]) -> Iterator[tuple[str, str]]:
    """Each job step with its images, where literals and parameters say which."""
    given = _Given(parameters)
    for name, step in plan.steps.items():
        if isinstance(step, ApiStep) and step.type in _PLACES:
            for value in _PLACES[step.type](plan, step):
                image = _text(value, given)
                if image:
                    yield name, image


def _processing(_plan: Plan, step: ApiStep) -> Iterator[Json]:
    yield _member(step.arguments, "AppSpecification", "ImageUri")


def _training(_plan: Plan, step: ApiStep) -> Iterator[Json]:
    yield _member(step.arguments, "AlgorithmSpecification", "TrainingImage")


def _tuning(_plan: Plan, step: ApiStep) -> Iterator[Json]:
    several = step.arguments.get("TrainingJobDefinitions")
    for each in (step.arguments.get("TrainingJobDefinition"), *_items(several)):
        yield _member(each, "AlgorithmSpecification", "TrainingImage")


def _transform(plan: Plan, step: ApiStep) -> Iterator[Json]:
    yield from _model_images(plan, step.arguments.get("ModelName"))


def _check(plan: Plan, step: ApiStep) -> Iterator[Json]:
    yield from _processing(plan, step)
    yield from _model_images(plan, step.extras.get("ModelName"))


def _model_images(plan: Plan, name: Json) -> Iterator[Json]:
    """The images of a model that a Model step of this very plan makes."""
    for _, reference in references(name):
        model = plan.steps.get(reference.name) if reference.namespace == "Steps" else None
        if isinstance(model, ApiStep) and model.type is StepType.MODEL:
            for container in (
                model.arguments.get("PrimaryContainer"),
                *_items(model.arguments.get("Containers")),
            ):
                yield _member(container, "Image")


_PLACES: Mapping[StepType, Callable[[Plan, ApiStep], Iterator[Json]]] = {
    StepType.PROCESSING: _processing,
    StepType.TRAINING: _training,
    StepType.TUNING: _tuning,
    StepType.TRANSFORM: _transform,
    StepType.QUALITY_CHECK: _check,
    StepType.CLARIFY_CHECK: _check,
}
"""Per kind of step, where its request names images."""


def _items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list | tuple) else ()


def _member(value: Json, *path: str) -> Json:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: Json, scope: _Given) -> str:
    try:
        text = resolve(value, scope)
    except (ExpressionError, NeedsObject):
        return ""
    return text if isinstance(text, str) else ""
