"""Clarify's image in a plain Processing step, as the SDK's SageMakerClarifyProcessor makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor, Failed, Job, Outcome
from sagelocal.values import JsonObject
from sagelocal_executors.checks.analysis import INPUT, read_analysis
from sagelocal_executors.checks.shadow import Shadows
from sagelocal_executors.describe import echo_processing
from sagelocal_executors.faults import JobError, step_reason
from sagelocal_executors.requests import ProcessingRequest, parse_processing


@dataclass(frozen=True, slots=True)
class AnalysisExecutor:
    """Runs processing jobs; one whose analysis asks a model for predictions finds it beside itself.

    Attributes:
        processing: runs the jobs.
    """

    processing: Executor
    shadows: Shadows

    async def run(self, job: Job) -> Outcome:
        tools = self.shadows.tools
        if tools.stubbed(job.step) or not _has_analysis(job.arguments):
            return await self.processing.run(job)
        with tools.logs.of(job, StepType.PROCESSING) as log:
            try:
                config = await read_analysis(tools.objects, parse_processing(job.arguments))
                model = _model(config)
                if model is None:
                    return await self.processing.run(job)
                async with self.shadows.open(job, model, config, log) as variables:
                    outcome = await self.processing.run(_told(job, variables))
                    return replace(outcome, properties=_as_asked(job, outcome.properties))
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)


def _has_analysis(arguments: JsonObject) -> bool:
    try:
        request: ProcessingRequest = parse_processing(arguments)
    except JobError:  # which the processing executor tells
        return False
    return any(item.input_name == INPUT and item.s3_input for item in request.processing_inputs)


def _model(config: JsonObject) -> str | None:
    predictor = config.get("predictor")
    name = predictor.get("model_name") if isinstance(predictor, Mapping) else None
    return name if isinstance(name, str) else None


def _told(job: Job, variables: Mapping[str, str]) -> Job:
    environment = job.arguments.get("Environment")
    given = environment if isinstance(environment, Mapping) else {}
    return replace(job, arguments={**job.arguments, "Environment": {**given, **variables}})


def _as_asked(job: Job, answer: JsonObject) -> JsonObject:
    """The Describe answer without the variables that we added."""
    given = echo_processing(job.arguments)
    kept = {name: value for name, value in answer.items() if name != "Environment"}
    return kept | {name: given[name] for name in ("Environment",) if name in given}
