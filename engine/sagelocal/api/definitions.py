"""The definition that a request brings along, or says where to find."""

from __future__ import annotations

import asyncio
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Request
from sagelocal.check.whole import check_text
from sagelocal.engine import Engine

_NEITHER: Final = "Either Pipeline Definition or Pipeline Definition S3 location should be provided"
_BOTH: Final = "Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be present"


async def definition(engine: Engine, request: Request) -> str | None:
    """The checked text of ``PipelineDefinition`` or ``PipelineDefinitionS3Location``, as it is; None when there is neither.

    Raises:
        ApiError: ValidationException, there are both, or the object cannot be read.
        DefinitionError: it is wrong.
    """
    text: str | None = request.get("PipelineDefinition")
    location = request.get("PipelineDefinitionS3Location")
    if text is not None and location is not None:
        raise ApiError("ValidationException", _BOTH)
    if location is not None:
        text = await _object(engine, location)
    if text is not None:
        # Large definitions take a second; others are served meanwhile.
        await asyncio.to_thread(check_text, text)
    return text


async def required(engine: Engine, request: Request) -> str:
    """The same for requests that must have one.

    Raises:
        ApiError: ValidationException, there are neither or both, or the object cannot be read.
        DefinitionError: it is wrong.
    """
    text = await definition(engine, request)
    if text is None:
        raise ApiError("ValidationException", _NEITHER)
    return text


async def _object(engine: Engine, location: Request) -> str:
    uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
    version = location.get("VersionId", "null")
    found = await engine.objects.read(uri)
    if found.text is None:
        message = f"Unable to read the pipeline definition from S3: {found.fault}."
        raise ApiError("ValidationException", message)
    if version != "null":
        message = f"Unable to read the pipeline definition from S3: {uri} has no version {version}, as buckets here keep none."
        raise ApiError("ValidationException", message)
    return found.text
