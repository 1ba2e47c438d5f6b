"""Every operation answers as its shape says, and no request whatever makes one fail in an odd way."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import botocore.loaders
import pytest
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagelocal.api import SERVICES
from sagelocal.api.operations import OPERATIONS
from sagelocal.callbacks import Failure
from sagelocal.engine import Engine
from sagelocal.settings import Runtime, Settings
from sagelocal.shapes import Shape, request_shape, validate

ROLE = "arn:aws:iam::000000000000:role/pipelines"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/wine"
LONG = "why " * 1000
SERVICE = ServiceModel(botocore.loaders.Loader().load_service_model("sagemaker", "service-2"))
PIPELINE_OPERATIONS = {name for name in SERVICE.operation_names if "Pipeline" in name}

# What a request names is put in when there is something of that name.
REQUESTS: dict[str, dict[str, Any]] = {
    "AddTags": {"ResourceArn": ARN, "Tags": [{"Key": "a", "Value": "b"}]},
    "CreatePipeline": {"PipelineName": "beer", "RoleArn": ROLE, "PipelineDefinition": "DEFINITION"},
    "DeletePipeline": {"PipelineName": "old"},
    "DeleteTags": {"ResourceArn": ARN, "TagKeys": ["a"]},
    "DescribePipeline": {"PipelineName": "wine"},
    "DescribePipelineDefinitionForExecution": {"PipelineExecutionArn": "ENDED"},
    "DescribePipelineExecution": {"PipelineExecutionArn": "ENDED"},
    "ListPipelineExecutionSteps": {"PipelineExecutionArn": "ENDED"},
    "ListPipelineExecutions": {"PipelineName": "wine"},
    "ListPipelineParametersForExecution": {"PipelineExecutionArn": "ENDED"},
    "ListPipelineVersions": {"PipelineName": "wine"},
    "ListPipelines": {},
    "ListTags": {"ResourceArn": ARN},
    "SendPipelineExecutionStepFailure": {"CallbackToken": "TOKEN", "FailureReason": "bad"},
    "SendPipelineExecutionStepSuccess": {
        "CallbackToken": "TOKEN",
        "OutputParameters": [{"Name": "o", "Value": "v"}],
    },
    "StartPipelineExecution": {"PipelineName": "wine"},
    "StopPipelineExecution": {"PipelineExecutionArn": "RUNNING"},
    "UpdatePipeline": {"PipelineName": "wine", "PipelineDefinition": "DEFINITION"},
    "UpdatePipelineExecution": {
        "PipelineExecutionArn": "RUNNING",
        "PipelineExecutionDisplayName": "new",
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": 2},
    },
    "RetryPipelineExecution": {"PipelineExecutionArn": "FAILED", "ClientRequestToken": "r" * 32},
    "UpdatePipelineVersion": {
        "PipelineArn": ARN,
        "PipelineVersionId": 1,
        "PipelineVersionDisplayName": "one",
        "PipelineVersionAliasOperations": {"Add": ["prod"]},
    },
}


def test_all_operations_on_pipelines_are_served() -> None:
    assert set(OPERATIONS) >= PIPELINE_OPERATIONS
    assert set(REQUESTS) >= PIPELINE_OPERATIONS


async def scene(account: Any, callback: Any) -> dict[str, str]:
    """A pipeline with tags, an execution that has failed with all that a step can say, and one that waits."""
    condition = {
        "Name": "Which",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": {"Get": "Parameters.N"}}],
            "IfSteps": [callback("A", {"o": "String"}, DisplayName="First", Description="asks")],
            "ElseSteps": [],
        },
    }
    fail = {
        "Name": "No",
        "Type": "Fail",
        "DependsOn": ["A"],
        "Arguments": {"ErrorMessage": {"Std:Join": {"On": " ", "Values": [LONG, LONG]}}},
    }
    odd = {"ExperimentName": {"Get": "Parameters.Odd"}, "TrialName": "t-1"}
    parameters = [
        {"Name": "N", "Type": "Integer", "DefaultValue": 1},
        {"Name": "Odd", "Type": "String", "DefaultValue": "no name, this"},
    ]
    text = json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": parameters,
            "PipelineExperimentConfig": odd,
            "Steps": [condition, fail],
        }
    )
    for name in ("wine", "old"):
        account.engine.create_pipeline(name, text)
    await account.call("add_tags", ResourceArn=ARN, Tags=[{"Key": "k", "Value": "v"}])
    ended, failed, running = [await account.engine.start("wine", max_parallel=1) for _ in range(3)]
    tokens = {(each := await account.awaited()).execution: each.token for _ in range(3)}
    await account.call(
        "send_pipeline_execution_step_success",
        CallbackToken=tokens[ended],
        OutputParameters=[{"Name": "o", "Value": "x" * 1024}],
    )
    account.engine.callbacks.answer(tokens[failed], Failure(LONG))
    for arn in (ended, failed):
        assert (await account.engine.wait(arn)).status == "Failed"
    return {
        "ENDED": ended,
        "FAILED": failed,
        "RUNNING": running,
        "TOKEN": tokens[running],
        "DEFINITION": text,
    }


def filled(request: Any, names: dict[str, str]) -> Any:
    if isinstance(request, dict):
        return {key: filled(value, names) for key, value in request.items()}
    return names.get(request, request) if isinstance(request, str) else request


async def checked(account: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = await account.post(f"SageMaker.{operation}", json.dumps(request).encode())
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    body: dict[str, Any] = answer.json
    model: OperationModel = SERVICE.operation_model(operation)
    if model.output_shape is None:
        assert body == {}
        return body
    assert validate(operation, body, "response") == []
    parser: Any = create_parser("json")
    parsed = parser.parse(
        {"body": answer.body, "headers": answer.headers, "status_code": 200}, model.output_shape
    )
    assert set(parsed) - {"ResponseMetadata"} == set(body)
    return body


@pytest.mark.parametrize("operation", sorted(REQUESTS))
async def test_the_answer_has_the_shape_of_the_operation(account: Any, callback: Any, operation: str) -> None:
    names = await scene(account, callback)
    await checked(account, operation, filled(REQUESTS[operation], names))


async def test_what_a_step_can_say_has_its_shape(account: Any, callback: Any) -> None:
    names = await scene(account, callback)
    for arn in ("ENDED", "FAILED", "RUNNING"):
        request = {"PipelineExecutionArn": names[arn], "SortOrder": "Ascending"}
        told = await checked(account, "ListPipelineExecutionSteps", request)
        await checked(account, "DescribePipelineExecution", {"PipelineExecutionArn": names[arn]})
        steps = told["PipelineExecutionSteps"]
        assert [step["StepName"] for step in steps] == ["Which", "A", "No"][: len(steps)]
        assert steps[0]["Metadata"] == {"Condition": {"Outcome": "True"}}
        assert (steps[1]["StepDisplayName"], steps[1]["StepDescription"]) == ("First", "asks")
        if arn == "FAILED":
            assert steps[1]["FailureReason"] == f"ClientError: {LONG}"[:1024]
        if arn == "ENDED":
            assert steps[2]["Metadata"]["Fail"]["ErrorMessage"] == f"{LONG} {LONG}"[:3072]


@pytest.fixture(name="url", scope="module")
def _url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An engine in a thread of its own, with something to ask for."""
    home = tmp_path_factory.mktemp("home")
    opened: list[str] = []
    up, over = threading.Event(), threading.Event()

    async def serve() -> None:
        fail = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "wanted"}}
        async with Engine(Settings(home=home, runtime=Runtime.STUB), services=SERVICES, port=0) as engine:
            engine.create_pipeline("wine", json.dumps({"Version": "2020-12-01", "Steps": [fail]}))
            opened.extend((await engine.url(), await engine.start("wine")))
            up.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(30)
        yield " ".join(opened)
    finally:
        over.set()
        thread.join()


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([1 << 31, -(1 << 63), 1 << 70, 1e308, -0.0])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "\x00", "a" * 70_000, "*", "../..", "2026-01-01T00:00:00Z", "DROP TABLE"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def shaped(shape: Shape, known: list[str], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that are about what the shape wants, and sometimes not at all."""
    if depth > 4:
        return ANYTHING
    match shape.type:
        case "structure":
            every = {name: shaped(shape.member(name), known, depth + 1) for name in shape.members}
            needed = {name: every[name] for name in shape.required}
            rest = {name: each for name, each in every.items() if name not in needed}
            right: st.SearchStrategy[Any] = st.fixed_dictionaries(needed, optional=rest)
        case "list":
            right = st.lists(shaped(shape.element, known, depth + 1), max_size=3)
        case "map":
            right = st.dictionaries(st.text(max_size=4), shaped(shape.element, known, depth + 1), max_size=3)
        case "string":
            right = st.sampled_from([*known, *shape.traits.get("enum", ())[:3]])
        case "boolean":
            right = st.booleans()
        case "timestamp":
            right = st.sampled_from([0, 1.7e9, "2026-01-01", "2026-01-01T00:00:00+02:00", -1e18, "soon"])
        case _:
            right = st.integers(0, 100)
    return st.one_of(right, right, right, right, right, ANYTHING)


def sent(url: str, operation: str, body: bytes) -> tuple[int, bytes]:
    from http.client import HTTPConnection

    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/sagemaker/aws4_request",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"SageMaker.{operation}",
    }
    try:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_no_request_makes_an_operation_fail_in_an_odd_way(url: str, operation: str) -> None:
    address, execution = url.split()
    known = ["wine", ARN, execution, ROLE, "x" * 40, "", json.dumps({"Steps": []}), "prod", "s3://b/k"]
    bodies = shaped(request_shape(operation), known).map(lambda value: json.dumps(value).encode())

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(bodies | st.binary(max_size=20))
    def check(body: bytes) -> None:
        status, answer = sent(address, operation, body)
        assert status in {200, 400}, answer
        told = json.loads(answer)
        assert status == 200 or (told["__type"] and told["message"])
        assert b"Traceback" not in answer

    check()
