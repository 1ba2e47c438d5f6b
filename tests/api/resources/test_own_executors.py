"""Jobs that executors of one's own run, whatever these do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.api import SERVICES
from sagelocal.clock import iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.definition.steps import StepType
from sagelocal.engine import Engine
from sagelocal.errors import MachineError
from sagelocal.jobs import Job, Outcome, Succeeded
from sagelocal.settings import Runtime, Settings
from sagelocal.values import JsonObject

ARN = "arn:aws:sagemaker:us-east-1:000000000000:automl-job/"


def describe(job: Job, status: str) -> JsonObject:
    return {
        **job.arguments,
        "AutoMLJobName": job.name,
        "AutoMLJobArn": ARN + job.name,
        "AutoMLJobStatus": status,
        "AutoMLJobSecondaryStatus": "Starting" if status == "InProgress" else status,
        "CreationTime": iso(1_700_000_000),
        "LastModifiedTime": iso(1_700_000_000),
    }


class Own:
    """Does what the test says."""

    def __init__(self) -> None:
        self.catalog: Catalog | None = None
        self.act: Callable[[Job], Any] = self.answer

    async def run(self, job: Job) -> Outcome:
        outcome: Outcome = await self.act(job)
        return outcome

    async def answer(self, job: Job) -> Outcome:
        return Succeeded(describe(job, "Completed"))

    async def wait(self, job: Job) -> Outcome:
        self.record(job)
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def fail(self, job: Job) -> Outcome:
        self.record(job)
        raise ZeroDivisionError

    async def lack(self, _: Job) -> Outcome:
        raise MachineError("there is no such machine")

    def record(self, job: Job) -> None:
        assert self.catalog
        self.catalog.put(Entity(Kind.AUTO_ML_JOB, job.name, 1.0, describe(job, "InProgress")))


@pytest.fixture(name="own")
def _own() -> Own:
    return Own()


@pytest.fixture(name="sage")
async def _sage(tmp_path: Path, own: Own, sage_of: Callable[..., Any]) -> AsyncIterator[Any]:
    settings = Settings(home=tmp_path, runtime=Runtime.STUB)
    async with Engine(settings, executors={StepType.AUTO_ML: own}, services=SERVICES, port=0) as engine:
        own.catalog = engine.catalog
        yield sage_of(engine, await engine.url())


async def _ended(sage: Any) -> Any:
    return await sage.ended("describe_auto_ml_job", "AutoMLJobStatus", AutoMLJobName="a")


async def test_what_it_answers_is_kept(sage: Any, make: Any) -> None:
    await sage.call("create_auto_ml_job", **make.auto_ml("a"))
    assert (await _ended(sage))["AutoMLJobStatus"] == "Completed"


async def test_what_it_lets_pass_is_recorded_as_stopped(sage: Any, make: Any, own: Own) -> None:
    own.act = own.wait
    await sage.call("create_auto_ml_job", **make.auto_ml("a"))
    await sage.call("stop_auto_ml_job", AutoMLJobName="a")
    told = await _ended(sage)
    assert (told["AutoMLJobStatus"], told["AutoMLJobSecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in told


async def test_its_bug_fails_the_job(
    sage: Any, make: Any, own: Own, caplog: pytest.LogCaptureFixture
) -> None:
    own.act = own.fail
    await sage.call("create_auto_ml_job", **make.auto_ml("a"))
    assert (await _ended(sage))["FailureReason"].startswith("InternalServerError: a bug of sagelocal")
    assert "ZeroDivisionError" in caplog.text


async def test_what_the_machine_lacks_is_told_at_once(sage: Any, make: Any, own: Own) -> None:
    own.act = own.lack
    with pytest.raises(ClientError, match=r"ValidationException.*: there is no such machine"):
        await sage.call("create_auto_ml_job", **make.auto_ml("a"))


async def test_leaving_the_engine_stops_what_runs(tmp_path: Path, make: Any, own: Own) -> None:
    settings = Settings(home=tmp_path / "other", runtime=Runtime.STUB)
    own.act = own.wait
    async with Engine(settings, executors={StepType.AUTO_ML: own}, services=SERVICES, port=0) as engine:
        own.catalog = engine.catalog
        from sagelocal.cloud.job_records import AUTO_ML

        await engine.jobs.create(AUTO_ML, "a", make.auto_ml("a"))
    async with Engine(settings) as engine:
        found = engine.catalog.get(Kind.AUTO_ML_JOB, "a")
        assert found
        assert found.describe["AutoMLJobStatus"] == "Stopped"
        assert engine.catalog.list(Kind.DIRECT_JOB) == ()
