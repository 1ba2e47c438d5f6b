"""EMR and EMR Serverless steps without Spark: clusters, states, stubs, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Kind
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.settings import EmrSettings, Runtime, Settings
from sagelocal_executors.containers.stub import Stub, StubFailure, Stubs
from sagelocal_executors.emr import spark
from sagelocal_executors.emr.clusters import MOST_PENDING, Clusters
from sagelocal_executors.emr.lake import StoreLake
from sagelocal_executors.emr.programs import Programs
from sagelocal_executors.emr.serverless import EmrServerlessExecutor
from sagelocal_executors.emr.steps import EmrExecutor

if TYPE_CHECKING:
    from tests.executors.conftest import World

    CheckShape = Callable[[str, Mapping[str, Any]], None]

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
ROLE = "arn:aws:iam::000000000000:role/any"
JAR = {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://bucket/app.py"]}
INSTANCES = {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.xlarge"}]}
NO_PYTHON = Path("/nonexistent/python")
NO_SPARK = Settings(emr=EmrSettings(python=NO_PYTHON))
NO_STUBS = Stubs()


@dataclass
class HeldClock:
    """Time that stands still until somebody lets it pass."""

    sleeping: int = 0

    def __post_init__(self) -> None:
        self.passes = asyncio.Event()

    def now(self) -> float:
        return 1_700_000_000.0

    async def sleep(self, _: float) -> None:
        self.sleeping += 1
        try:
            await self.passes.wait()
        finally:
            self.sleeping -= 1


@dataclass
class Emr:
    """Executors that share clusters."""

    world: World
    stubs: Stubs = NO_STUBS
    settings: Settings = NO_SPARK
    clock: Any = None

    def __post_init__(self) -> None:
        self.clock = self.clock or self.world.clock
        self.clusters = Clusters(self.world.catalog, self.clock)

    @property
    def programs(self) -> Programs:
        world = self.world
        containers: Any = None  # nothing is run
        lake = StoreLake(world.store)
        return Programs(containers, world.objects, lake, self.settings, world.jobs, self.clock, self.stubs)

    async def run(self, job: Job) -> Outcome:
        world = self.world
        if job.kind is StepType.EMR:
            clusters, catalog = self.clusters, world.catalog
            return await EmrExecutor(self.programs, clusters, world.logs, catalog, self.clock).run(job)
        executor = EmrServerlessExecutor(
            self.programs, world.partition, world.logs, world.catalog, self.clock
        )
        return await executor.run(job)

    def state(self, kind: Kind, name: str) -> Any:
        entity = self.world.catalog.get(kind, name)
        assert entity, self.world.catalog.list(kind)
        answer: Any = entity.describe
        return answer["Status"]["State"] if "Status" in answer else answer["state"]


def step(name: str = "Step", **arguments: Any) -> Job:
    given = {"StepConfig": {"HadoopJarStep": JAR}, **arguments}
    return Job(EXECUTION, name, StepType.EMR, 1, f"pipelines-abcdefghijkl-{name}-0123456789", given)


def run_job(**arguments: Any) -> Job:
    driver = {"sparkSubmit": {"entryPoint": "s3://bucket/app.py"}}
    config = {"executionRoleArn": ROLE, "jobDriver": driver, **arguments.pop("JobConfig", {})}
    given = {"ExecutionRoleArn": ROLE, "JobConfig": config, **arguments}
    return Job(EXECUTION, "Step", StepType.EMR_SERVERLESS, 1, "pipelines-abcdefghijkl-Step-0", given)


def answer(outcome: Outcome) -> Any:
    return outcome.properties


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def test_without_pyspark_the_step_completes_and_the_log_says_that_nothing_was_run(world: World) -> None:
    outcome = await Emr(world).run(step(ClusterId="j-1ABC"))

    assert isinstance(outcome, Succeeded)
    assert "NOTHING WAS RUN" in world.log()
    assert "pip install 'sagelocal[spark]'" in world.log()
    assert "emr mock" in world.logs.where(EXECUTION, "Step")


async def test_a_step_is_described_as_emr_describes_it(world: World, check_emr: CheckShape) -> None:
    properties = [{"key": "a", "value": 1}, {"Key": "b", "Value": "2"}]
    jar = {"Jar": "s3://bucket/j.jar", "Args": ["x", 3], "MainClass": "M", "Properties": properties}
    job = step(StepConfig={"HadoopJarStep": jar}, ClusterId="j-1ABC", ExecutionRoleArn=ROLE)
    found = answer(await Emr(world).run(job))

    assert found["ClusterId"] == "j-1ABC"
    assert found["Config"] == {
        "Jar": "s3://bucket/j.jar",
        "Args": ["x", "3"],
        "MainClass": "M",
        "Properties": {"a": "1", "b": "2"},
    }
    assert found["Status"]["State"] == "COMPLETED"
    assert found["Id"].startswith("s-")
    assert len(found["Id"]) == 15
    check_emr("Step", {key: found[key] for key in found if key not in {"ClusterId", "LogFilePath"}})


async def test_a_named_cluster_is_there_at_its_first_use_and_waits_afterwards(
    world: World, check_emr: CheckShape
) -> None:
    emr = Emr(world)
    await emr.run(step(ClusterId="j-1ABC"))

    assert emr.state(Kind.EMR_CLUSTER, "j-1ABC") == "WAITING"
    check_emr("Cluster", world.catalog.list(Kind.EMR_CLUSTER)[0].describe)


async def test_a_cluster_of_a_configuration_ends_with_its_step(world: World, check_emr: CheckShape) -> None:
    emr = Emr(world)
    config = {"Instances": INSTANCES, "ReleaseLabel": "emr-7.5.0"}
    found = answer(await emr.run(step(ClusterConfig=config)))

    assert emr.state(Kind.EMR_CLUSTER, found["ClusterId"]) == "TERMINATED"
    check_emr("Cluster", world.catalog.list(Kind.EMR_CLUSTER)[0].describe)
    again = await Emr(world).run(step(ClusterConfig=config))
    assert answer(again)["ClusterId"] == found["ClusterId"], (
        "ids come from names, so that a replay gives the same"
    )


async def test_a_terminated_cluster_takes_no_steps_in_a_later_engine_either(world: World) -> None:
    made = answer(await Emr(world).run(step(ClusterConfig={"Instances": INSTANCES})))
    outcome = await Emr(world).run(step("Later", ClusterId=made["ClusterId"]))

    assert isinstance(outcome, Failed)
    assert f"cluster {made['ClusterId']} is TERMINATED" in outcome.reason


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"ClusterId": "j-1", "ClusterConfig": {"Instances": INSTANCES}},
        {"ClusterConfig": {"Applications": []}},
        {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {}}},
    ],
    ids=["no cluster", "two clusters", "no instances", "no jar"],
)
async def test_a_wrong_request_is_refused(world: World, arguments: Any) -> None:
    outcome = await Emr(world).run(step(**arguments))

    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("ClientError: Failed to invoke elasticmapreduce:")
    assert outcome.properties == {}


async def test_the_settings_decide_how_a_mocked_step_ends(world: World) -> None:
    settings = Settings(emr=EmrSettings(python=NO_PYTHON, outcome="INTERRUPTED"))
    outcome = await Emr(world, settings=settings).run(step(ClusterId="j-1ABC"))

    assert isinstance(outcome, Failed)
    assert "is INTERRUPTED" in outcome.reason
    assert answer(outcome)["Status"]["FailureDetails"]["LogFile"].endswith("Step.log")


@pytest.mark.parametrize("runtime", [Runtime.STUB, Runtime.AUTO])
async def test_a_stub_says_what_a_step_prints_writes_and_why_it_fails(world: World, runtime: Runtime) -> None:
    failure = StubFailure(reason="no more spot instances", error="Step.SERVICE_FAULT")
    outputs = {"s3://bucket/out/": {"part-0": "a", "n.json": {"n": 1}}}
    stub = Stub(failure=failure, fail_times=1, logs=("one", "two"), outputs=outputs)
    settings = Settings(runtime=runtime, emr=EmrSettings(python=NO_PYTHON))
    emr = Emr(world, Stubs(steps={"Step": stub}), settings)
    first = await emr.run(step(ClusterId="j-1ABC"))
    second = await emr.run(replace(step(ClusterId="j-1ABC"), attempt=2, name="another"))

    assert isinstance(first, Failed)
    assert (first.error, "no more spot instances" in first.reason) == ("Step.SERVICE_FAULT", True)
    assert isinstance(second, Succeeded)
    assert answer(first)["Id"] != answer(second)["Id"]
    assert world.keys("s3://bucket/out/") == ["out/n.json", "out/part-0"]
    assert "one\ntwo" in world.log()


async def test_steps_of_one_cluster_run_one_after_the_other(world: World) -> None:
    clock = HeldClock()
    emr = Emr(world, Stubs(steps={"*": Stub(duration=5)}), clock=clock)
    async with asyncio.TaskGroup() as group:
        here = [group.create_task(emr.run(step(f"Step{n}", ClusterId="j-1"))) for n in range(3)]
        group.create_task(emr.run(step("Elsewhere", ClusterId="j-2")))
        await until(lambda: emr.clusters.named("j-1").pending == 2 and clock.sleeping == 2)
        assert emr.state(Kind.EMR_CLUSTER, "j-1") == "RUNNING"
        clock.passes.set()

    assert all(isinstance(task.result(), Succeeded) for task in here)
    assert emr.state(Kind.EMR_CLUSTER, "j-1") == "WAITING"


async def test_a_cluster_holds_256_pending_steps_and_throttles_the_next(world: World) -> None:
    emr = Emr(world)
    cluster = emr.clusters.named("j-1")
    for _ in range(MOST_PENDING):
        emr.clusters.submit(cluster)
    outcome = await emr.run(step(ClusterId="j-1"))

    assert isinstance(outcome, Failed)
    assert outcome.error == "Step.THROTTLING"
    assert "256 pending steps" in outcome.reason


@pytest.mark.parametrize(
    ("action", "state"), [("TERMINATE_CLUSTER", "TERMINATED_WITH_ERRORS"), ("CANCEL_AND_WAIT", "WAITING")]
)
async def test_action_on_failure_reaches_the_steps_that_wait(world: World, action: str, state: str) -> None:
    clock = HeldClock()
    stubs = Stubs(steps={"Bad": Stub(duration=1, failure=StubFailure())})
    emr = Emr(world, stubs, clock=clock)
    bad = {"HadoopJarStep": JAR, "ActionOnFailure": action}
    async with asyncio.TaskGroup() as group:
        group.create_task(emr.run(step("Bad", ClusterId="j-1", StepConfig=bad)))
        await until(lambda: clock.sleeping == 1)
        waiting = group.create_task(emr.run(step("Waiting", ClusterId="j-1")))
        await until(lambda: emr.clusters.named("j-1").pending == 1)
        clock.passes.set()

    assert isinstance(waiting.result(), Failed)
    assert answer(waiting.result())["Status"]["State"] == "CANCELLED"
    assert emr.state(Kind.EMR_CLUSTER, "j-1") == state


@pytest.mark.parametrize("arguments", [{"ClusterId": "j-1"}, {"ClusterConfig": {"Instances": INSTANCES}}])
async def test_a_stopped_step_is_cancelled_and_its_own_cluster_terminated(
    world: World, arguments: Any
) -> None:
    clock = HeldClock()
    emr = Emr(world, Stubs(steps={"*": Stub(duration=5)}), clock=clock)
    task = asyncio.create_task(emr.run(step(**arguments)))
    await until(lambda: clock.sleeping == 1)
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert answer(outcome)["Status"]["State"] == "CANCELLED"
    expected = "WAITING" if "ClusterId" in arguments else "TERMINATED"
    assert emr.state(Kind.EMR_CLUSTER, answer(outcome)["ClusterId"]) == expected


async def test_a_step_stopped_while_it_waits_leaves_the_queue(world: World) -> None:
    clock = HeldClock()
    emr = Emr(world, Stubs(steps={"*": Stub(duration=5)}), clock=clock)
    running = asyncio.create_task(emr.run(step("First", ClusterId="j-1")))
    await until(lambda: clock.sleeping == 1)
    waiting = asyncio.create_task(emr.run(step("Second", ClusterId="j-1")))
    await until(lambda: emr.clusters.named("j-1").pending == 1)
    waiting.cancel()

    assert isinstance(await waiting, Stopped)
    assert emr.clusters.named("j-1").pending == 0
    clock.passes.set()
    assert isinstance(await running, Succeeded)


async def test_without_java_a_step_fails_and_says_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(_: Path) -> spark.Spark:
        return spark.Spark("3.5.0", Path("/nonexistent"))

    monkeypatch.setattr(spark, "find_spark", found)
    monkeypatch.setattr(spark, "find_java", lambda: None)
    outcome = await Emr(world).run(step(ClusterId="j-1"))

    assert isinstance(outcome, Failed)
    assert "openjdk-17-jre-headless" in outcome.reason


async def test_a_job_run_is_described_as_emr_serverless_describes_it(
    world: World, check_serverless: CheckShape
) -> None:
    emr = Emr(world)
    found = answer(await emr.run(run_job(ApplicationId="00abc", JobConfig={"name": "n", "tags": {"a": "b"}})))

    check_serverless("GetJobRunResponse", {"jobRun": found["jobRun"]})
    assert found["jobRun"]["state"] == "SUCCESS"
    assert (found["ApplicationId"], found["JobRunName"]) == ("00abc", "n")
    assert emr.state(Kind.EMR_APPLICATION, "00abc") == "STARTED"


async def test_an_application_of_a_configuration_is_stopped_after_its_run(
    world: World, check_serverless: CheckShape
) -> None:
    emr = Emr(world)
    config = {"name": "app", "releaseLabel": "emr-7.0.0", "type": "SPARK"}
    found = answer(await emr.run(run_job(ApplicationConfig=config)))

    application = world.catalog.list(Kind.EMR_APPLICATION)[0]
    assert application.name == found["ApplicationId"]
    assert emr.state(Kind.EMR_APPLICATION, application.name) == "STOPPED"
    check_serverless("Application", application.describe)
    assert found["jobRun"]["releaseLabel"] == "emr-7.0.0"


async def test_a_stopped_job_run_is_cancelled(world: World) -> None:
    clock = HeldClock()
    emr = Emr(world, Stubs(steps={"*": Stub(duration=5)}), clock=clock)
    task = asyncio.create_task(emr.run(run_job(ApplicationConfig={"type": "SPARK", "releaseLabel": "x"})))
    await until(lambda: clock.sleeping == 1)
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert answer(outcome)["jobRun"]["state"] == "CANCELLED"
    assert emr.state(Kind.EMR_APPLICATION, answer(outcome)["ApplicationId"]) == "STOPPED"


async def test_a_failed_job_run_fails_the_step(world: World) -> None:
    stubs = Stubs(steps={"Step": Stub(exit_code=3)})
    outcome = await Emr(world, stubs).run(run_job(ApplicationId="00abc"))

    assert isinstance(outcome, Failed)
    assert "is FAILED: exit code 3" in outcome.reason
    assert answer(outcome)["jobRun"]["state"] == "FAILED"


async def test_a_job_run_needs_one_application(world: World) -> None:
    outcome = await Emr(world).run(run_job())

    assert isinstance(outcome, Failed)
    assert "exactly one of ApplicationId and ApplicationConfig" in outcome.reason
