"""Check steps of whole pipelines in the stub runtime, where nothing needs to be there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sagelocal.engine import Engine
from sagelocal.settings import Runtime, Settings
from sagelocal.store.views import ExecutionView, StepView
from sagelocal_executors import Stubs

GENERATED = Path(__file__).parents[3] / "fixtures" / "corpus" / "generated"

CheckShape = Callable[[str, Mapping[str, Any]], None]


async def run(home: Path, definition: str, stubs: dict[str, Any] | None = None) -> ExecutionView:
    settings = Settings(home=home, runtime=Runtime.STUB)
    async with Engine(settings, stubs=Stubs.model_validate({"steps": stubs or {}})) as engine:
        engine.create_pipeline("p", definition)
        return await engine.wait(await engine.start("p"))


def generated(name: str) -> str:
    return (GENERATED / f"{name}.json").read_text(encoding="utf-8")


def step_of(view: ExecutionView, name: str) -> StepView:
    return next(step for step in view.steps if step.name == name)


def read(home: Path, uri: object) -> Any:
    return json.loads((home / "s3" / str(uri).removeprefix("s3://")).read_text())


async def test_a_monitored_batch_transform_is_transform_and_check(tmp_path: Path) -> None:
    view = await run(tmp_path, generated("monitor_batch_transform"))

    assert view.status == "Succeeded"
    assert [step.name for step in view.steps] == ["MBT-monitoring", "MBT-transform"]
    assert view.steps[0].where == "stub"


async def test_later_steps_get_results_that_exist(tmp_path: Path, check_shape: CheckShape) -> None:
    view = await run(tmp_path, generated("qualitycheck_data_and_model"))

    assert view.status == "Succeeded", [step.failure_reason for step in view.steps]
    data, model = step_of(view, "DQ").metadata["QualityCheck"], step_of(view, "MQ").metadata["QualityCheck"]
    assert isinstance(data, Mapping)
    assert isinstance(model, Mapping)
    for metadata in (data, model):
        check_shape("QualityCheckStepMetadata", metadata)
    assert data["BaselineUsedForDriftCheckStatistics"] == "s3://my-bucket/s.json"
    assert model["BaselineUsedForDriftCheckStatistics"] == "s3://my-bucket/mq/statistics.json"
    assert read(tmp_path, data["CalculatedBaselineStatistics"])["features"] == []
    assert read(tmp_path, model["CalculatedBaselineConstraints"])["binary_classification_constraints"] == {}
    package: Any = step_of(view, "Reg-RegisterModel").properties
    assert (
        package["ModelMetrics"]["ModelDataQuality"]["Statistics"]["S3Uri"]
        == "s3://my-bucket/dq/statistics.json"
    )


async def test_every_clarify_check_leaves_an_analysis(tmp_path: Path, check_shape: CheckShape) -> None:
    view = await run(tmp_path, generated("clarifycheck_three_types"))

    assert view.status == "Succeeded", [step.failure_reason for step in view.steps]
    found = {}
    for step in view.steps:
        metadata = step.metadata["ClarifyCheck"]
        assert isinstance(metadata, Mapping)
        check_shape("ClarifyCheckStepMetadata", metadata)
        found[step.name] = list(read(tmp_path, metadata["CalculatedBaselineConstraints"]))
    assert found == {
        "DataBias": ["version", "pre_training_bias_metrics"],
        "ModelBias": ["version", "post_training_bias_metrics"],
        "Expl": ["version", "explanations"],
    }


VIOLATION = {"feature_name": "age", "constraint_check_type": "completeness_check", "description": "0.7 < 1.0"}


@pytest.mark.parametrize(
    ("given", "told"), [(True, "made this violation up"), ([VIOLATION], "age: 0.7 < 1.0")]
)
async def test_a_stub_may_violate(tmp_path: Path, given: Any, told: str) -> None:
    view = await run(tmp_path, generated("qualitycheck_data_and_model"), {"DQ": {"violations": given}})

    assert view.status == "Failed"
    step = step_of(view, "DQ")
    report = "s3://my-bucket/dq/constraint_violations.json"
    assert step.failure_reason == f"ClientError: Quality check failed. See violation report {report}"
    metadata: Any = step.metadata["QualityCheck"]
    assert metadata["ViolationReport"] == report
    assert len(read(tmp_path, report)["violations"]) == 1
    assert told in (tmp_path / "logs" / view.id / "DQ.log").read_text()
    assert "Reg-RegisterModel" not in [step.name for step in view.steps]


async def test_violations_of_a_stub_do_not_fail_a_step_that_allows_them(tmp_path: Path) -> None:
    view = await run(tmp_path, generated("monitor_batch_transform"), {"MBT-*": {"violations": True}})

    assert view.status == "Succeeded"
    metadata: Any = step_of(view, "MBT-monitoring").metadata["QualityCheck"]
    assert metadata["ViolationReport"] == "s3://my-bucket/dq/constraint_violations.json"


async def test_what_a_stub_writes_is_kept(tmp_path: Path) -> None:
    outputs = {"quality_check_output": {"statistics.json": {"mine": True}, "more.txt": "x"}}
    view = await run(tmp_path, generated("monitor_batch_transform"), {"MBT-monitoring": {"outputs": outputs}})

    assert view.status == "Succeeded"
    assert read(tmp_path, "s3://my-bucket/dq/statistics.json") == {"mine": True}
    assert read(tmp_path, "s3://my-bucket/dq/constraints.json")["features"] == []


async def test_a_stub_that_fails_leaves_the_reason_of_the_job(tmp_path: Path) -> None:
    stubs = {"MBT-monitoring": {"failure": {"reason": "no data today"}}}
    view = await run(tmp_path, generated("monitor_batch_transform"), stubs)

    assert view.status == "Failed"
    assert "AlgorithmError: no data today" in (view.steps[0].failure_reason or "")
