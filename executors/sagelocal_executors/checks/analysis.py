"""The analysis_config.json of a Clarify job, as far as it decides what runs beside the job."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sagelocal.cloud.objects import Objects
from sagelocal.nearest import listed
from sagelocal.values import Json, JsonObject
from sagelocal_executors.channels import Source, select
from sagelocal_executors.checks.requests import CheckRequest
from sagelocal_executors.faults import client_error
from sagelocal_executors.requests import ProcessingRequest

INPUT = "analysis_config"
"""The name of the input that brings the configuration (SDK: SageMakerClarifyProcessor)."""
_FILE = "analysis_config.json"


async def read_analysis(objects: Objects, request: ProcessingRequest) -> JsonObject:
    """The analysis configuration that the job is given.

    Raises:
        JobError: there is none, or it cannot be read; what it says is the job's own business.
    """
    inputs = {item.input_name: item.s3_input for item in request.processing_inputs}
    place = inputs.get(INPUT)
    if place is None:
        raise client_error(
            f"The check's job needs an S3Input {INPUT!r} with its {_FILE}; it has {listed(inputs)}"
        )
    selection = await select(objects, Source(f"input {INPUT!r}", place.s3_uri, ""))
    named = [item for item in selection.items if item.relative == _FILE]
    if not named and len(selection.items) != 1:
        there = listed(item.relative for item in selection.items)
        raise client_error(f"Input {INPUT!r} ({place.s3_uri}) must bring a file {_FILE}; it brings {there}")
    uri = (named or selection.items)[0].uri
    text = await objects.read(uri)
    if text.text is None:
        raise client_error(f"The analysis configuration cannot be read: {text.fault}")
    return _object(uri, text.text)


def _object(uri: str, text: str) -> JsonObject:
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise client_error(f"The analysis configuration {uri} is no JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise client_error(f"The analysis configuration {uri} must be a JSON object")
    return value


def model_to_ask(request: CheckRequest, config: JsonObject) -> str | None:
    """The name of the model whose predictions the analysis asks for; None when it asks for none.

    Raises:
        JobError: it asks for predictions, and nothing says of which model, or the job may not ask.
    """
    predictor = config.get("predictor")
    if request.check_type == "DATA_BIAS" or not isinstance(predictor, Mapping):
        return None
    if request.job.network_config.enable_network_isolation:
        raise client_error(
            f"{request.check_type} asks a model for predictions, which EnableNetworkIsolation keeps the job from: leave it out"
        )
    # The SDK takes the name out of the file and makes it a key of the step (semantics 02 §2.11).
    name = request.model or predictor.get("model_name")
    if not isinstance(name, str):
        raise client_error(
            f"The analysis configuration has a predictor, but no model: set the step's ModelName for {request.check_type}"
        )
    return name


def instances_wanted(config: JsonObject) -> int:
    """How many instances of the model the analysis would like."""
    predictor = config.get("predictor")
    count = predictor.get("initial_instance_count") if isinstance(predictor, Mapping) else None
    return count if isinstance(count, int) else 1
