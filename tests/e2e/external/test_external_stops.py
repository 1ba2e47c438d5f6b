"""What a stop does at each step of the pipeline (semantics 06 §6.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sagelocal.settings import FunctionRule
from sagelocal.store.views import ExecutionView, StepView

CODE = "s3://external-words/code"
WAITING_FUNCTION = """
import os, pathlib, time

def handler(event, context):
    print("begun", flush=True)
    while not pathlib.Path(os.environ["GO"]).exists():
        time.sleep(0.01)
    return {"lines": 3}
"""
WAITING_SPARK = """
import sys, time
from pyspark.sql import SparkSession

def count(_):
    print("begun", file=sys.stderr, flush=True)
    time.sleep(1000)

SparkSession.builder.getOrCreate().sparkContext.parallelize([1], 1).foreach(count)
"""
WAITING_SCRIPT = """
import signal, sys, time

def leave(number, frame):
    print("told to end", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
print("begun", flush=True)
time.sleep(1000)
"""


def function(folder: Path, **rule: Any) -> dict[str, FunctionRule]:
    code = folder / "waiting.py"
    code.write_text(WAITING_FUNCTION)
    environment = {"GO": str(folder / "go")}
    return {"write-text": FunctionRule(code=code, handler="handler", environment=environment, **rule)}


def script(folder: Path, name: str, text: str) -> dict[str, Path]:
    (folder / name).write_text(text)
    return {f"{CODE}/{name}": folder / name}


def statuses(view: ExecutionView) -> list[tuple[str, str]]:
    return [(step.name, step.status) for step in view.steps]


async def test_at_the_callback_the_queue_is_told_and_the_answer_is_waited_for(stage: Any) -> None:
    async with stage() as playing:
        await playing.start()
        first = await playing.message()
        playing.engine.stop(playing.arn)
        second = await playing.message()
        which = {"PipelineExecutionArn": playing.arn}
        described = await playing.call("sagemaker", "describe_pipeline_execution", **which)
        listed = await playing.call("sagemaker", "list_pipeline_execution_steps", **which)
        await playing.answer(second["token"])
        view = await playing.end()

    assert first["status"] == "Executing"
    assert second == {**first, "status": "Stopping"}
    assert described["PipelineExecutionStatus"] == "Stopping"
    assert [step["StepStatus"] for step in listed["PipelineExecutionSteps"]] == ["Stopping"]
    assert (view.status, statuses(view)) == ("Stopped", [("AskEditor", "Succeeded")])


async def test_at_the_lambda_its_end_is_waited_for(stage: Any, folder: Path) -> None:
    async with stage(functions=function(folder)) as playing:
        await playing.answered()
        await playing.line("WriteText", "begun")
        playing.engine.stop(playing.arn)
        await playing.status("WriteText", "Stopping")
        during, before = playing.engine.views.execution(playing.arn).status, playing.alive
        (folder / "go").touch()
        view = await playing.end()

    assert during == "Stopping"
    assert before
    assert playing.alive == []
    assert view.status == "Stopped"
    assert statuses(view) == [("AskEditor", "Succeeded"), ("WriteText", "Succeeded")]
    assert view.steps[1].properties == {"OutputParameters": {"lines": 3}}


async def test_a_lambda_that_times_out_while_it_is_stopped_fails_the_execution(
    stage: Any, folder: Path
) -> None:
    async with stage(functions=function(folder, timeout=2.0)) as playing:
        await playing.answered()
        await playing.line("WriteText", "begun")
        playing.engine.stop(playing.arn)
        await playing.status("WriteText", "Stopping")
        view = await playing.end()

    assert (view.status, statuses(view)[1]) == ("Failed", ("WriteText", "Failed"))
    assert "Task timed out after 2.00 seconds" in (view.steps[1].failure_reason or "")
    assert playing.alive == []


async def test_at_a_condition_that_waits_for_an_object_it_ends_at_once(stage: Any) -> None:
    async with stage() as playing:

        def stop(change: StepView | ExecutionView) -> None:
            # In the very turn in which the condition begins to wait for the report in S3.
            if isinstance(change, StepView) and (change.name, change.status) == ("WriteText", "Succeeded"):
                playing.engine.stop(playing.arn)

        playing.engine.subscribe(stop)
        await playing.answered()
        view = await playing.end()
        clusters = playing.clusters()

    assert view.status == "Stopped"
    assert statuses(view) == [("AskEditor", "Succeeded"), ("WriteText", "Succeeded")]
    assert clusters == []


async def test_at_spark_the_step_is_cancelled_and_its_cluster_terminated(
    stage: Any, folder: Path, spark_python: Path
) -> None:
    slow = script(folder, "word_count.py", WAITING_SPARK)
    async with stage(objects=slow, emr={"python": spark_python}) as playing:
        await playing.answered()
        await playing.line("CountWords", "begun")
        before = playing.alive
        view = await playing.stopped()
        [cluster] = playing.clusters()
    after, left = playing.alive, playing.left_in_jobs()

    count = view.steps[-1]
    assert (view.status, count.name, count.status) == ("Stopped", "CountWords", "Stopped")
    properties: Any = count.properties
    assert properties["Status"]["State"] == "CANCELLED"
    assert cluster["Id"] == count.metadata["EMR"]["ClusterId"]
    assert cluster["Status"]["State"] == "TERMINATED"
    assert cluster["Status"]["StateChangeReason"]["Code"] == "USER_REQUEST"
    assert before
    assert (after, left) == ([], [])


async def test_at_the_processing_job_it_gets_sigterm(stage: Any, folder: Path) -> None:
    slow = script(folder, "top_words.py", WAITING_SCRIPT)
    counts = {f"s3://external-words/{folder.name}/counts": {"part.csv": "word,count\nfish,6\n"}}
    stubs, more = {"CountWords": {"outputs": counts}}, {"steps": {"CountWords": {"runtime": "stub"}}}
    async with stage(objects=slow, stubs=stubs, **more) as playing:
        await playing.answered()
        await playing.line("TopWords", "begun")
        before = playing.alive
        view = await playing.stopped()
    after, left = playing.alive, playing.left_in_jobs()

    assert view.status == "Stopped"
    assert statuses(view)[3:] == [("CountWords", "Succeeded"), ("TopWords", "Stopped")]
    assert view.steps[-1].properties["ProcessingJobStatus"] == "Stopped"
    assert ("TopWords", "told to end") in playing.lines
    assert before
    assert (after, left) == ([], [])
