"""What is made at once, by the executor that makes it for a step."""

from __future__ import annotations

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Request
from sagelocal.definition.steps import StepType
from sagelocal.direct_jobs import refusal
from sagelocal.engine import Engine
from sagelocal.jobs import Job, Succeeded
from sagelocal.values import JsonObject


async def made(engine: Engine, type_: StepType, name: str, request: Request) -> JsonObject:
    """The Describe answer of what a Create request asks for.

    Raises:
        ApiError: ValidationException, the executor refuses it.
    """
    job = Job(f"{type_}-{name}".lower(), name, type_, 1, name, request)
    outcome = await engine.executors[type_].run(job)
    if not isinstance(outcome, Succeeded):
        raise ApiError("ValidationException", refusal(outcome))
    return outcome.properties
