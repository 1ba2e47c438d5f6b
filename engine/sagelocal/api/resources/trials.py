"""Operations on trials, each of one experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import described
from sagelocal.api.resources.components import components, parents
from sagelocal.api.resources.experiments import COMPONENTS, EXPERIMENTS, TRIALS, changed, fresh, sourced
from sagelocal.api.resources.listing import Listing
from sagelocal.engine import Engine
from sagelocal.values import JsonObject

_LISTING: Final = Listing("TrialSummaries", "TrialSummary", "TrialName", "TrialName")


def create(engine: Engine, request: Request) -> JsonObject:
    """CreateTrial, in an experiment that exists."""
    experiment = EXPERIMENTS.get(engine, request["ExperimentName"])["ExperimentName"]
    more = fresh(engine, TRIALS, request) | {"ExperimentName": experiment}
    return {"TrialArn": TRIALS.create(engine, {**request, "ExperimentName": experiment}, **more)}


def describe(engine: Engine, request: Request) -> JsonObject:
    """DescribeTrial."""
    return described("DescribeTrial", TRIALS.get(engine, request["TrialName"]))


def list_trials(engine: Engine, request: Request) -> JsonObject:
    """ListTrials: of an experiment, with a trial component, or all."""
    found = TRIALS.all(engine)
    if "ExperimentName" in request:
        experiment = EXPERIMENTS.get(engine, request["ExperimentName"])["ExperimentName"]
        found = [each for each in found if each["ExperimentName"] == experiment]
    if "TrialComponentName" in request:
        names = parents(COMPONENTS.get(engine, request["TrialComponentName"]))
        found = [each for each in found if str(each["TrialName"]).lower() in names]
    return _LISTING.answer(request, [sourced(each, "Trial") for each in found])


def update(engine: Engine, request: Request) -> JsonObject:
    """UpdateTrial."""
    return changed(engine, TRIALS, request)


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteTrial; its trial components must have been taken out."""
    record = TRIALS.get(engine, request["TrialName"])
    if components(engine, str(record["TrialName"])):
        message = f"Trial '{record['TrialName']}' has trial components: disassociate them before."
        raise ApiError("ValidationException", message)
    TRIALS.delete(engine, request["TrialName"])
    return {"TrialArn": record["TrialArn"]}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateTrial": create,
    "DeleteTrial": delete,
    "DescribeTrial": describe,
    "ListTrials": list_trials,
    "UpdateTrial": update,
}
