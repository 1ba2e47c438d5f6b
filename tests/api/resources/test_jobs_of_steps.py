"""Jobs that steps have created, as a client sees them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


async def _start(sage: Any, name: str, type_: str, request: dict[str, Any], own: str) -> str:
    arguments = {key: value for key, value in request.items() if key != own}
    definition = {"Version": "2020-12-01", "Steps": [{"Name": name, "Type": type_, "Arguments": arguments}]}
    sage.engine.create_pipeline("wine", json.dumps(definition))
    return str(await sage.engine.start("wine"))


async def _job(sage: Any, operation: str, member: str, name: str) -> str:
    """The name of the first job that is listed."""
    while not (listed := (await sage.call(operation))[member]):
        await asyncio.sleep(0.02)
    return str(listed[0][name])


async def test_a_job_of_a_step_is_described_while_it_runs(sage: Any, make: Any) -> None:
    arn = await _start(sage, "slow-Train", "Training", make.training(""), "TrainingJobName")
    name = await _job(sage, "list_training_jobs", "TrainingJobSummaries", "TrainingJobName")
    told = await sage.call("describe_training_job", TrainingJobName=name)
    assert told["TrainingJobStatus"] == "InProgress"
    sage.engine.stop(arn)
    await sage.engine.wait(arn)
    assert (await sage.trained(name))["TrainingJobStatus"] == "Stopped"


async def test_a_step_fails_whose_job_was_stopped_from_outside(sage: Any, make: Any) -> None:
    arn = await _start(sage, "slow-Prep", "Processing", make.processing(""), "ProcessingJobName")
    name = await _job(sage, "list_processing_jobs", "ProcessingJobSummaries", "ProcessingJobName")
    await sage.call("stop_processing_job", ProcessingJobName=name)
    view = await sage.engine.wait(arn)
    [step] = view.steps
    assert (view.status, step.status) == ("Failed", "Failed")
    assert step.failure_reason == f"ClientError: ProcessingJob {name} was stopped by StopProcessingJob"
    told = await sage.call("describe_processing_job", ProcessingJobName=name)
    assert told["ProcessingJobStatus"] == "Stopped"


async def test_a_training_job_of_a_tuning_job_is_not_stopped_alone(sage: Any, make: Any) -> None:
    await sage.call("create_hyper_parameter_tuning_job", **make.tuning("slow-tune", 1))
    name = await _job(sage, "list_training_jobs", "TrainingJobSummaries", "TrainingJobName")
    with pytest.raises(ClientError, match=r"ValidationException.*cannot be stopped by itself"):
        await sage.call("stop_training_job", TrainingJobName=name)
    await sage.call("stop_hyper_parameter_tuning_job", HyperParameterTuningJobName="slow-tune")
    assert (await sage.trained(name))["TrainingJobStatus"] == "Stopped"
