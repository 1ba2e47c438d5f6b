"""What a run will need, as far as it can be known before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sagelocal.definition.steps import ApiStep, StepType
from sagelocal.errors import ExpressionError
from sagelocal.expressions import NeedsObject, resolve
from sagelocal.plan import Plan
from sagelocal.values import Json, ObjectText, Scalar

_IMAGE: Mapping[StepType, tuple[str, str]] = {
    StepType.PROCESSING: ("AppSpecification", "ImageUri"),
    StepType.TRAINING: ("AlgorithmSpecification", "TrainingImage"),
}


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
    """Each job step with its image, where literals and parameters say which."""
    for name, step in plan.steps.items():
        if isinstance(step, ApiStep) and step.type in _IMAGE:
            section, member = _IMAGE[step.type]
            image = _value(step.arguments.get(section), member, _Given(parameters))
            if image:
                yield name, image


def _value(section: Json, member: str, scope: _Given) -> str:
    if not isinstance(section, Mapping):
        return ""
    try:
        value = resolve(section.get(member), scope)
    except (ExpressionError, NeedsObject):
        return ""
    return value if isinstance(value, str) else ""
