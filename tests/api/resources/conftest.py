"""An engine whose jobs are played by stubs, reached by a boto3 client that holds every answer against its shape."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sagelocal.api import SERVICES
from sagelocal.engine import Engine, Stubs
from sagelocal.settings import Runtime, Settings
from sagelocal.shapes import operation_traits, validate

ROLE = "arn:aws:iam::000000000000:role/jobs"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/mine:1"
PREFIX = "arn:aws:sagemaker:us-east-1:000000000000:"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
TAGS = [{"Key": "team", "Value": "a"}]
METRIC = {"Name": "loss", "Regex": r"loss=([0-9.]+)"}


def _source(name: str) -> dict[str, Any]:
    return {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/{name}"}}}


def training(name: str, **more: Any) -> dict[str, Any]:
    """A CreateTrainingJob request."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [METRIC],
        },
        "RoleArn": ROLE,
        "InputDataConfig": [{"ChannelName": "train", **_source("train")}],
        "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
        "ResourceConfig": {**CLUSTER, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {"depth": "3"},
    } | more


def processing(name: str, **more: Any) -> dict[str, Any]:
    output = {"S3Uri": "s3://b/out", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": name,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["run"]},
        "ProcessingResources": {"ClusterConfig": {**CLUSTER, "VolumeSizeInGB": 10}},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
        "RoleArn": ROLE,
    } | more


def transform(name: str, model: str, **more: Any) -> dict[str, Any]:
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {**_source("rows"), "ContentType": "text/csv"},
        "TransformOutput": {"S3OutputPath": "s3://b/predictions"},
        "TransformResources": CLUSTER,
    } | more


def tuning(name: str, jobs: int = 2, **more: Any) -> dict[str, Any]:
    definition = {
        key: value for key, value in training("").items() if key not in {"TrainingJobName", "HyperParameters"}
    }
    eta = {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.9"}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [eta]},
        },
        "TrainingJobDefinition": definition,
    } | more


def auto_ml(name: str, **more: Any) -> dict[str, Any]:
    return {
        "AutoMLJobName": name,
        "InputDataConfig": [{**_source("table"), "TargetAttributeName": "y"}],
        "OutputDataConfig": {"S3OutputPath": "s3://b/auto"},
        "RoleArn": ROLE,
    } | more


def model(name: str, **more: Any) -> dict[str, Any]:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz", "Environment": {"A": "1"}}
    return {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": ROLE} | more


def package(**more: Any) -> dict[str, Any]:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}
    return {
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        }
    } | more


@dataclass
class Sage:
    """A client of an engine; what it is told must have the shape of the operation that was asked."""

    engine: Engine
    url: str
    answered: set[str] = field(default_factory=set)

    def client(self) -> Any:
        config = Config(retries={"total_max_attempts": 1})
        make: Any = boto3.client  # its type has one overload for each service
        client = make(
            "sagemaker",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=config,
        )
        client.meta.events.register("response-received.sagemaker", self._check)
        return client

    def _check(self, response_dict: Any, event_name: str, **_: Any) -> None:
        if response_dict["status_code"] != 200:
            return
        operation = event_name.rpartition(".")[2]
        self.answered.add(operation)
        body = json.loads(response_dict["body"])
        if "output" in operation_traits(operation):
            assert validate(operation, body, "response") == []
        else:
            assert body == {}

    async def call(self, operation: str, **request: Any) -> Any:
        client = self.client()
        try:
            answer = await asyncio.to_thread(getattr(client, operation), **request)
        finally:
            client.close()
        answer.pop("ResponseMetadata")
        return answer

    async def ended(self, operation: str, status: str, **request: Any) -> Any:
        """The answer of a Describe operation when the job has ended."""
        while True:
            answer = await self.call(operation, **request)
            if answer[status] not in {"InProgress", "Stopping"}:
                return answer
            await asyncio.sleep(0.05)

    async def trained(self, name: str) -> Any:
        return await self.ended("describe_training_job", "TrainingJobStatus", TrainingJobName=name)


@pytest.fixture(name="stubs")
def _stubs() -> dict[str, Any]:
    """What the stubs of jobs do, by name or pattern."""
    return {"slow*": {"duration": 600}, "bad*": {"exit_code": 3}, "*": {"logs": ["loss=0.25"]}}


@pytest.fixture(name="sage")
async def _sage(tmp_path: Path, stubs: dict[str, Any]) -> AsyncIterator[Sage]:
    settings = Settings(home=tmp_path, runtime=Runtime.STUB)
    made = Stubs.model_validate({"steps": stubs})
    async with Engine(settings, stubs=made, services=SERVICES, port=0) as engine:
        yield Sage(engine, await engine.url())


@pytest.fixture(name="sage_of")
def _sage_of() -> Callable[[Engine, str], Sage]:
    return Sage


class Requests:
    """Requests that are in order, by what they create."""

    training = staticmethod(training)
    processing = staticmethod(processing)
    transform = staticmethod(transform)
    tuning = staticmethod(tuning)
    auto_ml = staticmethod(auto_ml)
    model = staticmethod(model)
    package = staticmethod(package)


@pytest.fixture(name="make")
def _make() -> type[Requests]:
    return Requests
