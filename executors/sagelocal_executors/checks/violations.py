"""The report of a check's job about what violates the baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sagelocal.cloud.objects import Objects
from sagelocal.expressions import render
from sagelocal.values import Json, JsonObject
from sagelocal_executors.faults import client_error

Version = tuple[str, float]

_TYPE, _DESCRIPTION = "constraint_check_type", "description"


async def version_of(objects: Objects, uri: str) -> Version | None:
    """What tells one content of the object from another, None when there is no such object."""
    found = await objects.list(uri)
    return next(((info.etag, info.modified) for info in found if str(info.uri) == uri), None)


async def read_violations(objects: Objects, uri: str) -> list[JsonObject]:
    """The violations that the report at `uri` lists.

    Raises:
        JobError: it cannot be read, or is no such report.
    """
    text = await objects.read(uri)
    if text.text is None:
        raise client_error(f"The violation report cannot be read: {text.fault}")
    try:
        report: Json = json.loads(text.text)
    except ValueError as error:
        raise client_error(f"The violation report {uri} is no JSON: {error}") from None
    violations = report.get("violations") if isinstance(report, Mapping) else None
    if not isinstance(violations, list) or not all(isinstance(item, Mapping) for item in violations):
        raise client_error(f'The violation report {uri} must read {{"violations": [{{…}}, …]}}')
    return violations


def sentence(violation: JsonObject) -> str:
    """One violation in one line: ``data_type_check, feature_name age: <description>``."""
    others = [
        f"{name} {render(value)}"
        for name, value in violation.items()
        if name not in {_TYPE, _DESCRIPTION} and value is not None
    ]
    told = violation.get(_DESCRIPTION)
    head = ", ".join([str(violation.get(_TYPE, "violation")), *others])
    return " ".join((f"{head}: {told}" if told else head).split())
