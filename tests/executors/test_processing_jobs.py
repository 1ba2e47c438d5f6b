"""Processing jobs, from the request to the Describe answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.definition.steps import PropertyFile
from sagelocal.jobs import Failed, Stopped, Succeeded
from sagelocal_executors.containers import ContainerSpec, Exit, ImageMissingError

if TYPE_CHECKING:
    from tests.executors.conftest import Box, World

    CheckShape = Callable[[str, Mapping[str, Any]], None]

IN = "/opt/ml/processing/input"
OUT = "/opt/ml/processing/output"


def input_of(uri: str, path: str = IN, **keys: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File", **keys}
    return {"InputName": "data", "AppManaged": False, "S3Input": s3}


def output_to(uri: str, path: str = OUT, mode: str = "EndOfJob", name: str = "result") -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3UploadMode": mode}
    return {"OutputName": name, "AppManaged": False, "S3Output": s3}


def outputs(*items: dict[str, Any]) -> dict[str, Any]:
    return {"ProcessingOutputConfig": {"Outputs": list(items)}}


def cluster(count: int) -> dict[str, Any]:
    return {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}}


async def test_outputs_move_to_s3_with_their_relative_paths(world: World) -> None:
    def program(box: Box) -> None:
        box.write(f"{OUT}/a.csv", "1")
        box.write(f"{OUT}/deep/er/b.csv", "2")

    await world.process(program, **outputs(output_to("s3://bucket/out")))

    assert world.keys("s3://bucket/") == ["out/a.csv", "out/deep/er/b.csv"]


async def test_output_folders_exist_before_the_container_starts(world: World) -> None:
    def program(box: Box) -> int:
        return 0 if box.path(OUT).is_dir() else 1

    assert isinstance(await world.process(program, **outputs(output_to("s3://bucket/out"))), Succeeded)
    assert world.keys("s3://bucket/") == []


async def test_a_link_in_an_output_is_not_followed(world: World) -> None:
    def program(box: Box) -> None:
        box.write(f"{OUT}/real", "1")
        box.path(f"{OUT}/link").symlink_to("/etc/hostname")

    await world.process(program, **outputs(output_to("s3://bucket/out")))

    assert world.keys("s3://bucket/") == ["out/real"]


async def test_outputs_inside_each_other_both_get_their_files(world: World) -> None:
    def program(box: Box) -> None:
        box.write(f"{OUT}/train/a", "1")

    both = outputs(output_to("s3://bucket/all"), output_to("s3://bucket/train", f"{OUT}/train", name="train"))
    await world.process(program, **both)

    assert world.keys("s3://bucket/") == ["all/train/a", "train/a"]


async def test_the_container_finds_its_configuration(world: World) -> None:
    configs: list[Any] = []

    def program(box: Box) -> None:
        folder = "/opt/ml/config"
        configs.extend(
            [box.json(f"{folder}/processingjobconfig.json"), box.json(f"{folder}/resourceconfig.json")]
        )

    await world.process(program, ProcessingResources=cluster(1), Environment={"A": 1})

    job, resources = configs
    assert job["AppSpecification"]["ContainerArguments"] is None
    assert job["ProcessingJobName"].startswith("pipelines-")
    assert job["Environment"] == {"A": "1"}
    assert resources["current_host"] == "algo-1"
    assert resources["hosts"] == ["algo-1"]


async def test_entrypoint_arguments_and_environment_reach_the_container_as_texts(world: World) -> None:
    specs: list[ContainerSpec] = []
    await world.process(
        lambda box: specs.append(box.spec),
        AppSpecification={"ImageUri": "i", "ContainerArguments": ["--n", 3, "--flag", True]},
        Environment={"RATE": 0.5},
        NetworkConfig={"EnableNetworkIsolation": True},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )

    (spec,) = specs
    assert (spec.entrypoint, spec.command) == (None, ("--n", "3", "--flag", "true"))
    assert (spec.env["RATE"], spec.env["AWS_REGION"]) == ("0.5", "us-east-1")
    assert (spec.network, spec.limits.seconds, spec.limits.grace) == (False, 60, 5.0)


async def test_a_success_describes_the_job_as_the_api_does(world: World, check_shape: CheckShape) -> None:
    def program(box: Box) -> None:
        box.write("/opt/ml/output/message", "é" * 600)

    world.put("s3://bucket/data/x")
    outcome = await world.process(
        program,
        ProcessingInputs=[input_of("s3://bucket/data")],
        Tags=[{"Key": "a", "Value": "b"}],
        ExperimentConfig={"TrialComponentDisplayName": "t"},
        **outputs(output_to("s3://bucket/out")),
    )

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_shape("DescribeProcessingJobResponse", answer)
    assert answer["ProcessingJobStatus"] == "Completed"
    assert answer["ProcessingJobArn"].endswith(":processing-job/pipelines-abcdefghijkl-step-0123456789")
    assert answer["ExitMessage"] == "é" * 512
    assert answer["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == "s3://bucket/out"


async def test_a_failure_carries_the_last_words_and_uploads_nothing(
    world: World, check_shape: CheckShape
) -> None:
    def program(box: Box) -> int:
        box.write(f"{OUT}/half", "x")
        box.say("Traceback (most recent call last):")
        box.say("ValueError: bad data")
        return 3

    outcome = await world.process(program, **outputs(output_to("s3://bucket/out")))

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: ValueError: bad data, exit code: 3"
    assert outcome.error == "AlgorithmError"
    check_shape("DescribeProcessingJobResponse", outcome.properties)
    assert outcome.properties["FailureReason"] == "AlgorithmError: ValueError: bad data, exit code: 3"
    assert world.keys("s3://bucket/") == []


@pytest.mark.parametrize(
    ("end", "text"),
    [(Exit(137, oom=True), "out of memory"), (Exit(143, timed_out=True), "MaxRuntimeInSeconds")],
)
async def test_the_reason_says_what_ran_out(world: World, end: Exit, text: str) -> None:
    outcome = await world.process(lambda _: end)

    assert isinstance(outcome, Failed)
    assert text in outcome.reason


async def test_a_missing_image_lists_the_ways_out(world: World) -> None:
    def program(_: Box) -> int:
        raise ImageMissingError("no image: map it or pull it")

    outcome = await world.process(program)

    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.error) == ("ClientError: no image: map it or pull it", "ClientError")


async def test_a_message_that_is_not_utf8_fails_the_job(world: World) -> None:
    outcome = await world.process(lambda box: box.path("/opt/ml/output/message").write_bytes(b"\xff") and 0)

    assert isinstance(outcome, Failed)
    assert "not UTF-8" in outcome.reason


async def test_the_first_failing_host_stops_the_others(world: World) -> None:
    stopped: list[str] = []

    async def program(box: Box) -> int:
        if box.spec.hostname == "algo-2":
            box.say("boom")
            return 1
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(box.spec.hostname)
        return 0

    outcome = await world.process(program, ProcessingResources=cluster(3))

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: boom, exit code: 1"
    assert sorted(stopped) == ["algo-1", "algo-3"]
    assert "[algo-2] boom" in world.log()


async def test_each_host_uploads_its_own_outputs(world: World) -> None:
    def program(box: Box) -> None:
        box.write(f"{OUT}/{box.spec.hostname}", "x")

    await world.process(program, ProcessingResources=cluster(2), **outputs(output_to("s3://bucket/out/")))

    assert world.keys("s3://bucket/") == ["out/algo-1", "out/algo-2"]


async def test_continuous_outputs_arrive_while_the_job_runs(world: World) -> None:
    async def program(box: Box) -> None:
        box.write(f"{OUT}/early", "1")
        while not world.keys("s3://bucket/out/"):
            await asyncio.sleep(0.05)
        box.write(f"{OUT}/late", "2")

    outcome = await world.process(program, **outputs(output_to("s3://bucket/out", mode="Continuous")))

    assert isinstance(outcome, Succeeded)
    assert world.keys("s3://bucket/") == ["out/early", "out/late"]


async def test_a_stop_gives_a_stopped_job_and_leaves_nothing(world: World, check_shape: CheckShape) -> None:
    started = asyncio.Event()

    async def program(_: Box) -> int:
        started.set()
        await asyncio.Event().wait()
        return 0

    task = asyncio.ensure_future(world.process(program))
    await started.wait()
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    check_shape("DescribeProcessingJobResponse", outcome.properties)
    assert outcome.properties["ProcessingJobStatus"] == "Stopped"
    assert list(world.jobs.iterdir()) == []


async def test_a_second_stop_does_not_wait_for_the_container(world: World) -> None:
    started, stopping = asyncio.Event(), asyncio.Event()

    async def program(_: Box) -> int:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            await asyncio.Event().wait()  # deaf to SIGTERM
        return 0

    task = asyncio.ensure_future(world.process(program))
    await started.wait()
    task.cancel()
    await stopping.wait()
    task.cancel()

    assert isinstance(await task, Stopped)
    assert list(world.jobs.iterdir()) == []


def test_the_jobs_of_these_tests_are_requests_that_the_api_takes(
    world: World, check_shape: CheckShape
) -> None:
    processing, training = world.processing_job(), world.training_job()

    check_shape("CreateProcessingJobRequest", {**processing.arguments, "ProcessingJobName": processing.name})
    check_shape("CreateTrainingJobRequest", {**training.arguments, "TrainingJobName": training.name})


def test_the_check_of_shapes_sees_what_does_not_belong(world: World, check_shape: CheckShape) -> None:
    good = {**world.processing_job().arguments, "ProcessingJobName": "j"}

    for bad in ({**good, "Surprise": 1}, {**good, "RoleArn": 1}, {"ProcessingJobName": "j"}):
        with pytest.raises(AssertionError):
            check_shape("CreateProcessingJobRequest", bad)


@pytest.mark.parametrize("code", [0, 1])
async def test_the_working_folder_is_gone_afterwards(world: World, code: int) -> None:
    def program(box: Box) -> int:
        box.write(f"{OUT}/locked/file", "x")
        box.path(f"{OUT}/locked").chmod(0o500)
        return code

    await world.process(program, **outputs(output_to("s3://bucket/out")))

    assert list(world.jobs.iterdir()) == []


async def test_property_files_are_read_from_the_outputs(world: World) -> None:
    def program(box: Box) -> None:
        box.write(f"{OUT}/evaluation.json", '{"mse": 1}')

    files = [
        PropertyFile("Report", "result", "evaluation.json"),
        PropertyFile("Gone", "result", "evaluaton.json"),
    ]
    outcome = await world.process(program, *files, **outputs(output_to("s3://bucket/out")))

    assert isinstance(outcome, Succeeded)
    assert outcome.files["Report"].text == '{"mse": 1}'
    assert outcome.files["Gone"].text is None
    assert "evaluation.json" in outcome.files["Gone"].fault
