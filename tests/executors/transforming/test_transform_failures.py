"""What a model refuses, and what becomes of the other files."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from typing import Any

import pytest
from starlette.responses import Response

from sagelocal.jobs import Failed
from sagelocal.names import S3Uri

SINGLE = {"BatchStrategy": "SingleRecord"}


def choosy(refusing: Any, status: int = 400) -> Any:
    """A model that does not know the word ``bad``."""

    def answer(body: bytes) -> bytes | Response:
        refused: Response = refusing(status, "could not convert string to float: 'bad'\nsecond line")
        return refused if b"bad" in body else body

    return answer


async def test_a_bad_record_fails_its_file_and_no_other(
    transforming: Any, refusing: Any, check_shape: Any
) -> None:
    transforming.model.answer = choosy(refusing)
    transforming.put("a.csv", "1\n")
    transforming.put("b.csv", "1\nbad\n3\n")
    transforming.put("c.csv", "3\n")

    outcome = await transforming.fail(**SINGLE)

    assert transforming.outputs() == {"a.csv.out": b"1\n", "c.csv.out": b"3\n"}
    assert outcome.reason == (
        "ClientError: See job logs for more information: 1 of 3 files failed: bucket/in/b.csv; "
        "bucket/in/b.csv: record 2: ClientError: 400"
    )
    assert outcome.error == "ClientError"
    check_shape("DescribeTransformJobResponse", outcome.properties)
    assert outcome.properties["TransformJobStatus"] == "Failed"
    assert outcome.properties["FailureReason"] == outcome.reason
    log = transforming.log().splitlines()
    start = log.index("[sagelocal] bucket/in/b.csv: record 2: ClientError: 400")
    assert log[start + 1 : start + 4] == [
        "[sagelocal] bucket/in/b.csv: Message:",
        "[sagelocal] bucket/in/b.csv: could not convert string to float: 'bad'",
        "[sagelocal] bucket/in/b.csv: second line",
    ]
    assert transforming.left() == []


async def test_the_records_of_a_refused_batch_are_counted(transforming: Any, refusing: Any) -> None:
    transforming.model.answer = choosy(refusing)
    row = "x" * 1023 + "\n"
    transforming.put("a.csv", row * 1500 + "bad\n")

    outcome = await transforming.fail(MaxPayloadInMB=1)

    assert "bucket/in/a.csv: records 1025-1501: ClientError: 400" in outcome.reason


async def test_a_models_own_error_is_the_algorithms(transforming: Any, refusing: Any) -> None:
    transforming.model.answer = choosy(refusing, 500)
    transforming.put("a.csv", "bad\n")

    outcome = await transforming.fail(InvocationsMaxRetries=0)

    assert outcome.reason.startswith(
        "ClientError: AlgorithmError: See job logs for more information: 1 of 1 files failed"
    )
    assert outcome.error == "AlgorithmError"
    assert outcome.properties["FailureReason"].startswith("AlgorithmError: See job logs")
    assert "a.csv: record 1: Bad HTTP status received from algorithm: 500" in transforming.log()


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_what_may_pass_is_tried_again(transforming: Any, refusing: Any, status: int) -> None:
    attempts: Counter[bytes] = Counter()

    def answer(body: bytes) -> bytes | Response:
        attempts[body] += 1
        refused: Response = refusing(status, "later")
        return body if attempts[body] > 2 else refused

    transforming.model.answer = answer
    transforming.put("a.csv", "1\n2\n")

    outputs = await transforming.succeed(**SINGLE, InvocationsMaxRetries=2)

    assert outputs == {"a.csv.out": b"1\n2\n"}
    assert attempts == {b"1\n": 3, b"2\n": 3}
    assert "bucket/in/a.csv: record 1: " in transforming.log()
    assert "tried again in 0.4 s" in transforming.log()
    assert transforming.clock.slept == [0.2, 0.4] * 2


@pytest.mark.parametrize(
    ("status", "retries", "attempts"), [(500, 1, 2), (500, 0, 1), (400, 3, 1), (413, 3, 1)]
)
async def test_the_number_of_attempts_is_limited(
    transforming: Any, refusing: Any, status: int, retries: int, attempts: int
) -> None:
    transforming.model.answer = lambda _: refusing(status, "never")
    transforming.put("a.csv", "1\n")

    await transforming.fail(InvocationsMaxRetries=retries)

    assert len(transforming.model.sent) == attempts


async def test_a_stream_is_sent_anew_when_it_is_tried_again(transforming: Any, refusing: Any) -> None:
    transforming.model.answer = lambda body: (
        body if len(transforming.model.sent) > 1 else refusing(503, "later")
    )
    content = b"0123456789" * 300_000
    transforming.put("a.csv", content)

    outputs = await transforming.succeed(MaxPayloadInMB=0, AssembleWith=None)

    assert outputs == {"a.csv.out": content}


async def test_an_answer_that_takes_too_long_is_none(transforming: Any, check_shape: Any) -> None:
    async def asleep(_: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    transforming.model.answer = asleep
    transforming.put("a.csv", "1\n")

    outcome = await transforming.fail(InvocationsTimeoutInSeconds=1, InvocationsMaxRetries=0)

    assert "InternalServerError: See job logs" in outcome.reason
    assert "record 1: Unable to get response from algorithm" in outcome.reason
    assert outcome.error == "SageMaker.JOB_INTERNAL_ERROR"
    assert "did not answer within 1 s" in transforming.log()
    check_shape("DescribeTransformJobResponse", outcome.properties)


async def test_a_container_that_ends_fails_the_job_and_keeps_what_was_done(transforming: Any) -> None:
    async def answer(body: bytes) -> bytes:
        if body == b"2\n":
            transforming.model.ended.set()
            await asyncio.sleep(3600)
        return body

    transforming.model.answer = answer
    transforming.put("a.csv", "1\n")
    transforming.put("b.csv", "2\n")
    transforming.put("c.csv", "3\n")

    outcome = await transforming.fail()

    assert outcome.error == "AlgorithmError"
    assert "Killed: not enough memory for this model" in outcome.reason
    assert "exit code: 137" in outcome.reason
    assert transforming.outputs() == {"a.csv.out": b"1\n"}


@pytest.mark.parametrize(
    ("changes", "content", "text"),
    [
        ({"SplitType": None}, b"x" * 1_048_577, "the whole file has more than 1 MB for"),
        ({}, b"1\n" + b"x" * 1_048_577, "record 2 has more than 1 MB"),
        ({"InputFilter": "$[0]"}, b"1\n" + b"x" * 1_048_577, "record 2 has more than 1 MB"),
        ({"SplitType": "TFRecord"}, b"1\n2\n3\n4\n5\n", "record 1 is no TFRecord record"),
        ({"CompressionType": "Gzip"}, b"1\n2\n", "it cannot be decompressed, although CompressionType is Gzip"),
        ({"CompressionType": "Gzip"}, gzip.compress(b"1\n" * 9000)[:-9], "it cannot be decompressed"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_sent_fails_alone(
    transforming: Any, changes: dict[str, Any], content: bytes, text: str
) -> None:
    text = text.removesuffix(" for")
    transforming.put("bad", content)
    transforming.put("good", gzip.compress(b"") if "CompressionType" in changes else b"")

    outcome = await transforming.fail(**changes, MaxPayloadInMB=1)

    assert text in outcome.reason
    assert outcome.error == "ClientError"
    assert transforming.outputs() == {"good.out": b""}


async def test_the_model_may_see_a_part_of_a_record_that_is_too_large_as_a_whole(transforming: Any) -> None:
    transforming.put("a.csv", b"7," + b"x" * 1_100_000 + b"\n")

    outputs = await transforming.succeed(InputFilter="$[0]", MaxPayloadInMB=1)

    assert outputs == {"a.csv.out": b"7\n"}


async def test_of_many_failed_files_the_reason_names_some(transforming: Any, refusing: Any) -> None:
    transforming.model.answer = choosy(refusing)
    for number in range(30):
        transforming.put(f"{number:02}.csv", "bad\n")

    outcome = await transforming.fail(MaxConcurrentTransforms=4)

    assert "30 of 30 files failed: bucket/in/00.csv, " in outcome.reason
    assert "and 20 more" in outcome.reason
    assert len(outcome.properties["FailureReason"]) <= 1024


async def test_an_object_that_has_gone_meanwhile_fails_alone(transforming: Any) -> None:
    for name in ("a.csv", "b.csv"):
        transforming.put(name, "1\n")
    store = transforming.world.store

    def answer(body: bytes) -> bytes:
        store.delete(S3Uri.parse("s3://bucket/in/b.csv"))
        return body

    transforming.model.answer = answer

    outcome = await transforming.run()

    assert isinstance(outcome, Failed)
    assert "1 of 2 files failed: bucket/in/b.csv" in outcome.reason
    assert transforming.outputs() == {"a.csv.out": b"1\n"}
