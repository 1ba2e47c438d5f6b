"""A pipeline with steps of EMR and EMR Serverless, through the engine, without Spark."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagelocal.engine import Engine
from sagelocal.errors import UsageError
from sagelocal.settings import Settings, load_settings

FIXTURE = Path(__file__).parents[2] / "fixtures" / "emr"


def settings(tmp_path: Path) -> Settings:
    found = load_settings(FIXTURE, {}, home=tmp_path / "home")
    return found.model_copy(update={"emr": found.emr.model_copy(update={"python": Path("/nonexistent")})})


async def test_the_steps_are_found_by_their_metadata(tmp_path: Path) -> None:
    async with Engine(settings(tmp_path)) as engine:
        engine.create_pipeline("words", (FIXTURE / "pipeline.json").read_text(encoding="utf-8"))
        view = await engine.wait(await engine.start("words"))

    cluster, serverless = view.steps
    assert view.status == "Succeeded"
    assert cluster.metadata == {
        "EMR": {
            "ClusterId": cluster.properties["ClusterId"],
            "StepId": cluster.properties["Id"],
            "StepName": cluster.properties["Name"],
            "LogFilePath": str(engine.logs.path(view.arn, "Count")),
        }
    }
    assert serverless.metadata == {
        "EMRServerless": {
            "ApplicationId": serverless.properties["ApplicationId"],
            "JobRunId": serverless.properties["JobRunId"],
            "JobRunName": "count-again",
            "LogFilePath": str(engine.logs.path(view.arn, "CountAgain")),
        }
    }
    assert {cluster.where, serverless.where} == {"emr mock · nothing is run"}


def test_the_interpreter_of_the_settings_counts_from_their_file(tmp_path: Path) -> None:
    (tmp_path / "sagelocal.toml").write_text('[emr]\npython = "venv/bin/python"\nduration = 2\n')

    assert load_settings(tmp_path, {}).emr.python == tmp_path / "venv/bin/python"


def test_an_unknown_outcome_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sagelocal.toml").write_text('[emr]\noutcome = "SUCCESS"\n')

    with pytest.raises(UsageError, match=r"emr\.outcome: Input should be 'COMPLETED'"):
        load_settings(tmp_path, {})
