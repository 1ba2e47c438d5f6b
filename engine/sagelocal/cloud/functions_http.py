"""Lambda's HTTP interface over the functions of the account."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sagelocal.clock import Clock, SystemClock, iso
from sagelocal.cloud.functions import LATEST, Function, FunctionStore, Invoke, name_of
from sagelocal.cloud.functions_code import Package
from sagelocal.cloud.protocols.json_bodies import parsed
from sagelocal.cloud.protocols.service import RefusedError
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import MachineError, SagelocalError, UsageError
from sagelocal.names import S3Uri
from sagelocal.values import JsonObject

_PREFIX = "/2015-03-31/functions"
_LONGEST_PAYLOAD = 6 * 1024 * 1024
_LONGEST_BODY = 70 * 1024 * 1024  # a zip file of 50 MB, in base64
_TAIL = 4096
"""Bytes of log that Invoke returns with LogType Tail."""
_SETTINGS = ("Description", "Environment", "Handler", "MemorySize", "Role", "Runtime", "Timeout")
"""The members of a configuration that a call may set; the others are ours."""
_RANGES = {"Timeout": (1, 900), "MemorySize": (128, 10240)}
_STATUS = {
    "InvalidParameterValueException": 400,
    "InvalidRequestContentException": 400,
    "RequestTooLargeException": 413,
    "ResourceConflictException": 409,
    "ResourceNotFoundException": 404,
    "ServiceException": 500,
    "ValidationException": 400,
}


class LambdaError(Exception):
    """A refusal with Lambda's code and a text for a person."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    def answer(self) -> Response:
        kind = "Service" if self.code == "ServiceException" else "User"
        content = {"Type": kind, "Message": str(self)}
        return JSONResponse(content, _STATUS[self.code], {"x-amzn-errortype": self.code})


@dataclass(frozen=True, slots=True)
class _Lambda:
    """The operations; each takes the request and the function's name ("" for operations on all)."""

    functions: FunctionStore
    invocation: Invoke
    objects: ObjectStore | None
    clock: Clock
    running: set[asyncio.Future[Any]] = field(default_factory=set)
    """Asynchronous invocations: the loop itself holds tasks only weakly."""

    async def create(self, request: Request, _: str) -> Response:
        given = await body(request)
        name = name_of(str(given.get("FunctionName", "")))
        if not name:
            raise LambdaError("ValidationException", f"FunctionName {given.get('FunctionName')!r} is no name")
        if self.functions.get(name) is not None:
            raise LambdaError("ResourceConflictException", f"Function already exist: {name}")
        if given.get("PackageType", "Zip") != "Zip" or not given.get("Handler") or not given.get("Runtime"):
            message = (
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
            raise LambdaError("InvalidParameterValueException", message)
        package = await self._package(name, given.get("Code") or {})
        configuration = self._changed(_new(name, self.functions.arn(name)), given, package)
        self.functions.put(configuration, self.clock.now())
        return JSONResponse(configuration, 201)

    async def update_code(self, request: Request, name: str) -> Response:
        given, configuration = await body(request), self._existing(name)
        package = await self._package(name, given)
        changed = self._changed(configuration, {}, package)
        if not given.get("DryRun"):
            self.functions.put(changed, self.clock.now())
        return JSONResponse(changed)

    async def update_configuration(self, request: Request, name: str) -> Response:
        changed = self._changed(self._existing(name), await body(request))
        self.functions.put(changed, self.clock.now())
        return JSONResponse(changed)

    async def get(self, _: Request, name: str) -> Response:
        configuration = self._existing(name)
        code = {"RepositoryType": "S3", "Location": self.functions.folder(configuration).as_uri()}
        return JSONResponse({"Configuration": configuration, "Code": code, "Tags": {}})

    async def get_configuration(self, _: Request, name: str) -> Response:
        return JSONResponse(self._existing(name))

    async def list(self, request: Request, _: str) -> Response:
        """In pages whose Marker is the last name of the page before."""
        marker = request.query_params.get("Marker", "")
        found = [item for item in self.functions.list() if item["FunctionName"] > marker]
        most = _integer(request.query_params.get("MaxItems", "50"))
        page = found[:most]
        more = {"NextMarker": page[-1]["FunctionName"]} if page and len(found) > len(page) else {}
        return JSONResponse({"Functions": page, **more})

    async def delete(self, _: Request, name: str) -> Response:
        if not self.functions.delete(name):
            raise self._unknown(name)
        return Response(status_code=204)

    async def invoke(self, request: Request, name: str) -> Response:
        payload = await _whole(request, _LONGEST_PAYLOAD) or b"{}"
        _json(payload)
        function = self.functions.find(_reference(request))
        if function is None:
            raise self._unknown(name)
        match request.headers.get("x-amz-invocation-type", "RequestResponse"):
            case "DryRun":
                return Response(status_code=204)
            case "Event":
                self._in_background(self.invocation(function, payload, _nowhere))
                return Response(status_code=202)
            case _:
                return await self._respond(function, payload, request.headers.get("x-amz-log-type") == "Tail")

    async def _respond(self, function: Function, payload: bytes, tail: bool) -> Response:
        log = _Tail()
        invoked = await self.invocation(function, payload, log.line)
        headers = {
            "x-amz-executed-version": LATEST,
            **({"x-amz-function-error": "Unhandled"} if invoked.failed else {}),
            **({"x-amz-log-result": log.encoded()} if tail else {}),
        }
        return Response(invoked.payload, 200, headers, "application/json")

    def _in_background(self, invocation: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(invocation)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _existing(self, name: str) -> dict[str, Any]:
        configuration = self.functions.get(name)
        if configuration is None:
            raise self._unknown(name)
        return configuration

    def _unknown(self, name: str) -> LambdaError:
        message = f"Function not found: {self.functions.arn(name)}. {self.functions.missing(name)}"
        return LambdaError("ResourceNotFoundException", message)

    async def _package(self, name: str, code: Mapping[str, Any]) -> Package:
        data = self._zip(code)
        try:
            return await asyncio.to_thread(self.functions.unpack, name, data)
        except UsageError as error:
            raise LambdaError("InvalidParameterValueException", str(error)) from None

    def _zip(self, code: Mapping[str, Any]) -> bytes:
        if code.get("ZipFile"):
            try:
                return base64.b64decode(code["ZipFile"], validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise LambdaError("InvalidParameterValueException", "ZipFile is no base64") from None
        if self.objects is not None and code.get("S3Bucket") and code.get("S3Key"):
            uri = S3Uri(str(code["S3Bucket"]), str(code["S3Key"]))
            path = self.objects.file(uri)
            if path is None:
                message = f"Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: {uri} does not exist."
                raise LambdaError("InvalidParameterValueException", message)
            return path.read_bytes()
        message = "Please provide a source for function code: ZipFile, or S3Bucket and S3Key."
        raise LambdaError("InvalidParameterValueException", message)

    def _changed(
        self, old: JsonObject, given: Mapping[str, Any], package: Package | None = None
    ) -> dict[str, Any]:
        """The configuration with what a call gives, new code, and the marks of a change."""
        asked = {key: given[key] for key in _SETTINGS if given.get(key) not in (None, {})}
        for key, (low, high) in _RANGES.items():
            if key in asked and not (isinstance(asked[key], int) and low <= asked[key] <= high):
                message = f"Value {asked[key]!r} at {key!r} must be between {low} and {high}"
                raise LambdaError("ValidationException", message)
        code = {"CodeSize": package.size, "CodeSha256": package.sha256} if package else {}
        moment = iso(self.clock.now()).replace("Z", "+0000")
        return {**old, **asked, **code, "LastModified": moment, "RevisionId": str(uuid.uuid4())}


def lambda_app(
    functions: FunctionStore,
    invoke: Invoke,
    objects: ObjectStore | None = None,
    clock: Clock | None = None,
    more: Sequence[Route] = (),
) -> Starlette:
    """The service ``lambda`` for an `Endpoint`.

    Args:
        functions: the account's.
        invoke: runs them.
        objects: holds uploaded zips that are named by bucket and key.
        clock: where moments come from.
        more: operations besides those on functions.
    """
    service = _Lambda(functions, invoke, objects, clock or SystemClock())
    one = _PREFIX + "/{name}"
    rows: list[tuple[str, str, Callable[[Request, str], Awaitable[Response]]]] = [
        (_PREFIX, "POST", service.create),
        (_PREFIX, "GET", service.list),
        (one, "GET", service.get),
        (one, "DELETE", service.delete),
        (f"{one}/configuration", "GET", service.get_configuration),
        (f"{one}/configuration", "PUT", service.update_configuration),
        (f"{one}/code", "PUT", service.update_code),
        (f"{one}/invocations", "POST", service.invoke),
    ]
    paths = [(path, method, run) for row, method, run in rows for path in {row, f"{row}/"}]
    routes = [Route(path, operation(run), methods=[method]) for path, method, run in paths]
    return Starlette(
        routes=[*routes, *more, Route("/{rest:path}", _not_served, methods=["GET", "POST", "PUT", "DELETE"])]
    )


def operation(
    run: Callable[[Request, str], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of `run`, which gets the request with the name of its path; errors are answered as Lambda does."""

    async def answer(request: Request) -> Response:
        try:
            return await run(request, name_of(_reference(request)))
        except LambdaError as error:
            return error.answer()
        except MachineError as error:
            return LambdaError("ServiceException", str(error)).answer()
        except SagelocalError as error:
            return LambdaError("InvalidParameterValueException", str(error)).answer()

    return answer


async def _not_served(request: Request) -> Response:
    message = f"lambda: {request.method} {request.url.path} is not served yet by sagelocal"
    return JSONResponse({"Message": message}, 501, {"x-amzn-errortype": "NotImplemented"})


def _reference(request: Request) -> str:
    return str(request.path_params.get("name", ""))


def _new(name: str, arn: str) -> dict[str, Any]:
    return {
        "FunctionName": name,
        "FunctionArn": arn,
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": LATEST,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }


async def body(request: Request) -> dict[str, Any]:
    """The JSON object that a request brings."""
    content = _json(await _whole(request, _LONGEST_BODY) or b"{}")
    if not isinstance(content, dict):
        raise LambdaError("InvalidRequestContentException", "The request's body is no JSON object")
    return content


async def _whole(request: Request, most: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise LambdaError("RequestTooLargeException", f"Request must be smaller than {most} bytes")
    return bytes(content)


def _json(data: bytes) -> Any:
    try:
        return parsed(data)
    except RefusedError as error:
        message = f"Could not parse request body into json: {error}"
        raise LambdaError("InvalidRequestContentException", message) from None


def _integer(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 10000:
        raise LambdaError(
            "InvalidParameterValueException", f"MaxItems must be between 1 and 10000, not {text[:40]}"
        )
    return int(text)


class _Tail:
    """The last lines of a log, about as many bytes as `_TAIL`."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0

    def line(self, text: str) -> None:
        data = text.encode(errors="replace")[-_TAIL:] + b"\n"
        self._lines.append(data)
        self._size += len(data)
        while self._size - len(self._lines[0]) >= _TAIL:
            self._size -= len(self._lines.popleft())

    def encoded(self) -> str:
        return base64.b64encode(b"".join(self._lines)[-_TAIL:]).decode()


def _nowhere(_: str) -> None:
    """The log of an invocation that nobody waits for."""
