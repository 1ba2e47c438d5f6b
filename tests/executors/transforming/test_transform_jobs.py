"""Files through a model: what goes there, what comes back, where it lands."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
from typing import Any

import pytest

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.jobs import Failed, Stopped, Succeeded

WHOLE = {"SplitType": None, "AssembleWith": None}
PLAIN = {**WHOLE, "ContentType": None, "Accept": None}


def numbered(count: int) -> bytes:
    return b"".join(b"%d,%d\n" % (number, number * number) for number in range(count))


def doubled(body: bytes) -> bytes:
    """A model of one line per record: twice the first field."""
    return b"".join(b"%d\n" % (2 * int(line.split(b",")[0])) for line in body.splitlines())


async def test_a_whole_file_is_one_request_and_its_answer_the_output(transforming: Any) -> None:
    transforming.model.answer = lambda body: body.upper()
    transforming.put("a.bin", b"one\r\ntwo\x00\xff")

    outputs = await transforming.succeed(**PLAIN)

    assert outputs == {"a.bin.out": b"ONE\r\nTWO\x00\xff"}
    [sent] = transforming.model.sent
    assert (sent.body, sent.content_type, sent.chunked) == (b"one\r\ntwo\x00\xff", None, False)


async def test_the_model_is_told_both_types(transforming: Any) -> None:
    transforming.put("a.csv", "1\n")

    await transforming.succeed(ContentType="text/csv; label_size=0", Accept="application/json")

    [sent] = transforming.model.sent
    assert (sent.content_type, sent.accept) == ("text/csv; label_size=0", "application/json")


async def test_a_container_serves_with_the_variables_of_model_job_and_platform(transforming: Any) -> None:
    transforming.put("a.csv", "1\n")

    await transforming.succeed(Environment={"BOTH": "job"}, MaxPayloadInMB=2)

    [spec] = transforming.model.specs
    assert spec.command == ("serve",)
    assert spec.env["FROM_MODEL"] == "1"
    assert spec.env["BOTH"] == "job"
    assert spec.env["SAGEMAKER_BATCH"] == "true"
    assert spec.env["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "2"


async def test_the_containers_of_an_inference_pipeline_work_one_after_the_other(transforming: Any) -> None:
    entity: Any = {"ModelName": "chain", "Containers": [{"Image": "first:1"}, {"Image": "second:1"}]}
    transforming.world.catalog.put(Entity(Kind.MODEL, "chain", 0.0, entity))
    transforming.model.answer = lambda body: body.replace(b"\n", b"+\n")
    transforming.put("a.csv", "1\n2\n")

    outputs = await transforming.succeed(ModelName="chain", JoinSource="Input")

    assert transforming.model.bodies == [b"1\n2\n", b"1+\n2+\n"]
    assert outputs == {"a.csv.out": b"1,1++\n2,2++\n"}


async def test_single_records_go_one_by_one_as_they_were_sent(transforming: Any) -> None:
    transforming.put("a.csv", b"1,a\r\n2,b\n3,c")

    outputs = await transforming.succeed(BatchStrategy="SingleRecord")

    assert transforming.model.bodies == [b"1,a\r\n", b"2,b\n", b"3,c"]
    assert outputs == {"a.csv.out": b"1,a\r\n2,b\n3,c\n"}


async def test_many_records_fill_a_request_up_to_its_limit(transforming: Any) -> None:
    row = b"7," + b"x" * 1021 + b"\n"  # 1 KiB, so that a megabyte has exactly 1024
    transforming.put("a.csv", row * 1500)

    await transforming.succeed(MaxPayloadInMB=1)

    assert transforming.model.bodies == [row * 1024, row * 476]


async def test_a_request_never_has_records_of_two_files(transforming: Any) -> None:
    transforming.put("a.csv", "1\n")
    transforming.put("b.csv", "2\n")

    await transforming.succeed()

    assert sorted(transforming.model.bodies) == [b"1\n", b"2\n"]


@pytest.mark.parametrize(
    ("answers", "assembled", "output"),
    [
        ([b"1", b"2"], "Line", b"1\n2\n"),
        ([b"1\n", b"2\n"], "Line", b"1\n2\n"),
        ([b"1\r\n", b""], "Line", b"1\r\n\n"),
        ([b"1", b"2"], None, b"12"),
        ([b"\x00\xff", b"\n"], None, b"\x00\xff\n"),
    ],
)
async def test_answers_are_assembled(
    transforming: Any, answers: list[bytes], assembled: str | None, output: bytes
) -> None:
    transforming.model.answer = lambda body: answers[int(body) - 1]
    transforming.put("a.csv", "1\n2\n")

    outputs = await transforming.succeed(BatchStrategy="SingleRecord", AssembleWith=assembled)

    assert outputs == {"a.csv.out": output}


async def test_answers_that_come_in_another_order_are_put_into_that_of_the_records(transforming: Any) -> None:
    turns: dict[int, asyncio.Event] = {number: asyncio.Event() for number in range(1, 5)}

    async def backwards(body: bytes) -> bytes:
        number = int(body)
        if number < 4:
            await turns[number + 1].wait()
        turns[number].set()
        return b"%d" % (number * 10)

    transforming.model.answer = backwards
    transforming.put("a.csv", "1\n2\n3\n4\n")

    outputs = await transforming.succeed(BatchStrategy="SingleRecord", MaxConcurrentTransforms=4)

    assert outputs == {"a.csv.out": b"10\n20\n30\n40\n"}


async def test_chunks_carry_a_whole_file_when_the_payload_is_unlimited(transforming: Any) -> None:
    content = numbered(300_000)
    transforming.put("a.csv", content)

    outputs = await transforming.succeed(MaxPayloadInMB=0)

    [sent] = transforming.model.sent
    assert sent.chunked
    assert outputs == {"a.csv.out": content}


def recordio(data: bytes) -> bytes:
    return b"\x0a\x23\xd7\xce" + struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)


@pytest.mark.parametrize(
    ("strategy", "bodies"),
    [
        ("MultiRecord", [recordio(b"one") + recordio(b"three")]),
        ("SingleRecord", [b"one", b"three"]),
    ],
)
async def test_padding_is_removed_from_single_records_only(
    transforming: Any, strategy: str, bodies: list[bytes]
) -> None:
    transforming.put("a.rec", recordio(b"one") + recordio(b"three"))

    await transforming.succeed(
        SplitType="RecordIO", ContentType="application/x-recordio-protobuf", BatchStrategy=strategy
    )

    assert transforming.model.bodies == bodies


async def test_outputs_keep_the_names_below_the_prefix(transforming: Any) -> None:
    names = [
        "a.csv",
        "deep/er/b.csv",
        "Łódź und \u2028 more.csv",
        "no extension",
        "..b.csv",
        "twice//slash.csv",
    ]
    for name in names:
        transforming.put(name, "1\n")

    outputs = await transforming.succeed()

    assert outputs == {f"{name}.out": b"1\n" for name in names}


@pytest.mark.parametrize("path", ["s3://bucket/out", "s3://bucket/out/"])
@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://bucket/in/dataset01/data.csv", ["data.csv.out"]),
        ("s3://bucket/in", ["dataset01/data.csv.out", "dataset02/data.csv.out"]),
        ("s3://bucket/in/dataset0", ["dataset01/data.csv.out", "dataset02/data.csv.out"]),
    ],
)
async def test_an_object_a_folder_and_the_beginning_of_names_are_prefixes(
    transforming: Any, path: str, uri: str, names: list[str]
) -> None:
    transforming.put("dataset01/data.csv", "1\n")
    transforming.put("dataset02/data.csv", "2\n")

    outputs = await transforming.succeed(
        DataSource={"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, S3OutputPath=path
    )

    assert list(outputs) == names


async def test_a_manifest_says_which_objects_there_are(transforming: Any) -> None:
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        transforming.put(name, f"{name}\n")
    manifest = [{"prefix": "s3://bucket/in/"}, "sub/c.csv", "a.csv"]
    transforming.put("the.manifest", json.dumps(manifest))
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://bucket/in/the.manifest"}

    outputs = await transforming.succeed(DataSource={"S3DataSource": source})

    assert outputs == {"a.csv.out": b"a.csv\n", "sub/c.csv.out": b"sub/c.csv\n"}


async def test_gzip_is_unpacked_on_the_way_and_the_name_kept(transforming: Any) -> None:
    transforming.model.answer = doubled
    transforming.put("a.csv.gz", gzip.compress(b"1,x\n2,y\n"))

    outputs = await transforming.succeed(CompressionType="Gzip")

    assert transforming.model.bodies == [b"1,x\n2,y\n"]
    assert outputs == {"a.csv.gz.out": b"2\n4\n"}


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({}, b""),
        ({}, b"\n\r\n"),
        ({"BatchStrategy": "SingleRecord"}, b"\n"),
        (WHOLE, b""),
        ({"MaxPayloadInMB": 0}, b""),
    ],
)
async def test_a_file_without_records_has_an_output_without_predictions(
    transforming: Any, changes: dict[str, Any], content: bytes
) -> None:
    transforming.put("empty.csv", content)
    transforming.put("full.csv", "1\n")

    outputs = await transforming.succeed(**changes)

    assert transforming.model.bodies == [b"1\n"]
    assert outputs["empty.csv.out"] == b""


async def test_no_data_is_the_fault_of_the_request_and_the_nearest_is_named(
    transforming: Any, check_shape: Any
) -> None:
    transforming.put("a.csv", "1\n")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/inn/"}

    outcome = await transforming.fail(DataSource={"S3DataSource": source})

    assert 'no S3 objects found under "s3://bucket/inn/" (TransformInput)' in outcome.reason
    assert 'the nearest that exists is "s3://bucket/in/"' in outcome.reason
    check_shape("DescribeTransformJobResponse", outcome.properties)
    assert outcome.properties["TransformJobStatus"] == "Failed"
    assert "TransformStartTime" not in outcome.properties
    assert transforming.model.specs == []


async def test_files_are_divided_among_the_instances_by_key(transforming: Any) -> None:
    for name in "abcde":
        transforming.put(f"{name}.csv", f"{name}\n")

    outputs = await transforming.succeed(InstanceCount=2)

    seen = {sent.body.strip().decode(): "algo-2" in sent.instance for sent in transforming.model.sent}
    assert seen == {"a": False, "b": True, "c": False, "d": True, "e": False}
    assert list(outputs) == [f"{name}.csv.out" for name in "abcde"]
    assert len(transforming.model.specs) == 2


async def test_instances_without_files_are_not_started(transforming: Any) -> None:
    transforming.put("a.csv", "1\n")

    await transforming.succeed(InstanceCount=3)

    assert len(transforming.model.specs) == 1
    assert "2 of 3 instances have no file to transform" in transforming.log()


async def test_the_answer_has_the_shape_of_the_api(transforming: Any, check_shape: Any) -> None:
    transforming.put("a.csv", "1\n")
    tags = [{"Key": "k", "Value": "v"}]

    outcome = await transforming.run(Tags=tags, Environment={"N": 1}, MaxPayloadInMB=3)

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    check_shape("DescribeTransformJobResponse", answer)
    assert answer["TransformJobStatus"] == "Completed"
    assert answer["TransformJobArn"] == (
        "arn:aws:sagemaker:us-east-1:000000000000:transform-job/pipelines-abcdefghijkl-step-0123456789"
    )
    assert answer["ModelName"] == "model-abalone"
    assert answer["TransformOutput"] == {
        "S3OutputPath": "s3://bucket/out",
        "Accept": "text/csv",
        "AssembleWith": "Line",
    }
    assert answer["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert answer["Environment"] == {"N": "1"}
    assert answer["MaxPayloadInMB"] == 3
    assert answer["CreationTime"] <= answer["TransformStartTime"] <= answer["TransformEndTime"]


async def test_a_stopped_job_stores_nothing_and_leaves_nothing(transforming: Any, check_shape: Any) -> None:
    reached = asyncio.Event()

    async def never(body: bytes) -> bytes:
        if body == b"1\n":
            return body
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    transforming.model.answer = never
    for name in "abcd":
        transforming.put(f"{name}.csv", "1\n2\n3\n4\n")
    transforming.put("0.csv", "1\n")
    running = asyncio.create_task(transforming.run(BatchStrategy="SingleRecord", MaxConcurrentTransforms=2))
    await reached.wait()
    running.cancel()

    outcome = await running

    assert isinstance(outcome, Stopped)
    check_shape("DescribeTransformJobResponse", outcome.properties)
    assert outcome.properties["TransformJobStatus"] == "Stopped"
    assert "TransformStartTime" in outcome.properties
    assert transforming.outputs() == {}
    assert transforming.left() == []


async def test_the_log_tells_the_strategy_and_the_progress(transforming: Any) -> None:
    transforming.model.parameters = {"MaxConcurrentTransforms": 2}
    for name in "abc":
        transforming.put(f"{name}.csv", "123456\n")

    await transforming.succeed()

    log = transforming.log()
    assert "MaxConcurrentTransforms=2, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in log
    assert "3 of 3 files, 21 bytes" in log
    assert "uploaded 3 files, 21 bytes, to s3://bucket/out" in log


async def test_fewer_requests_at_once_than_asked_for_are_explained(transforming: Any) -> None:
    transforming.put("a.csv", "1\n")

    await transforming.succeed(MaxConcurrentTransforms=64)

    log = transforming.log()
    assert "MaxConcurrentTransforms=16, MaxPayloadInMB=6" in log
    assert "not 64 at once: all may have 100 MB together" in log


async def test_data_capture_leaves_manifests_below_the_hour_of_the_start(transforming: Any) -> None:
    for name in ("a.csv", "sub/b.csv"):
        transforming.put(name, "1\n")

    outcome = await transforming.run(DataCaptureConfig={"DestinationS3Uri": "s3://bucket/captured"})

    hour = outcome.properties["CreationTime"][:13].replace("-", "/").replace("T", "/")
    name = "pipelines-abcdefghijkl-Step-0123456789.json"
    world = transforming.world
    assert world.keys("s3://bucket/captured") == [
        f"captured/{side}/{hour}/{name}" for side in ("input", "output")
    ]
    assert json.loads(world.get(f"s3://bucket/captured/input/{hour}/{name}")) == [
        {"prefix": "s3://bucket/in/"}, "a.csv", "sub/b.csv",
    ]  # fmt: skip
    assert json.loads(world.get(f"s3://bucket/captured/output/{hour}/{name}")) == [
        {"prefix": "s3://bucket/out/"}, "a.csv.out", "sub/b.csv.out",
    ]  # fmt: skip


async def test_a_failed_job_captures_nothing(transforming: Any, refusing: Any) -> None:
    transforming.model.answer = lambda _: refusing(400, "no")
    transforming.put("a.csv", "1\n")

    outcome = await transforming.run(DataCaptureConfig={"DestinationS3Uri": "s3://bucket/captured"})

    assert isinstance(outcome, Failed)
    assert transforming.world.keys("s3://bucket/captured") == []
