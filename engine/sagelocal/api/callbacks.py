"""Operations that answer Callback steps."""

from __future__ import annotations

from sagelocal.api.requests import Request
from sagelocal.callbacks import Answer, Awaited, Failure, Success
from sagelocal.engine import Engine
from sagelocal.values import JsonObject


def succeed(engine: Engine, request: Request) -> JsonObject:
    """SendPipelineExecutionStepSuccess."""
    outputs = {each["Name"]: each["Value"] for each in request.get("OutputParameters", [])}
    return _answer(engine, request, Success(outputs))


def fail(engine: Engine, request: Request) -> JsonObject:
    """SendPipelineExecutionStepFailure."""
    return _answer(engine, request, Failure(request.get("FailureReason", "")))


def awaited(engine: Engine, _: Request) -> JsonObject:
    """All steps that wait for an answer, longest first; an operation of ours, not of AWS."""
    return {"Callbacks": [_shown(each) for each in engine.callbacks.awaited()]}


def _answer(engine: Engine, request: Request, answer: Answer) -> JsonObject:
    arn = engine.callbacks.answer(request["CallbackToken"], answer, request.get("ClientRequestToken", ""))
    return {"PipelineExecutionArn": arn}


def _shown(each: Awaited) -> JsonObject:
    return {
        "CallbackToken": each.token,
        "PipelineExecutionArn": each.execution,
        "StepName": each.step,
        "SqsQueueUrl": each.queue,
        "Since": each.since,
    }
