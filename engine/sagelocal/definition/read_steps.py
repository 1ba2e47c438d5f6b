"""Steps of every type, read from JSON (semantics 01 §1.5, 02)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from sagelocal.definition.argument_rules import check_argument_rules
from sagelocal.definition.place import Place
from sagelocal.definition.read_conditions import read_conditions
from sagelocal.definition.read_expressions import check_boolean, check_expressions, check_text
from sagelocal.definition.read_for_each import read_for_each
from sagelocal.definition.read_step_keys import (
    STEP_NAME,
    read_cache_config,
    read_dependencies,
    read_output_parameters,
    read_property_files,
    read_retry_policies,
)
from sagelocal.definition.steps import (
    ApiStep,
    ConditionStep,
    Dependency,
    FailStep,
    ForEachStep,
    Step,
    StepType,
)
from sagelocal.values import Json, JsonObject

_LONGEST_DISPLAY_NAME = 256
_LONGEST_DESCRIPTION = 3072
_LONGEST_MESSAGE = 3072
_LONGEST_EXTRA = 2048


def read_steps(place: Place, value: Json) -> tuple[Step, ...]:
    """Read a list of steps; what is wrong is noted, and a step of no known type left out."""
    steps = (_read_step(place / index, item) for index, item in enumerate(place.array(value)))
    return tuple(step for step in steps if step is not None)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A step taken apart: its type, its `members` without the nulls, and the `whole` of them."""

    type: StepType
    members: JsonObject
    whole: JsonObject


def _read_step(place: Place, value: Json) -> Step | None:
    found = place.object(value)
    if not found:
        if isinstance(value, Mapping):
            place.note("Model Validation failed: a step needs Name, Type and Arguments.")
        return None
    name = found.get("Name")
    place = place.of_step(name if isinstance(name, str) else "")
    if found.get("Type") not in _TYPES:
        (place / "Type").choice(found.get("Type"), _TYPES, "StepType")
        return None
    kind = StepType(str(found["Type"]))
    rules = _RULES.get(kind, _PLAIN)
    members = place.members(found, rules.keys, rules.required)
    return rules.read(place, _Parts(kind, members, found))


class _Common(TypedDict):
    name: str
    path: str
    depends_on: tuple[Dependency, ...]
    display_name: str | None
    description: str | None


def _common(place: Place, parts: _Parts) -> _Common:
    members = parts.members
    name = members.get("Name")
    return {
        "name": "" if name is None else (place / "Name").text(name, longest=64, pattern=STEP_NAME),
        "path": place.path,
        "depends_on": read_dependencies(place / "DependsOn", members["DependsOn"])
        if "DependsOn" in members
        else (),
        "display_name": (place / "DisplayName").optional_text(
            members.get("DisplayName"), longest=_LONGEST_DISPLAY_NAME
        ),
        "description": (place / "Description").optional_text(
            members.get("Description"), longest=_LONGEST_DESCRIPTION
        ),
    }


def _read_api_step(place: Place, parts: _Parts) -> ApiStep:
    members = parts.members
    common = _common(place, parts)
    arguments = _read_arguments(place / "Arguments", parts)
    return ApiStep(
        **common,
        type=parts.type,
        arguments=arguments,
        cache_config=read_cache_config(place / "CacheConfig", members.get("CacheConfig")),
        retry_policies=read_retry_policies(place / "RetryPolicies", members.get("RetryPolicies")),
        extras=_read_extras(place, parts),
        property_files=read_property_files(place / "PropertyFiles", members.get("PropertyFiles"), arguments),
        output_parameters=read_output_parameters(place / "OutputParameters", members.get("OutputParameters")),
    )


def _read_arguments(place: Place, parts: _Parts) -> JsonObject:
    value = parts.members.get("Arguments")
    if value is None:
        return {}
    arguments = place.object(value)
    check_expressions(place, dict(arguments))
    check_argument_rules(place, parts.type, arguments)
    return arguments


def _read_extras(place: Place, parts: _Parts) -> JsonObject:
    extras = {key: value for key, value in parts.whole.items() if key in _EXTRAS}
    for key, value in extras.items():
        if value is not None:
            _EXTRAS[key](place / key, value)
    return extras


def _read_condition_step(place: Place, parts: _Parts) -> ConditionStep:
    inside = place / "Arguments"
    members = inside.members(
        parts.members.get("Arguments", {}), ("Conditions", "IfSteps", "ElseSteps"), ("Conditions",)
    )
    return ConditionStep(
        **_common(place, parts),
        conditions=read_conditions(inside / "Conditions", members.get("Conditions")),
        if_steps=read_steps(inside / "IfSteps", members.get("IfSteps")),
        else_steps=read_steps(inside / "ElseSteps", members.get("ElseSteps")),
    )


def _read_fail_step(place: Place, parts: _Parts) -> FailStep:
    inside = place / "Arguments"
    message = inside.members(parts.members.get("Arguments", {}), ("ErrorMessage",)).get("ErrorMessage", "")
    check_text(inside / "ErrorMessage", message, longest=_LONGEST_MESSAGE)
    return FailStep(**_common(place, parts), error_message=message)


def _read_for_each_step(place: Place, parts: _Parts) -> ForEachStep:
    loop = read_for_each(place / "Arguments", parts.members.get("Arguments"), read_steps)
    return ForEachStep(
        **_common(place, parts),
        iterable_items=loop.iterable_items,
        max_concurrency=loop.max_concurrency,
        selector=loop.selector,
        body=loop.body,
    )


def _text(place: Place, value: Json) -> None:
    check_text(place, value, longest=_LONGEST_EXTRA)


def _check_type(place: Place, value: Json) -> None:
    place.choice(
        value,
        ("DATA_QUALITY", "MODEL_QUALITY", "DATA_BIAS", "MODEL_BIAS", "MODEL_EXPLAINABILITY"),
        "CheckType",
    )


_EXTRAS: Mapping[str, Callable[[Place, Json], None]] = {
    "SqsQueueUrl": _text,
    "FunctionArn": _text,
    "CheckType": _check_type,
    "ModelPackageGroupName": _text,
    "ModelName": _text,
    "SkipCheck": check_boolean,
    "FailOnViolation": check_boolean,
    "RegisterNewBaseline": check_boolean,
    "SuppliedBaselineStatistics": _text,
    "SuppliedBaselineConstraints": _text,
}


@dataclass(frozen=True, slots=True)
class _Rules:
    """How steps of one type are read: by which function, with which keys, which of them required."""

    read: Callable[[Place, _Parts], Step]
    keys: tuple[str, ...]
    required: tuple[str, ...] = ("Name", "Arguments")


_KEYS = ("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description")
_API_KEYS = (*_KEYS, "CacheConfig", "RetryPolicies")
_CHECK_KEYS = (
    *_API_KEYS,
    "CheckType",
    "ModelPackageGroupName",
    "SkipCheck",
    "FailOnViolation",
    "RegisterNewBaseline",
    "SuppliedBaselineConstraints",
)
_CHECK_REQUIRED = ("Name", "Arguments", "CheckType")
_PLAIN = _Rules(_read_api_step, _API_KEYS)
_RULES: Mapping[StepType, _Rules] = {
    StepType.CONDITION: _Rules(_read_condition_step, _KEYS),
    StepType.FAIL: _Rules(_read_fail_step, _KEYS),
    StepType.FOR_EACH: _Rules(_read_for_each_step, _KEYS),
    StepType.PROCESSING: _Rules(_read_api_step, (*_API_KEYS, "PropertyFiles")),
    # AWS's schema lets the two do without Arguments.
    StepType.CALLBACK: _Rules(
        _read_api_step, (*_API_KEYS, "SqsQueueUrl", "OutputParameters"), ("Name", "SqsQueueUrl")
    ),
    StepType.LAMBDA: _Rules(
        _read_api_step, (*_API_KEYS, "FunctionArn", "OutputParameters"), ("Name", "FunctionArn")
    ),
    StepType.QUALITY_CHECK: _Rules(
        _read_api_step, (*_CHECK_KEYS, "SuppliedBaselineStatistics"), _CHECK_REQUIRED
    ),
    StepType.CLARIFY_CHECK: _Rules(_read_api_step, (*_CHECK_KEYS, "ModelName"), _CHECK_REQUIRED),
}
_TYPES = tuple(map(str, StepType))
