"""Operations on experiments and their trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.listing import Listing
from sagelocal.api.resources.named import Named, Refusal
from sagelocal.clock import iso
from sagelocal.cloud.catalog import Kind
from sagelocal.engine import Engine
from sagelocal.values import Json, JsonObject


def named(kind: Kind, noun: str, word: str) -> Named:
    """Names of experiments and what is in them are not case-sensitive."""
    # The SDKs look for the words "already exists".
    taken = f"{word} names must be unique within an AWS account and region. {word} with name ({{name}}) already exists."
    absent = f"{word} '{{name}}' does not exist."
    return Named(
        kind,
        noun,
        Refusal("ResourceNotFound", absent),
        Refusal("ValidationException", taken),
        str.lower,
    )


EXPERIMENTS: Final = named(Kind.EXPERIMENT, "Experiment", "Experiment")
TRIALS: Final = named(Kind.TRIAL, "Trial", "Trial")
COMPONENTS: Final = named(Kind.TRIAL_COMPONENT, "TrialComponent", "Trial Component")
_EXPERIMENT_LIST: Final = Listing(
    "ExperimentSummaries", "ExperimentSummary", "ExperimentName", "ExperimentName"
)
_SOURCED: Final = "Source"


def fresh(engine: Engine, named: Named, request: Request) -> dict[str, Json]:
    """The members that a new record of an experiment has, beside those of its request."""
    now = iso(engine.clock.now())
    return {
        "DisplayName": request.get("DisplayName", request[named.name]),
        "LastModifiedTime": now,
        "CreatedBy": {},
        "LastModifiedBy": {},
    }


def create(engine: Engine, request: Request) -> JsonObject:
    """CreateExperiment."""
    return {"ExperimentArn": EXPERIMENTS.create(engine, request, **fresh(engine, EXPERIMENTS, request))}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeExperiment."""
    return described("DescribeExperiment", EXPERIMENTS.get(engine, request["ExperimentName"]))


def list_experiments(engine: Engine, request: Request) -> JsonObject:
    """ListExperiments."""
    return _EXPERIMENT_LIST.answer(request, [sourced(each, "Experiment") for each in EXPERIMENTS.all(engine)])


def update(engine: Engine, request: Request) -> JsonObject:
    """UpdateExperiment."""
    return changed(engine, EXPERIMENTS, request)


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteExperiment; its trials must be gone."""
    record = EXPERIMENTS.get(engine, request["ExperimentName"])
    if trials(engine, str(record["ExperimentName"])):
        message = f"Experiment '{record['ExperimentName']}' has trials: delete them before."
        raise ApiError("ValidationException", message)
    EXPERIMENTS.delete(engine, request["ExperimentName"])
    return {"ExperimentArn": record["ExperimentArn"]}


def trials(engine: Engine, experiment: str) -> list[JsonObject]:
    """All trials of an experiment."""
    return [
        trial for trial in TRIALS.all(engine) if str(trial["ExperimentName"]).lower() == experiment.lower()
    ]


def changed(engine: Engine, named: Named, request: Request) -> JsonObject:
    """Update a record with all that the request says of it; the answer has its ARN."""
    name = request[named.name]
    changes = {member: value for member, value in request.items() if member != named.name}
    record = named.update(engine, name, **changes, LastModifiedBy={})
    return {named.arn_member: record[named.arn_member]}


def sourced(record: JsonObject, noun: str) -> JsonObject:
    """A record with its Source under the name that it has in lists: ``TrialSource``."""
    return {**record, f"{noun}{_SOURCED}": record.get(_SOURCED)}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateExperiment": create,
    "DeleteExperiment": delete,
    "DescribeExperiment": describe,
    "ListExperiments": list_experiments,
    "UpdateExperiment": update,
}
