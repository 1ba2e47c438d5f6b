"""The services around SageMaker as apps, each made when an endpoint opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp

from sagelocal.cloud.account import iam, sts
from sagelocal.cloud.account.ecr import Ecr
from sagelocal.cloud.account.logs import Logs
from sagelocal.cloud.around import Around, Events
from sagelocal.cloud.eventbridge.event_operations import EventBridge
from sagelocal.cloud.eventbridge.rule_operations import RuleOperations
from sagelocal.cloud.eventbridge.schedule_operations import Scheduler
from sagelocal.cloud.others import OTHERS, Moto
from sagelocal.cloud.protocols.json_protocol import json_app
from sagelocal.cloud.protocols.query_protocol import query_app
from sagelocal.cloud.protocols.rest_protocol import rest_app


def _ecr(around: Around, _: Events) -> ASGIApp:
    return json_app(Ecr(around.catalog, around.partition, around.clock, around.images).service())


def _events(around: Around, events: Events) -> ASGIApp:
    rules = RuleOperations(events.rules, around.clock, events.agenda.rule_changed)
    return json_app(EventBridge(events.bus, rules, around.partition, around.clock).service())


def _iam(around: Around, _: Events) -> ASGIApp:
    return query_app(iam.Iam(around.catalog, around.partition, around.clock).service(), iam.NAMESPACE)


def _logs(around: Around, _: Events) -> ASGIApp:
    return json_app(Logs(around.logs, around.partition).service())


def _scheduler(around: Around, events: Events) -> ASGIApp:
    return rest_app(Scheduler(events.schedules, around.clock, events.agenda.schedule_changed).service())


def _sts(around: Around, _: Events) -> ASGIApp:
    return query_app(sts.Sts(around.partition, around.clock).service(), sts.NAMESPACE)


def _others(around: Around, _: Events) -> ASGIApp:
    return Moto(around.partition.account)


APPS: Final[Mapping[str, Callable[[Around, Events], ASGIApp]]] = {
    "ecr": _ecr,
    "events": _events,
    "iam": _iam,
    "logs": _logs,
    "scheduler": _scheduler,
    "sts": _sts,
    OTHERS: _others,
}
"""By signing name."""
