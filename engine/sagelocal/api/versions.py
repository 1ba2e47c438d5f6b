"""Operations on the versions of pipelines (semantics 10 §10.4)."""

from __future__ import annotations

from sagelocal.api.faults import ApiError
from sagelocal.api.pages import descending, page, seconds, within
from sagelocal.api.requests import Request
from sagelocal.engine import Engine
from sagelocal.names import pipeline_of
from sagelocal.store.pipelines import Version
from sagelocal.values import Json, JsonObject


def list_versions(engine: Engine, request: Request) -> JsonObject:
    """ListPipelineVersions."""
    pipeline = engine.pipelines.get(pipeline_of(request["PipelineName"]))
    found = [
        version for version in engine.pipelines.versions(pipeline.name) if within(request, version.created)
    ]
    if not descending(request):
        found.reverse()

    def show(version: Version) -> JsonObject:
        answer: dict[str, Json] = {
            "PipelineArn": pipeline.arn,
            "PipelineVersionId": version.number,
            "CreationTime": seconds(version.created),
            "PipelineVersionDescription": version.description,
            "PipelineVersionDisplayName": version.display_name,
            "LastExecutionPipelineExecutionArn": version.last_execution,
            "PipelineVersionAliases": list(version.aliases),
        }
        return {name: value for name, value in answer.items() if value is not None}

    return page(request, found, lambda version: str(version.number), "PipelineVersionSummaries", show)


def update_version(engine: Engine, request: Request) -> JsonObject:
    """UpdatePipelineVersion: what a version is called, and its aliases."""
    pipeline = engine.pipelines.get(pipeline_of(request["PipelineArn"]))
    number = request["PipelineVersionId"]
    aliases = request.get("PipelineVersionAliasOperations", {})
    add, remove = aliases.get("Add") or [], aliases.get("Remove") or []
    for alias in add:
        if alias in remove:
            message = f"Alias '{alias}' is to be added and removed: do one of both."
            raise ApiError("ValidationException", message)
    engine.pipelines.move_aliases(pipeline.name, number, add, remove)
    engine.pipelines.describe_version(
        pipeline.name,
        number,
        request.get("PipelineVersionDisplayName"),
        request.get("PipelineVersionDescription"),
    )
    return {"PipelineArn": pipeline.arn, "PipelineVersionId": number}


def version_of(engine: Engine, pipeline: str, request: Request) -> Version:
    """The version that a request names by number or alias; the latest when it names none."""
    number, alias = request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
    if number is not None and alias is not None:
        message = "PipelineVersionId and PipelineVersionAlias cannot be given together."
        raise ApiError("ValidationException", message)
    return engine.pipelines.version(pipeline, number, alias)
