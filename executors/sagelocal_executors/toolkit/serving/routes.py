"""Which path answers what."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from serving.exchange import Answer, Model, Refused, Request
from serving.worker import Worker


def answer(method: str, path: str, request: Request, model: Model, worker: Worker) -> Answer:
    """Never raises: what a handler raises is a 500 with its text, and a traceback in the log."""
    allowed, respond = _ROUTES.get(path.partition("?")[0], ("", _nothing))
    if allowed and method != allowed:
        return Answer(f"{path} is for {allowed}".encode(), status=405, headers={"Allow": allowed})
    try:
        return respond(request, model, worker)
    except Refused as refused:  # the worker has stopped
        return _refusal(refused)


def _ping(_request: Request, _model: Model, _worker: Worker) -> Answer:
    return Answer()


def _invocations(request: Request, model: Model, worker: Worker) -> Answer:
    return worker.call(_tried, lambda: model.invoke(request))


def _execution_parameters(request: Request, model: Model, worker: Worker) -> Answer:
    if model.execution_parameters is None:
        return _nothing(request, model, worker)
    return worker.call(_tried, model.execution_parameters)


def _nothing(_request: Request, _model: Model, _worker: Worker) -> Answer:
    return Answer(b"Not Found", status=404)


_ROUTES: dict[str, tuple[str, Callable[[Request, Model, Worker], Answer]]] = {
    "/ping": ("GET", _ping),
    "/invocations": ("POST", _invocations),
    "/execution-parameters": ("GET", _execution_parameters),
}


def _tried(respond: Callable[[], Answer]) -> Answer:
    try:
        return respond()
    except Refused as refused:
        return _refusal(refused)
    except (Exception, SystemExit) as error:  # the author's code may raise anything, even call sys.exit
        traceback.print_exc()
        sys.stderr.flush()
        return _failure(error)


def _refusal(refused: Refused) -> Answer:
    print(f"{refused.status}: {refused}", file=sys.stderr, flush=True)
    return Answer(str(refused).encode(), status=refused.status)


def _failure(error: BaseException) -> Answer:
    """500; an error that brings a status of its own, as those of AWS's inference toolkit do, keeps it."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 600:
        return Answer(str(getattr(error, "message", error)).encode(), status=status)
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    return Answer(text.encode("utf-8", "replace"), status=500)
