"""Script mode: a model that the author's functions load and ask (source: AWS's sagemaker-inference-toolkit)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ml_contract import MODEL, JobError

from serving import codecs, families, stand_ins
from serving.codecs import JSON, TEXTS
from serving.context import Context
from serving.exchange import TEXT, Answer, Model, Refused, Request, media_type
from serving.loading import Script, failed, imported


@dataclass(frozen=True)
class _Handlers:
    transform_fn: Callable[..., Any] | None
    input_fn: Callable[..., Any]
    predict_fn: Callable[..., Any]
    output_fn: Callable[..., Any]


def load(family: str, script: Script) -> Model:
    """Import the script and call its model_fn.

    Raises:
        JobError: it cannot be imported, has not what it needs, or model_fn failed.
    """
    defaults = families.defaults(family)
    stand_ins.provide(family)
    os.environ.setdefault("SM_MODEL_DIR", str(MODEL))
    module = imported(script)
    functions = {
        name: getattr(module, name, None) for name in ("transform_fn", "input_fn", "predict_fn", "output_fn")
    }
    model_fn = getattr(module, "model_fn", None)
    _check(
        script, functions, model_fn, tensorflow=hasattr(module, "handler") or hasattr(module, "input_handler")
    )
    handlers = _Handlers(
        functions["transform_fn"],
        functions["input_fn"] or defaults.input_fn,
        functions["predict_fn"] or defaults.predict_fn,
        functions["output_fn"] or defaults.output_fn,
    )
    try:
        loaded = _call(model_fn, Context({}), str(MODEL))
    except (Exception, SystemExit) as error:  # the author's code may raise anything
        raise failed(f"model_fn of {script.file.name} failed", error) from None
    parameters = getattr(module, "execution_parameters_fn", None)
    return Model(partial(_invoke, handlers, loaded), partial(_parameters, parameters) if parameters else None)


def _check(script: Script, functions: dict[str, Any], model_fn: Any, *, tensorflow: bool) -> None:
    name = script.file.name
    if model_fn is None and tensorflow:
        raise JobError(
            f"{name} is written for TensorFlow Serving, which is not played here: give it model_fn(model_dir) and"
            " predict_fn(data, model), or use the image itself with the docker runtime"
        )
    if model_fn is None:
        raise JobError(f"{name} has no model_fn(model_dir), which loads the model")
    others = [each for each in ("input_fn", "predict_fn", "output_fn") if functions[each]]
    if functions["transform_fn"] and others:
        raise JobError(
            f"{name} has transform_fn, which takes the place of {', '.join(others)}: remove one or the other"
        )


def _invoke(handlers: _Handlers, loaded: Any, request: Request) -> Answer:
    """Body and types go to the functions as the images pass them: JSON for none, str for JSON and CSV, else bytes."""
    content_type = request.header("Content-Type") or request.header("ContentType") or JSON
    accept = request.header("Accept")
    if not accept or accept == "*/*":
        accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON
    body: Any = _text(request.body) if media_type(content_type) in TEXTS else request.body
    context = Context(request.headers)
    if handlers.transform_fn:
        result = _call(handlers.transform_fn, context, loaded, body, content_type, accept)
    else:
        data = _supported(415, handlers.input_fn, context, body, content_type)
        prediction = _call(handlers.predict_fn, context, data, loaded)
        result = _supported(406, handlers.output_fn, context, prediction, accept)
    return _answer(result, accept, context)


def _supported(status: int, function: Callable[..., Any], context: Context, value: Any, kind: str) -> Any:
    """What it returns; a type that it does not know is the client's fault.

    Known by its name, as a script may use AWS's own toolkit, whose error it then is.
    """
    try:
        return _call(function, context, value, kind)
    except Exception as error:
        if type(error).__name__ != "UnsupportedFormatError":
            raise
        raise Refused(status, str(error)) from None


def _call(function: Any, context: Context, *arguments: Any) -> Any:
    """With the context as last argument when it takes exactly one more than it needs."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C
        return function(*arguments)
    taken = [each for each in parameters if each.kind <= each.POSITIONAL_OR_KEYWORD]
    return function(*arguments, context) if len(taken) == len(arguments) + 1 else function(*arguments)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8: {error}") from None


def _answer(result: Any, accept: str, context: Context) -> Answer:
    """bytes, str, what JSON knows, a pair with the content type, or a response of Flask's kind."""
    if hasattr(result, "get_data"):
        return Answer(result.get_data(), result.mimetype, result.status_code)
    kind = context.content_type or media_type(accept.partition(",")[0])
    if isinstance(result, tuple) and len(result) == 2:
        result, kind = result
    return Answer(_body(result), kind or TEXT, context.status or 200, context.headers)


def _body(result: Any) -> bytes:
    if result is None:
        return b""
    if isinstance(result, (bytes, bytearray, memoryview)):
        return bytes(result)
    if isinstance(result, str):
        return result.encode()
    if isinstance(result, (dict, list, int, float)):
        return str(codecs.encode(result, JSON)).encode()
    raise TypeError(f"output_fn and transform_fn return bytes or str, not {type(result).__name__}")


def _parameters(function: Callable[[], Any]) -> Answer:
    return _answer(function(), JSON, Context({}))
