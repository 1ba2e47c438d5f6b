"""What a question over HTTP costs while an engine is busy."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from typing import Any

import boto3
from botocore.config import Config
from tests.benchmarks.measure import ROLE, Row, fan_out

from sagelocal.api import SERVICES
from sagelocal.definition.steps import StepType
from sagelocal.engine import Engine
from sagelocal.jobs import Job, Outcome, Succeeded
from sagelocal.settings import Runtime, Settings

STEPS = 2000
ROUNDS = 20


class Half:
    """An executor that lets every second step wait."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def run(self, job: Job) -> Outcome:
        if int(job.step[1:]) % 2:
            await self.go.wait()
        return Succeeded(
            {"ModelName": job.name, "ModelArn": f"arn:aws:sagemaker:us-east-1:000000000000:model/{job.name}"}
        )


def _client(url: str) -> Any:
    make: Any = boto3.client  # its type has one overload for each service
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    return make("sagemaker", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}), **keys)


async def _taken(call: Callable[[], Any]) -> float:
    """Milliseconds of one call in a thread, as a client in another process would make it."""

    def timed() -> float:
        begin = time.perf_counter()
        call()
        return (time.perf_counter() - begin) * 1000

    return await asyncio.to_thread(timed)


async def listing() -> AsyncIterator[Row]:
    """ListPipelineExecutionSteps of a large execution, against the smallest question there is."""
    with tempfile.TemporaryDirectory() as home:
        half = Half()
        settings = Settings(home=Path(home), runtime=Runtime.STUB)
        async with Engine(settings, executors={StepType.MODEL: half}, services=SERVICES, port=0) as house:
            client = _client(await house.url())
            request = {"PipelineName": "large", "RoleArn": ROLE, "PipelineDefinition": fan_out(STEPS)}
            await asyncio.to_thread(lambda: client.create_pipeline(**request))
            arn = await house.start("large")

            def ask() -> None:
                assert (
                    len(
                        client.list_pipeline_execution_steps(PipelineExecutionArn=arn)[
                            "PipelineExecutionSteps"
                        ]
                    )
                    == 100
                )

            for moment in ("while it runs", "after its end"):
                while sum(step.ended is not None for step in house.views.execution(arn).steps) < STEPS // 2:
                    await asyncio.sleep(0.01)
                taken = [
                    (await _taken(ask), await _taken(lambda: client.list_tags(ResourceArn=arn)))
                    for _ in range(ROUNDS)
                ]
                ours, floor = median(each for each, _ in taken), median(each for _, each in taken)
                yield Row(
                    f"ListPipelineExecutionSteps of {STEPS:,} steps, {moment}",
                    ours,
                    floor=floor,
                    promise="≤ 50 ms",
                    kept=ours <= 50,
                    note="floor: ListTags",
                )
                half.go.set()
                await house.wait(arn)
            client.close()
