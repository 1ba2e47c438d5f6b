"""The real SageMaker SDK follows the logs of jobs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sagelocal.cloud.endpoint import Endpoint
from sagelocal.cloud.protocols.json_protocol import json_app
from sagelocal.cloud.protocols.service import Call, Service
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Job

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import Sdk, World

EXECUTION = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p/execution/abc123abc123"
PROGRAM = """
import time
import sagemaker.session
sagemaker.session.time.sleep = lambda seconds: None
clock = iter(range(0, 10**9, 31))
sagemaker.session.time.time = lambda: next(clock)
session = sagemaker.session.Session(default_bucket="bucket")
session.logs_for_job("train-1", wait=True)
session.logs_for_processing_job("process-1")
session.logs_for_transform_job("transform-1")
"""


class Jobs:
    """A training job with two instances that prints while it is looked at; the others have ended."""

    def __init__(self, world: World) -> None:
        self._logs = world.logs
        self._looked = 0
        self._training = Job(
            EXECUTION, "Train", StepType.TRAINING, 1, "train-1", {"ResourceConfig": {"InstanceCount": 2}}
        )
        for kind, name in ((StepType.PROCESSING, "process-1"), (StepType.TRANSFORM, "transform-1")):
            with world.logs.of(Job(EXECUTION, kind.value, kind, 1, name, {}), kind) as log:
                log.line(f"{name} did this")
                log.line(f"{name} did that")

    def training(self, call: Call) -> dict[str, Any]:
        self._looked += 1
        with self._logs.of(self._training, StepType.TRAINING) as log:
            log.line(f"[algo-1] epoch {self._looked}")
            log.line(f"[algo-2] epoch {self._looked} here, too")
        return {
            "TrainingJobName": call.arguments["TrainingJobName"],
            "TrainingJobStatus": "InProgress" if self._looked < 4 else "Completed",
            "SecondaryStatus": "Training" if self._looked < 4 else "Completed",
            "SecondaryStatusTransitions": [
                {"Status": "Training", "StartTime": 1.0, "StatusMessage": "going on"}
            ],
            "LastModifiedTime": 1.0,
            "ResourceConfig": {"InstanceCount": 2, "VolumeSizeInGB": 1, "InstanceType": "ml.m5.large"},
            "TrainingStartTime": 1.0,
            "TrainingEndTime": 2.0,
            "BillableTimeInSeconds": 1,
        }

    def processing(self, _: Call) -> dict[str, Any]:
        cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        return {"ProcessingJobStatus": "Completed", "ProcessingResources": {"ClusterConfig": cluster}}

    def transform(self, _: Call) -> dict[str, Any]:
        return {
            "TransformJobStatus": "Completed",
            "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
        }


async def test_the_sdk_prints_every_line_of_every_instance_once(world: World, sdk: Sdk) -> None:
    jobs = Jobs(world)
    table = {
        "DescribeTrainingJob": jobs.training,
        "DescribeProcessingJob": jobs.processing,
        "DescribeTransformJob": jobs.transform,
    }
    apps = {name: app() for name, app in world.around.apps().items()}
    apps["sagemaker"] = json_app(Service("sagemaker", table))

    async with Endpoint(ObjectStore(world.root / "s3"), apps) as endpoint:
        printed = await sdk(endpoint.url, PROGRAM)

    # The first line follows the job's status without a break.
    epochs = re.findall(r"epoch \d+(?: here, too)?$", printed, re.MULTILINE)
    assert sorted(epochs) == sorted(
        text for number in range(1, 5) for text in (f"epoch {number}", f"epoch {number} here, too")
    )
    assert [line for line in printed.splitlines() if " did " in line] == [
        "process-1 did this",
        "process-1 did that",
        "transform-1 did this",
        "transform-1 did that",
    ]
