"""Operations on pipelines."""

from __future__ import annotations

from sagelocal.api.pages import page
from sagelocal.api.requests import Request
from sagelocal.engine import Engine
from sagelocal.store.views import PipelineView
from sagelocal.values import Json, JsonObject


def list_pipelines(engine: Engine, request: Request) -> JsonObject:
    """ListPipelines: the newest first unless asked otherwise (semantics 10 §10.1)."""
    prefix = request.get("PipelineNamePrefix", "")
    after, before = request.get("CreatedAfter", float("-inf")), request.get("CreatedBefore", float("inf"))
    found = [
        pipeline
        for pipeline in engine.views.pipelines()
        if pipeline.name.startswith(prefix) and after <= pipeline.created <= before
    ]
    by_name = request.get("SortBy") == "Name"
    found.sort(key=lambda pipeline: (pipeline.name if by_name else "", pipeline.created, pipeline.name))
    if request.get("SortOrder", "Ascending" if by_name else "Descending") == "Descending":
        found.reverse()
    return page(request, found, lambda pipeline: pipeline.name, "PipelineSummaries", _summary)


def _summary(pipeline: PipelineView) -> JsonObject:
    answer: dict[str, Json] = {
        "PipelineArn": pipeline.arn,
        "PipelineName": pipeline.name,
        "PipelineDisplayName": pipeline.name,
        "CreationTime": pipeline.created,
        "LastModifiedTime": pipeline.updated,
    }
    if pipeline.last_started is not None:
        answer["LastExecutionTime"] = pipeline.last_started
    return answer
