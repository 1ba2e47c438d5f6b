"""Clarify's image in a plain Processing step: the model that its analysis names is there to be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.executors.checks.test_checks_with_models import CONFIG, PREDICTOR, Stage

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Succeeded
from sagelocal_executors.checks.plain import AnalysisExecutor
from sagelocal_executors.checks.shadow import Shadows

if TYPE_CHECKING:
    from tests.executors.checks.conftest import Desk


@pytest.fixture(name="stage")
def _stage(desk: Desk) -> Stage:
    stage = Stage(desk)
    stage.create_model("TheModel")
    desk.program = stage.program
    return stage


def job(stage: Stage, config: Any) -> Job:
    stage.desk.world.put("s3://bucket/config/analysis_config.json", json.dumps(config))
    place = {
        "S3Uri": "s3://bucket/config",
        "LocalPath": CONFIG,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    inputs = [{"InputName": "analysis_config", "S3Input": place}]
    made = stage.desk.job("MODEL_BIAS", arguments={"ProcessingInputs": inputs, "Environment": {"A": 1}})
    return replace(made, kind=StepType.PROCESSING, extras={})


def executor(stage: Stage) -> AnalysisExecutor:
    processing = stage.desk.processing()
    return AnalysisExecutor(processing, Shadows(processing, stage.desk.world.catalog, stage.invocations))


async def test_the_model_of_the_configuration_is_served_meanwhile(stage: Stage) -> None:
    outcome = await executor(stage).run(job(stage, {"predictor": {**PREDICTOR, "model_name": "TheModel"}}))

    assert isinstance(outcome, Succeeded), outcome
    assert stage.answers == ["5"]
    assert not stage.model.running
    assert outcome.properties["Environment"] == {"A": "1"}, "our variable is not the user's"


@pytest.mark.parametrize("config", [{}, {"predictor": None}, {"predictor": PREDICTOR}])
async def test_without_a_model_the_job_runs_alone(stage: Stage, config: Any) -> None:
    assert isinstance(await executor(stage).run(job(stage, config)), Succeeded)
    assert (stage.endpoints, stage.model.specs) == ([None], [])


async def test_a_model_that_is_not_there_fails_the_job_before_it_runs(stage: Stage) -> None:
    outcome = await executor(stage).run(job(stage, {"predictor": {**PREDICTOR, "model_name": "TheModl"}}))

    assert isinstance(outcome, Failed)
    assert "did you mean TheModel?" in outcome.reason
    assert stage.endpoints == []
