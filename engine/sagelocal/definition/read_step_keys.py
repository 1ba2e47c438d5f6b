"""The keys that several types of step share, read from JSON (semantics 01 §1.5, 06 §6.4-6.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.definition.durations import duration_seconds
from sagelocal.definition.parameters import ParameterType
from sagelocal.definition.place import Place
from sagelocal.definition.steps import (
    CacheConfig,
    Dependency,
    OutputParameter,
    PropertyFile,
    RetryPolicy,
    Trigger,
)
from sagelocal.values import Json, JsonObject

STEP_NAME: Final = r"[A-Za-z0-9\-_]{1,64}"
EXCEPTION_TYPES: Final = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
    "Emr.RESOURCE_LIMIT",
)
_MAX_INTERVAL_SECONDS = 43_200
_MAX_ATTEMPTS = 20
_DEFAULT_ATTEMPTS = 5
_MAX_EXPIRE_AFTER_MIN = 14_400
_MAX_OUTPUT_PARAMETERS = 50
_LONGEST_NAME = 256
_LONGEST_PATH = 1024
_EXPIRE_AFTER_HINT = "an ISO-8601 duration such as P30D, PT1H or P4DT12H"


def read_dependencies(place: Place, value: Json) -> tuple[Dependency, ...]:
    """Read ``DependsOn``; a step that is named twice with the same trigger counts once."""
    found: dict[str, Trigger] = {}
    for index, item in enumerate(place.array(value)):
        dependency = _read_dependency(place / index, item)
        known = found.setdefault(dependency.step, dependency.trigger)
        if known != dependency.trigger:
            place.note(
                f"Step {place.step} depends on step {dependency.step} with conflicting triggers: "
                f"{known} and {dependency.trigger}."
            )
    return tuple(Dependency(step, trigger) for step, trigger in found.items() if step)


def _read_dependency(place: Place, value: Json) -> Dependency:
    if not isinstance(value, Mapping):
        return Dependency(place.text(value, longest=64, pattern=STEP_NAME))
    members = place.members(value, ("Step", "Trigger"), ("Step",))
    step, trigger = members.get("Step"), members.get("Trigger", Trigger.COMPLETED.value)
    return Dependency(
        (place / "Step").text(step, longest=64, pattern=STEP_NAME) if step is not None else "",
        Trigger((place / "Trigger").choice(trigger, tuple(Trigger), "Trigger")),
    )


def read_cache_config(place: Place, value: Json) -> CacheConfig | None:
    """Read ``CacheConfig``; an empty one switches caching off."""
    if value is None:
        return None
    members = place.members(value, ("Enabled", "ExpireAfter"))
    enabled = (place / "Enabled").boolean(members.get("Enabled", False))
    return CacheConfig(enabled, _read_duration(place / "ExpireAfter", members.get("ExpireAfter")))


def _read_duration(place: Place, value: Json) -> str | None:
    text = place.optional_text(value, longest=_LONGEST_NAME)
    if isinstance(value, str):
        try:
            duration_seconds(value)
        except ValueError as error:
            place.note(f"Model Validation failed: {error}.", _EXPIRE_AFTER_HINT)
    return text


def read_retry_policies(place: Place, value: Json) -> tuple[RetryPolicy, ...]:
    return tuple(_read_retry_policy(place / index, item) for index, item in enumerate(place.array(value)))


def _read_retry_policy(place: Place, value: Json) -> RetryPolicy:
    keys = ("ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")
    members = place.members(value, keys, ("ExceptionType",))
    attempts, minutes = members.get("MaxAttempts"), members.get("ExpireAfterMin")
    if attempts is not None and minutes is not None:
        place.note("Model Validation failed: only one of MaxAttempts and ExpireAfterMin can be given.")
    if attempts is None and minutes is None:
        attempts = _DEFAULT_ATTEMPTS
    return RetryPolicy(
        _read_exception_types(place / "ExceptionType", members.get("ExceptionType")),
        (place / "IntervalSeconds").number(members.get("IntervalSeconds", 1), 0, _MAX_INTERVAL_SECONDS),
        float((place / "BackoffRate").number(members.get("BackoffRate", 2.0), 0, float("inf"))),
        None if attempts is None else (place / "MaxAttempts").whole(attempts, 0, _MAX_ATTEMPTS),
        None if minutes is None else (place / "ExpireAfterMin").whole(minutes, 0, _MAX_EXPIRE_AFTER_MIN),
    )


def _read_exception_types(place: Place, value: Json) -> tuple[str, ...]:
    # AWS's documentation shows a list, its published schema a single string; both are taken.
    if isinstance(value, str):
        return (place.choice(value, EXCEPTION_TYPES, "ExceptionType"),)
    if value is not None and isinstance(value, list) and not value:
        place.note("Model Validation failed: name at least one exception type.")
    return tuple(
        (place / index).choice(item, EXCEPTION_TYPES, "ExceptionType")
        for index, item in enumerate(place.array(value))
    )


def read_output_parameters(place: Place, value: Json) -> tuple[OutputParameter, ...]:
    """Read the ``OutputParameters`` of a Callback or Lambda step; no name may stand there twice."""
    items = place.array(value)
    if len(items) > _MAX_OUTPUT_PARAMETERS:
        place.note(
            f"Model Validation failed: {len(items)} output parameters, at most {_MAX_OUTPUT_PARAMETERS} are allowed."
        )
    outputs = tuple(_read_output_parameter(place / index, item) for index, item in enumerate(items))
    note_duplicates(place, [output.name for output in outputs], "OutputName")
    return outputs


def _read_output_parameter(place: Place, value: Json) -> OutputParameter:
    members = place.members(value, ("OutputName", "OutputType"), ("OutputName",))
    kind = members.get("OutputType", ParameterType.STRING.value)
    return OutputParameter(
        _required_text(place, members, "OutputName", _LONGEST_NAME),
        ParameterType((place / "OutputType").choice(kind, tuple(ParameterType), "OutputType")),
    )


def read_property_files(place: Place, value: Json, arguments: JsonObject) -> tuple[PropertyFile, ...]:
    """Read the ``PropertyFiles`` of a Processing step; each must lie in an output that `arguments` declares."""
    files = tuple(_read_property_file(place / index, item) for index, item in enumerate(place.array(value)))
    note_duplicates(place, [file.name for file in files], "PropertyFileName")
    outputs = _output_names(arguments)
    for index, file in enumerate(files):
        if outputs is not None and file.output_name and file.output_name not in outputs:
            (place / index / "OutputName").note_unknown(
                f"Processing output name '{file.output_name}' defined in property file '{file.name}' "
                f"not found in processing step '{place.step}'.",
                file.output_name,
                outputs,
            )
    return files


def _read_property_file(place: Place, value: Json) -> PropertyFile:
    keys = ("PropertyFileName", "OutputName", "FilePath")
    members = place.members(value, keys, keys)
    return PropertyFile(
        _required_text(place, members, "PropertyFileName", _LONGEST_NAME),
        _required_text(place, members, "OutputName", _LONGEST_NAME),
        _required_text(place, members, "FilePath", _LONGEST_PATH),
    )


def _output_names(arguments: JsonObject) -> list[str] | None:
    """Return the literal names of the processing outputs; None when one is an expression or they have no proper shape."""
    config = arguments.get("ProcessingOutputConfig") or {}
    outputs = config.get("Outputs", []) if isinstance(config, Mapping) else None
    if not isinstance(outputs, list):
        return None
    names = [output.get("OutputName") if isinstance(output, Mapping) else None for output in outputs]
    literal = [name for name in names if isinstance(name, str)]
    return literal if len(literal) == len(names) else None


def _required_text(place: Place, members: JsonObject, key: str, longest: int) -> str:
    # That it is missing has been noted already.
    return (place / key).text(members[key], longest=longest) if key in members else ""


def note_duplicates(place: Place, names: list[str], key: str) -> None:
    """Note every name that stands in the list a second time."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            (place / index / key).note(
                f"Model Validation failed: '{name}' is already the {key} of another element."
            )
        if name:
            seen.add(name)
