"""Operations on trial components, each in any number of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.experiments import COMPONENTS, EXPERIMENTS, TRIALS, fresh, sourced
from sagelocal.api.resources.listing import Listing
from sagelocal.cloud.experiments import associated, dissociated, parent
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject

_LISTING: Final = Listing(
    "TrialComponentSummaries", "TrialComponentSummary", "TrialComponentName", "TrialComponentName"
)
_MAPS: Final = ("Parameters", "InputArtifacts", "OutputArtifacts")
"""The members that an update adds to, and takes from by ``<member>ToRemove``."""


def create(engine: Engine, request: Request) -> JsonObject:
    """CreateTrialComponent."""
    arn = COMPONENTS.create(engine, request, **fresh(engine, COMPONENTS, request))
    return {"TrialComponentArn": arn}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeTrialComponent, by name or ARN."""
    return described("DescribeTrialComponent", COMPONENTS.get(engine, request["TrialComponentName"]))


def list_components(engine: Engine, request: Request) -> JsonObject:
    """ListTrialComponents: of an experiment, of a trial, of a source such as a job, or all."""
    found = COMPONENTS.all(engine)
    if "ExperimentName" in request:
        experiment = str(EXPERIMENTS.get(engine, request["ExperimentName"])["ExperimentName"]).lower()
        found = [each for each in found if experiment in parents(each, "ExperimentName")]
    if "TrialName" in request:
        found = components(engine, str(TRIALS.get(engine, request["TrialName"])["TrialName"]))
    if "SourceArn" in request:
        found = [each for each in found if _source(each) == request["SourceArn"]]
    return _LISTING.answer(request, [sourced(each, "TrialComponent") for each in found])


def update(engine: Engine, request: Request) -> JsonObject:
    """UpdateTrialComponent."""
    name = request["TrialComponentName"]
    record = COMPONENTS.get(engine, name)
    removed = {f"{member}ToRemove" for member in _MAPS}
    changes: dict[str, Json] = {
        member: value
        for member, value in request.items()
        if member not in {"TrialComponentName", *_MAPS, *removed}
    }
    for member in _MAPS:
        before = record.get(member)
        kept = {**(before if isinstance(before, Mapping) else {}), **request.get(member, {})}
        gone = request.get(f"{member}ToRemove", ())
        changes[member] = {key: value for key, value in kept.items() if key not in gone}
    changed = COMPONENTS.update(engine, name, **changes, LastModifiedBy={})
    return {"TrialComponentArn": changed["TrialComponentArn"]}


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteTrialComponent; it must have been taken out of all trials."""
    record = COMPONENTS.get(engine, request["TrialComponentName"])
    if parents(record):
        message = f"Trial Component '{record['TrialComponentName']}' is in trials: disassociate it before."
        raise ApiError("ValidationException", message)
    COMPONENTS.delete(engine, request["TrialComponentName"])
    return {"TrialComponentArn": record["TrialComponentArn"]}


def associate(engine: Engine, request: Request) -> JsonObject:
    """AssociateTrialComponent."""
    component, trial = _pair(engine, request)
    COMPONENTS.put(engine, associated(component, parent(trial)))
    return {"TrialComponentArn": component["TrialComponentArn"], "TrialArn": trial["TrialArn"]}


def disassociate(engine: Engine, request: Request) -> JsonObject:
    """DisassociateTrialComponent."""
    component, trial = _pair(engine, request)
    name = str(trial["TrialName"])
    if name.lower() not in parents(component):
        message = f"Trial Component '{component['TrialComponentName']}' is not in trial '{name}'."
        raise ApiError("ResourceNotFound", message)
    COMPONENTS.put(engine, {**component, "Parents": dissociated(component, name)})
    return {"TrialComponentArn": component["TrialComponentArn"], "TrialArn": trial["TrialArn"]}


def components(engine: Engine, trial: str) -> list[JsonObject]:
    """All trial components of a trial."""
    return [each for each in COMPONENTS.all(engine) if trial.lower() in parents(each)]


def parents(component: JsonObject, member: str = "TrialName") -> set[str]:
    """The names, lower-cased, of the trials that a trial component is in, or of their experiments."""
    found = component.get("Parents")
    return {
        str(each[member]).lower()
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, Mapping)
    }


def _pair(engine: Engine, request: Request) -> tuple[JsonObject, JsonObject]:
    component = COMPONENTS.get(engine, request["TrialComponentName"])
    return component, TRIALS.get(engine, request["TrialName"])


def _source(component: JsonObject) -> Json:
    source = component.get("Source")
    return source.get("SourceArn") if isinstance(source, Mapping) else None


OPERATIONS: Final[Mapping[str, Operation]] = {
    "AssociateTrialComponent": associate,
    "CreateTrialComponent": create,
    "DeleteTrialComponent": delete,
    "DescribeTrialComponent": describe,
    "DisassociateTrialComponent": disassociate,
    "ListTrialComponents": list_components,
    "UpdateTrialComponent": update,
}
