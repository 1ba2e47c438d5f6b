"""EMR steps on real Spark, in real sandboxes, over a real store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.clock import SystemClock
from sagelocal.cloud.catalog import Kind
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.names import S3Uri
from sagelocal.settings import EmrSettings, Settings
from sagelocal.values import JsonObject
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.containers.stub import Stubs
from sagelocal_executors.emr.clusters import Clusters
from sagelocal_executors.emr.lake import Lake, RemoteLake, StoreLake
from sagelocal_executors.emr.programs import Programs
from sagelocal_executors.emr.serverless import EmrServerlessExecutor
from sagelocal_executors.emr.spark import find_java
from sagelocal_executors.emr.steps import EmrExecutor

if TYPE_CHECKING:
    from tests.executors.conftest import World

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("SAGELOCAL_SPARK_PYTHON", ROOT / ".venv-spark/bin/python"))
EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
WORD_COUNT = (ROOT / "fixtures/emr/word_count.py").read_text(encoding="utf-8")
COUNTED = b"word,count\nblue,1\nfish,4\none,1\nred,1\ntwo,1\n"


@pytest.fixture(autouse=True)
def _spark() -> None:
    missing = [] if PYTHON.exists() else [f"{PYTHON} (make .venv-spark/.ready)"]
    missing += [] if find_java() else ["a Java runtime"]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"Spark tests not run, in CI they must: {', '.join(missing)} missing", pytrace=False)
    if missing:
        pytest.skip(f"Spark tests not run: {', '.join(missing)} missing")


@asynccontextmanager
async def programs(world: World, lake: Lake | None = None) -> AsyncIterator[Programs]:
    settings = Settings(emr=EmrSettings(python=PYTHON), stop_grace=5.0)
    containers = ProcessContainers(settings.model_copy(update={"python": PYTHON}), world.jobs)
    try:
        yield Programs(
            containers,
            world.objects,
            lake or StoreLake(world.store),
            settings,
            world.jobs,
            SystemClock(),
            Stubs(),
        )
    finally:
        await containers.close()


async def run(world: World, jar: str, *args: str, lake: Lake | None = None, **more: Any) -> Outcome:
    step = {"HadoopJarStep": {"Jar": jar, "Args": args, **more}}
    given: JsonObject = {"StepConfig": step, "ClusterId": "j-1ABC"}
    job = Job(EXECUTION, "Step", StepType.EMR, 1, "pipelines-abcdefghijkl-Step-0", given)
    async with programs(world, lake) as found:
        clusters = Clusters(world.catalog, world.clock)
        return await EmrExecutor(found, clusters, world.logs, world.catalog, world.clock).run(job)


def csv(world: World, prefix: str) -> bytes:
    keys = [key for key in world.keys(f"s3://bucket/{prefix}/") if key.endswith(".csv")]
    return b"".join(world.get(f"s3://bucket/{key}") for key in keys)


async def test_a_word_count_reads_and_writes_s3_uris(world: World) -> None:
    world.put("s3://bucket/code/word_count.py", WORD_COUNT)
    world.put("s3://bucket/text/a.txt", "one fish two fish\n")
    world.put("s3://bucket/text/b.txt", "red fish blue fish\n")
    submit = (
        "spark-submit",
        "--master",
        "yarn",
        "--deploy-mode",
        "cluster",
        "s3://bucket/code/word_count.py",
    )
    places = ("--input", "s3://bucket/text/", "--output", "s3a://bucket/counts", "--report", "s3://reports/n")
    outcome = await run(world, "command-runner.jar", *submit, *places)

    assert isinstance(outcome, Succeeded), world.log()
    assert csv(world, "counts") == COUNTED
    assert [key.rsplit(".", 1)[-1] for key in world.keys("s3://reports/n/")] == ["n/_SUCCESS", "json"]
    assert not [key for key in world.keys("s3://bucket/") if key.endswith(".crc") or "_temporary" in key]
    assert "Spark runs on this machine, without --master yarn --deploy-mode cluster" in world.log()
    assert "counted 5 words" in world.log()
    assert " finished in " in world.log(), "progress"
    assert "process · spark" in world.logs.where(EXECUTION, "Step")
    assert list(world.jobs.iterdir()) == []


async def test_a_job_run_of_emr_serverless_counts_words_too(world: World) -> None:
    world.put("s3://bucket/code/word_count.py", WORD_COUNT)
    world.put("s3://bucket/text/a.txt", "one fish two fish red fish blue fish")
    submit: JsonObject = {
        "entryPoint": "s3://bucket/code/word_count.py",
        "entryPointArguments": ["--input", "s3://bucket/text/a.txt", "--output", "s3://bucket/counts"],
        "sparkSubmitParameters": "--conf spark.executor.cores=1 --conf spark.dynamicAllocation.enabled=true",
    }
    config: JsonObject = {"executionRoleArn": "r", "jobDriver": {"sparkSubmit": submit}}
    given: JsonObject = {"ApplicationId": "00abc", "JobConfig": config}
    job = Job(EXECUTION, "Step", StepType.EMR_SERVERLESS, 1, "pipelines-abcdefghijkl-Step-0", given)
    async with programs(world) as found:
        executor = EmrServerlessExecutor(found, world.partition, world.logs, world.catalog, world.clock)
        outcome = await executor.run(job)

    assert isinstance(outcome, Succeeded), world.log()
    assert csv(world, "counts") == COUNTED


async def test_a_script_runs_as_on_the_primary_node(world: World) -> None:
    world.put("s3://bucket/run.sh", 'echo "got $1"; command -v spark-submit; exit 7')
    outcome = await run(
        world,
        "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar",
        "s3://bucket/run.sh",
        "it",
    )

    assert isinstance(outcome, Failed)
    assert "got it\n/opt/sagelocal/emr/spark-submit" in world.log()
    assert "exit code: 7" in outcome.reason
    assert outcome.error == "AlgorithmError"


async def test_a_program_that_raises_fails_the_step_with_its_error(world: World) -> None:
    world.put(
        "s3://bucket/bad.py", "import sys\nprint('in', sys.argv[1])\nraise ValueError('no such column')\n"
    )
    outcome = await run(world, "s3://bucket/bad.py", "x")

    assert isinstance(outcome, Failed), world.log()
    assert "ValueError: no such column, exit code: 1" in outcome.reason
    status: Any = outcome.properties["Status"]
    assert (status["State"], status["FailureDetails"]["Message"]) == (
        "FAILED",
        "ValueError: no such column, exit code: 1",
    )


async def test_a_missing_script_fails_the_step(world: World) -> None:
    outcome = await run(world, "script-runner.jar", "s3://bucket/none.sh")

    assert isinstance(outcome, Failed)
    assert "there is no object s3://bucket/none.sh" in outcome.reason


async def test_a_stop_ends_the_program_and_leaves_nothing(world: World) -> None:
    task = asyncio.create_task(run(world, "command-runner.jar", "bash", "-c", "echo begun; sleep 1000"))
    async with asyncio.timeout(60):
        while "\nbegun" not in world.log():
            await asyncio.sleep(0.05)
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    status: Any = outcome.properties["Status"]
    assert status["State"] == "CANCELLED"
    cluster: Any = world.catalog.list(Kind.EMR_CLUSTER)[0].describe
    assert cluster["Status"]["State"] == "WAITING"
    assert list(world.jobs.iterdir()) == []


async def test_buckets_elsewhere_are_copied_before_and_what_has_changed_is_uploaded_after(
    world: World,
) -> None:
    world.put("s3://bucket/in/a.txt", "a")
    world.put("s3://bucket/other.txt", "not mentioned")
    script = "cd /opt/sagelocal/s3/bucket && ls -R && mkdir -p out && cp in/a.txt out/b.txt"
    outcome = await run(
        world, "command-runner.jar", "bash", "-c", script, "s3://bucket/in/", lake=RemoteLake(world.objects)
    )

    assert isinstance(outcome, Succeeded), world.log()
    assert world.keys("s3://bucket/") == ["in/a.txt", "other.txt", "out/b.txt"]
    assert "other.txt" not in world.log()


async def test_a_jar_runs_by_its_main_class(world: World) -> None:
    jar = next((PYTHON.parent.parent / "lib").glob("python3*/site-packages/pyspark/jars/slf4j-api-*.jar"))
    world.store.put_file(S3Uri("bucket", "app.jar"), jar)
    outcome = await run(world, "s3://bucket/app.jar", MainClass="org.apache.hadoop.util.VersionInfo")

    assert isinstance(outcome, Succeeded), world.log()
    assert "\nHadoop 3." in world.log()
