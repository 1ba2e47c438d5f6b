"""Search over what is kept in the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sagelocal.api import executions, pipelines
from sagelocal.api.faults import ApiError
from sagelocal.api.pages import page
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources import jobs
from sagelocal.api.resources.answers import shaped
from sagelocal.api.resources.components import components
from sagelocal.api.resources.conditions import names, number, satisfies, values
from sagelocal.api.resources.endpoints import ENDPOINTS
from sagelocal.api.resources.experiments import COMPONENTS, EXPERIMENTS, TRIALS
from sagelocal.api.resources.models import MODELS
from sagelocal.api.resources.package_groups import GROUPS
from sagelocal.cloud.catalog import Kind
from sagelocal.engine import Engine
from sagelocal.expressions import render
from sagelocal.shapes import shape
from sagelocal.values import Json, JsonObject

_SORTED: Final = "LastModifiedTime"
_MORE: Final = frozenset({"Tags", "Metrics", "Parents"})
"""Properties that are searched by, whether or not the shape of a resource has them."""
_SUGGESTED: Final = 10


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be searched for.

    Attributes:
        member: of a SearchRecord, that holds one.
        shape: of that member.
        arn: the member of a record that has its ARN.
        records: all of them, as they are searched.
        show: how one is shown.
    """

    member: str
    shape: str
    arn: str
    records: Callable[[Engine], list[JsonObject]]
    show: Callable[[Engine, JsonObject], JsonObject] = lambda _, record: record

    def known(self, name: str) -> bool:
        """Whether there is such a property: its first name counts."""
        inner = shape(self.member).members if self.member == "Model" else {}
        properties = {*_MORE, *shape(self.shape).members, *inner}
        return name.partition(".")[0].lower() in {each.lower() for each in properties}


def search(engine: Engine, request: Request) -> JsonObject:
    """Search: the latest modified first, unless asked otherwise."""
    resource = _RESOURCES.get(request["Resource"])
    if resource is None or request.get("CrossAccountFilterOption") == "CrossAccount":
        return {"Results": [], "TotalHits": {"Value": 0, "Relation": "EqualTo"}}
    expression, by = request.get("SearchExpression", {}), request.get("SortBy", _SORTED)
    for name in [*names(expression), *([by] if "SortBy" in request else [])]:
        if not resource.known(name):
            raise ApiError("ValidationException", f"Unknown property name: {name}")
    records = [_searchable(engine, resource, record) for record in resource.records(engine)]
    found = [each for each in records if satisfies(each, expression) and _visible(each, request)]

    def rank(record: JsonObject) -> tuple[str | float, ...]:
        return *_place(record, by), str(record[resource.arn])

    found.sort(key=rank, reverse=request.get("SortOrder", "Descending") == "Descending")
    answer = page(
        request,
        found,
        lambda record: str(record[resource.arn]),
        "Results",
        lambda record: {resource.member: _shown(engine, resource, record)},
        rank=rank,
    )
    return {**answer, "TotalHits": {"Value": len(found), "Relation": "EqualTo"}}


def suggest(_: Engine, request: Request) -> JsonObject:
    """GetSearchSuggestions: the properties of a resource whose names begin so."""
    resource = _RESOURCES.get(request["Resource"])
    hint = request.get("SuggestionQuery", {}).get("PropertyNameQuery", {}).get("PropertyNameHint", "")
    members = shape(resource.shape).members if resource else {}
    suggested = [{"PropertyName": name} for name in members if name.lower().startswith(hint.lower())]
    return {"PropertyNameSuggestions": suggested[:_SUGGESTED]}


def _searchable(engine: Engine, resource: Resource, record: JsonObject) -> JsonObject:
    """A record with its tags, metrics and parameters by name, and, beside them, as they are shown."""
    tags = engine.tags.of(str(record[resource.arn]))
    more: dict[str, Json] = {"Tags": dict(tags), "Metrics": dict(_metrics(record))}
    parameters = record.get("Parameters")
    if isinstance(parameters, Mapping):
        more["Parameters"] = {name: _bare(value) for name, value in parameters.items()}
    return {**record, **more, "Shown": record}


def _metrics(record: JsonObject) -> Iterator[tuple[str, Json]]:
    for member in ("FinalMetricDataList", "Metrics"):
        for metric in values(record, [member]):
            if isinstance(metric, Mapping):
                name = str(metric["MetricName"])
                yield name, metric.get("Value", metric.get("Last"))
                yield from ((f"{name}.{each}", value) for each, value in metric.items())


def _bare(value: Json) -> Json:
    """The text or number of a parameter of a trial component."""
    return next(iter(value.values()), None) if isinstance(value, Mapping) else value


def _visible(record: JsonObject, request: Request) -> bool:
    """Whether the tags that VisibilityConditions name have the values that they ask for, as far as there are such tags."""
    conditions = ((each["Key"], each.get("Value")) for each in request.get("VisibilityConditions", ()))
    return all(
        value in set(values(record, key.split("."))) or not any(True for _ in values(record, key.split(".")))
        for key, value in conditions
    )


def _place(record: JsonObject, by: str) -> tuple[float, float, str]:
    """Numbers and moments come after texts, and those after what has no such property."""
    found = next(values(record, by.split(".")), None)
    if found is None and by == _SORTED:
        found = record.get("CreationTime")
    as_number = number(found)
    if as_number is not None:
        return 2.0, as_number, ""
    return (0.0, 0.0, "") if found is None else (1.0, 0.0, str(found))


def _shown(engine: Engine, resource: Resource, record: JsonObject) -> JsonObject:
    shown, tags = record["Shown"], record["Tags"]
    assert isinstance(shown, Mapping)
    assert isinstance(tags, Mapping)
    listed: list[Json] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return shaped(resource.shape, resource.show(engine, {**shown, "Tags": listed} if listed else shown))


def _packages(engine: Engine) -> list[JsonObject]:
    return [package.describe for package in engine.catalog.list(Kind.MODEL_PACKAGE)]


def _pipelines(engine: Engine) -> list[JsonObject]:
    return [pipelines.describe(engine, {"PipelineName": name}) for name in engine.pipelines.names()]


def _executions(engine: Engine) -> list[JsonObject]:
    machines = engine.views.machines
    return [
        {
            **executions.describe(engine, {"PipelineExecutionArn": outline.arn}),
            "PipelineParameters": [
                {"Name": name, "Value": render(value)}
                for name, value in machines.of(outline).start.parameters.items()
            ],
        }
        for name in engine.pipelines.names()
        for outline in machines.outlines(name)
    ]


def _trial(engine: Engine, trial: JsonObject) -> JsonObject:
    found = components(engine, str(trial["TrialName"]))
    return {
        **trial,
        "TrialComponentSummaries": [{**each, "TrialComponentSource": each.get("Source")} for each in found],
    }


def _component(engine: Engine, component: JsonObject) -> JsonObject:
    """A trial component with the record of its job."""
    source = component.get("Source")
    arn = str(source["SourceArn"]) if isinstance(source, Mapping) else ""
    for operations in (jobs.training, jobs.processing, jobs.transform):
        noun = operations.job.noun
        if f":{operations.job.kind}/" not in arn:
            continue
        name = str(component["TrialComponentName"]).removesuffix(f"-aws-{operations.job.kind}")
        job = engine.catalog.get(operations.job.kind, name)
        detail: dict[str, Json] = {"SourceArn": arn, **({noun: job.describe} if job else {})}
        return {**component, "SourceDetail": detail}
    return component


def _model(_: Engine, model: JsonObject) -> JsonObject:
    return {"Model": model}


_RESOURCES: Final[Mapping[str, Resource]] = {
    "Endpoint": Resource("Endpoint", "Endpoint", "EndpointArn", ENDPOINTS.all),
    "Experiment": Resource("Experiment", "Experiment", "ExperimentArn", EXPERIMENTS.all),
    "ExperimentTrial": Resource("Trial", "Trial", "TrialArn", TRIALS.all, _trial),
    "ExperimentTrialComponent": Resource(
        "TrialComponent", "TrialComponent", "TrialComponentArn", COMPONENTS.all, _component
    ),
    "HyperParameterTuningJob": Resource(
        "HyperParameterTuningJob",
        "HyperParameterTuningJobSearchEntity",
        "HyperParameterTuningJobArn",
        jobs.tuning.records,
    ),
    "Model": Resource("Model", "ModelDashboardModel", "ModelArn", MODELS.all, _model),
    "ModelPackage": Resource("ModelPackage", "ModelPackage", "ModelPackageArn", _packages),
    "ModelPackageGroup": Resource(
        "ModelPackageGroup", "ModelPackageGroup", "ModelPackageGroupArn", GROUPS.all
    ),
    "Pipeline": Resource("Pipeline", "Pipeline", "PipelineArn", _pipelines),
    "PipelineExecution": Resource(
        "PipelineExecution", "PipelineExecution", "PipelineExecutionArn", _executions
    ),
    "TrainingJob": Resource("TrainingJob", "TrainingJob", "TrainingJobArn", jobs.training.records),
}
"""By ResourceType; of others there are none here."""

OPERATIONS: Final[Mapping[str, Operation]] = {"GetSearchSuggestions": suggest, "Search": search}
