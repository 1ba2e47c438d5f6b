"""The operations on event source mappings in Lambda's HTTP interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sagelocal.cloud.event_source_mappings import REPORTS, EventSourceMappings
from sagelocal.cloud.functions import FunctionStore, name_of, unqualified
from sagelocal.cloud.functions_http import LambdaError, body, operation
from sagelocal.cloud.sqs_directory import queue_name
from sagelocal.names import Partition

_PREFIX = "/2015-03-31/event-source-mappings"
_MOST_WITHOUT_WINDOW = 10
_IGNORED = {"Enabled", "FunctionName", "Tags", "ScalingConfig", "MetricsConfig", "ProvisionedPollerConfig"}
"""Members that change nothing here, or that are read by themselves."""
_KEPT = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []}
"""Members that a call may set, with their defaults."""


@dataclass(frozen=True, slots=True)
class _Mappings:
    """The operations; each takes the request."""

    mappings: EventSourceMappings
    functions: FunctionStore
    partition: Partition

    async def create(self, request: Request, _: str) -> Response:
        given = await body(request)
        source = str(given.pop("EventSourceArn", ""))
        if not source.startswith("arn:") or source.split(":")[2] != "sqs":
            message = f"EventSourceArn {source!r} is not supported: sagelocal feeds functions from SQS queues only, arn:aws:sqs:REGION:ACCOUNT:NAME"
            raise LambdaError("InvalidParameterValueException", message)
        function = self._function(given)
        if there := self.mappings.same(source, function):
            message = f"An event source mapping with SQS arn {source} and function {function} already exists. Please update or delete the existing mapping with UUID {there}"
            raise LambdaError("ResourceConflictException", message)
        empty = {"EventSourceArn": source, "FunctionArn": function, "State": "Enabled", **_KEPT}
        return JSONResponse(self._shown(self.mappings.create(_changed(empty, given))), 202)

    async def update(self, request: Request, _: str) -> Response:
        found, given = self._existing(request), await body(request)
        function = {"FunctionArn": self._function(given)} if given.get("FunctionName") else {}
        return JSONResponse(self._shown(self.mappings.put(_changed({**found, **function}, given))), 202)

    async def get(self, request: Request, _: str) -> Response:
        return JSONResponse(self._shown(self._existing(request)))

    async def list(self, request: Request, _: str) -> Response:
        """All in one page: there are few."""
        asked = request.query_params
        queue, function = queue_name(asked.get("EventSourceArn", "")), name_of(asked.get("FunctionName", ""))
        found = [
            self._shown(mapping)
            for mapping in self.mappings.all()
            if queue in {"", queue_name(mapping["EventSourceArn"])}
            and function in {"", name_of(mapping["FunctionArn"])}
        ]
        return JSONResponse({"EventSourceMappings": found})

    async def delete(self, request: Request, _: str) -> Response:
        found = self._existing(request)
        self.mappings.delete(found["UUID"])
        return JSONResponse({**self._shown(found), "State": "Deleting"}, 202)

    def _existing(self, request: Request) -> dict[str, Any]:
        found = self.mappings.get(request.path_params["uuid"])
        if found is None:
            raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")
        return found

    def _function(self, given: Mapping[str, Any]) -> str:
        reference = str(given.get("FunctionName") or "")
        function = self.functions.find(reference)
        if function is None:
            message = f"Function not found: {reference}. {self.functions.missing(reference)}"
            raise LambdaError("ResourceNotFoundException", message)
        return unqualified(function.arn)

    def _shown(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        where = f"{self.partition.region}:{self.partition.account}"
        arn = f"arn:aws:lambda:{where}:event-source-mapping:{mapping['UUID']}"
        return {**mapping, "EventSourceMappingArn": arn}


def _changed(mapping: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with what a call gives."""
    asked = {key: value for key, value in given.items() if value not in (None, {}, [])}
    if unknown := sorted(asked.keys() - _KEPT.keys() - _IGNORED):
        message = f"{', '.join(unknown)} is not supported by sagelocal for SQS queues: leave it away, or set one of {', '.join(_KEPT)}"
        raise LambdaError("InvalidParameterValueException", message)
    kept = {key: given[key] for key in _KEPT if given.get(key) is not None}
    state = {} if given.get("Enabled") is None else {"State": "Enabled" if given["Enabled"] else "Disabled"}
    changed = {**mapping, **kept, **state}
    _check(changed)
    return changed


def _check(mapping: Mapping[str, Any]) -> None:
    batch, window, responses = (mapping[key] for key in _KEPT)
    wrong = None
    if not (isinstance(batch, int) and 1 <= batch <= 10000):
        wrong = f"BatchSize must be between 1 and 10000, not {batch!r}"
    elif not (isinstance(window, int) and 0 <= window <= 300):
        wrong = f"MaximumBatchingWindowInSeconds must be between 0 and 300, not {window!r}"
    elif batch > _MOST_WITHOUT_WINDOW and not window:
        wrong = (
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )
    elif responses not in ([], [REPORTS]):
        wrong = f"FunctionResponseTypes can be [{REPORTS!r}], not {responses!r}"
    if wrong:
        raise LambdaError("InvalidParameterValueException", wrong)


def event_source_routes(
    mappings: EventSourceMappings, functions: FunctionStore, partition: Partition
) -> list[Route]:
    """What `lambda_app` serves besides functions.

    Filters are refused. A batch holds ten messages at most, whatever it may hold by its size, and none waits for its
    window: both are only upper bounds.
    """
    service = _Mappings(mappings, functions, partition)
    one = _PREFIX + "/{uuid}"
    rows: list[tuple[str, str, Callable[[Request, str], Awaitable[Response]]]] = [
        (_PREFIX, "POST", service.create),
        (_PREFIX, "GET", service.list),
        (one, "GET", service.get),
        (one, "PUT", service.update),
        (one, "DELETE", service.delete),
    ]
    paths = [(path, method, run) for row, method, run in rows for path in {row, f"{row}/"}]
    return [Route(path, operation(run), methods=[method]) for path, method, run in paths]
