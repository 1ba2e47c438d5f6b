"""Transform steps that a stub plays."""

from __future__ import annotations

from typing import Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.errors import UsageError
from sagelocal.jobs import Failed, Succeeded
from sagelocal_executors.containers.stub import Stub, StubContainers, StubFailure, Stubs


def stubbed(transforming: Any, stub: Stub) -> Any:
    containers = StubContainers(Stubs(steps={"Step": stub}), SystemClock())
    return transforming.executor(containers, stubbed=lambda step: step == "Step")


async def test_neither_model_nor_data_need_exist(transforming: Any, check_shape: Any) -> None:
    job = transforming.job(ModelName="nowhere")

    outcome = await stubbed(transforming, Stub()).run(job)

    assert isinstance(outcome, Succeeded)
    check_shape("DescribeTransformJobResponse", outcome.properties)
    assert outcome.properties["TransformJobStatus"] == "Completed"
    assert "TransformStartTime" in outcome.properties
    assert list(transforming.outputs()) == ["sagelocal-stub.txt"]
    assert "goes on without" in transforming.log()


async def test_each_object_gets_the_placeholder_of_an_output(transforming: Any) -> None:
    for name in ("a.csv", "sub/b.csv"):
        transforming.put(name, "1\n")

    outcome = await stubbed(transforming, Stub()).run(transforming.job())

    assert isinstance(outcome, Succeeded)
    assert list(transforming.outputs()) == ["a.csv.out", "sub/b.csv.out"]
    assert all(b"stub" in text for text in transforming.outputs().values())


async def test_a_stub_gives_outputs_and_lines(transforming: Any) -> None:
    transforming.put("a.csv", "1\n")
    transforming.put("b.csv", "2\n")
    stub = Stub(outputs={"transform": {"a.csv.out": "0.5\n", "extra.json": {"x": 1}}}, logs=("scoring",))

    await stubbed(transforming, stub).run(transforming.job())

    outputs = transforming.outputs()
    assert outputs["a.csv.out"] == b"0.5\n"
    assert outputs["extra.json"] == b'{"x": 1}'
    assert b"stub" in outputs["b.csv.out"]
    assert "scoring" in transforming.log().splitlines()


async def test_a_stub_that_fails_leaves_no_outputs(transforming: Any, check_shape: Any) -> None:
    transforming.put("a.csv", "1\n")
    stub = Stub(failure=StubFailure(reason="no such feature"))

    outcome = await stubbed(transforming, stub).run(transforming.job())

    assert isinstance(outcome, Failed)
    assert outcome.properties["FailureReason"] == "AlgorithmError: no such feature, exit code: 1"
    check_shape("DescribeTransformJobResponse", outcome.properties)
    assert transforming.outputs() == {}


async def test_an_output_that_there_is_not_is_named(transforming: Any) -> None:
    stub = Stub(outputs={"transfrom": {"a.csv.out": ""}})

    with pytest.raises(UsageError, match="did you mean 'transform'"):
        await stubbed(transforming, stub).run(transforming.job())


async def test_a_wrong_request_is_refused_all_the_same(transforming: Any) -> None:
    outcome = await stubbed(transforming, Stub()).run(transforming.job(MaxPayloadInMB=200))

    assert isinstance(outcome, Failed)
    assert "MaxPayloadInMB" in outcome.reason
