"""Predictions associated with their records (DataProcessing), against outputs worked out by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

JSON_LINES = {"ContentType": "application/jsonlines", "Accept": "application/jsonlines"}
DOCUMENT = {
    "ContentType": "application/json",
    "Accept": "application/json",
    "SplitType": None,
    "AssembleWith": None,
}
STAMP = {"DataCaptureConfig": {"DestinationS3Uri": "s3://bucket/captured", "GenerateInferenceId": True}}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def summed(body: bytes) -> bytes:
    """A model of CSV that adds up: ``1,2,3`` is 6."""
    return b"".join(b"%d\n" % sum(map(int, line.split(b","))) for line in body.splitlines())


async def test_csv_predictions_are_appended_to_the_original_record(transforming: Any) -> None:
    transforming.model.answer = summed
    transforming.put("a.csv", 'id-1,1,2\r\n"id, 2",3,4\r\n\nid-3,5,6')

    outputs = await transforming.succeed(InputFilter="$[1:]", JoinSource="Input")

    assert transforming.model.bodies == [b"1,2\n3,4\n5,6\n"]
    assert outputs == {"a.csv.out": b'id-1,1,2,3\n"id, 2",3,4,7\nid-3,5,6,11\n'}


async def test_an_output_filter_applies_to_record_and_prediction_together(transforming: Any) -> None:
    transforming.model.answer = summed
    transforming.put("a.csv", '"id, 1",1,2\nid-2,3,4\n')

    outputs = await transforming.succeed(InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0, -1]")

    assert outputs == {"a.csv.out": b'"id, 1",3\nid-2,7\n'}


async def test_an_output_filter_without_a_join_applies_to_the_prediction(transforming: Any) -> None:
    transforming.model.answer = lambda _: b"0,0.9,0.1\n1,0.2,0.8\n"
    transforming.put("a.csv", "1\n2\n")

    outputs = await transforming.succeed(OutputFilter="$[0]")

    assert outputs == {"a.csv.out": b"0\n1\n"}


async def test_an_input_filter_alone_leaves_the_answers_as_they_are(transforming: Any) -> None:
    transforming.model.answer = lambda _: b"\x00 anything"
    transforming.put("a.csv", "9,1,2\n8,3,4\n")

    outputs = await transforming.succeed(InputFilter="$[1:]", Accept="image/png", AssembleWith=None)

    assert transforming.model.bodies == [b"1,2\n3,4\n"]
    assert outputs == {"a.csv.out": b"\x00 anything"}


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
async def test_rows_that_are_not_filtered_keep_every_byte(transforming: Any, strategy: str) -> None:
    rows = ['"a ""quoted"" one", 007 ,1.50', ",,", "Łódź,\x01,é"]
    transforming.model.answer = lambda body: b"".join(b'"p"\n' for _ in body.splitlines())
    transforming.put("a.csv", "\n".join(rows).encode("iso8859-2", "replace"))

    outputs = await transforming.succeed(JoinSource="Input", BatchStrategy=strategy)

    expected = "".join(f'{row},"p"\n' for row in rows)
    assert outputs == {"a.csv.out": expected.encode("iso8859-2", "replace")}


async def test_several_batches_are_joined_with_their_own_records(transforming: Any) -> None:
    pad = "x" * 1015
    transforming.model.answer = lambda body: b"".join(line[:4] + b"\n" for line in body.splitlines())
    transforming.put("a.csv", "".join(f"{number:04},{pad}\n" for number in range(3000)))

    outputs = await transforming.succeed(
        JoinSource="Input", OutputFilter="$[0,2]", MaxPayloadInMB=1, MaxConcurrentTransforms=3
    )

    assert len(transforming.model.bodies) == 3
    assert outputs["a.csv.out"].decode().splitlines() == [
        f"{number:04},{number:04}" for number in range(3000)
    ]


async def test_json_lines_objects_get_a_member(transforming: Any) -> None:
    def model(body: bytes) -> bytes:
        return b"".join(b'{"label": %d}\n' % len(json.loads(line)) for line in body.splitlines())

    transforming.model.answer = model
    transforming.put("a.jsonl", '{"id": 1, "features": [1, 2]}\n{"id": "ż", "features": []}')

    outputs = await transforming.succeed(**JSON_LINES, InputFilter="$.features", JoinSource="Input")

    assert transforming.model.bodies == [b"[1,2]\n[]\n"]
    assert outputs["a.jsonl.out"].decode() == (
        '{"id":1,"features":[1,2],"SageMakerOutput":{"label":2}}\n'
        '{"id":"ż","features":[],"SageMakerOutput":{"label":0}}\n'
    )


async def test_of_joined_json_the_documented_example_keeps_id_and_output(transforming: Any) -> None:
    transforming.model.answer = lambda _: b"0.25"
    transforming.put("a.jsonl", '{"id": 1, "features": [1, 2]}\n{"id": 2, "features": []}\n')

    outputs = await transforming.succeed(
        **JSON_LINES,
        InputFilter="$.features",
        JoinSource="Input",
        OutputFilter="$['id','SageMakerOutput']",
        BatchStrategy="SingleRecord",
    )

    assert outputs == {"a.jsonl.out": b'{"id":1,"SageMakerOutput":0.25}\n{"id":2,"SageMakerOutput":0.25}\n'}


async def test_json_lines_that_are_no_objects_are_wrapped(transforming: Any) -> None:
    transforming.model.answer = lambda body: body.replace(b"1", b"true")
    transforming.put("a.jsonl", "[1]\n1\n")

    outputs = await transforming.succeed(**JSON_LINES, JoinSource="Input")

    assert outputs["a.jsonl.out"] == (
        b'{"SageMakerInput":[1],"SageMakerOutput":[true]}\n{"SageMakerInput":1,"SageMakerOutput":true}\n'
    )


async def test_json_lines_that_are_not_split_are_still_records(transforming: Any) -> None:
    transforming.model.answer = lambda _: b'"x"\n"y"'
    transforming.put("a.jsonl", '{"id":1}\n\n{"id":2}\n')

    outputs = await transforming.succeed(
        **JSON_LINES, SplitType=None, AssembleWith=None, InputFilter="$.id", JoinSource="Input"
    )

    assert transforming.model.bodies == [b"1\n2\n"]
    assert outputs == {"a.jsonl.out": b'{"id":1,"SageMakerOutput":"x"}\n{"id":2,"SageMakerOutput":"y"}\n'}


async def test_a_json_document_is_one_record(transforming: Any) -> None:
    transforming.model.answer = lambda _: b'{\n  "label": 1\n}\n'
    transforming.put("a.json", '{\n "key": 1,\n "instances": [[1], [2]]\n}\n')

    outputs = await transforming.succeed(**DOCUMENT, InputFilter="$.instances", JoinSource="Input")

    assert transforming.model.bodies == [b"[[1],[2]]"]
    assert outputs == {"a.json.out": b'{"key":1,"instances":[[1],[2]],"SageMakerOutput":{"label":1}}'}


async def test_a_json_document_that_is_an_array_is_wrapped(transforming: Any) -> None:
    transforming.model.answer = lambda body: body
    transforming.put("a.json", "[1, 2]")

    outputs = await transforming.succeed(**DOCUMENT, JoinSource="Input")

    assert transforming.model.bodies == [b"[1, 2]"]
    assert outputs == {"a.json.out": b'{"SageMakerInput":[1,2],"SageMakerOutput":[1,2]}'}


async def test_without_a_join_records_and_predictions_may_differ_in_format(transforming: Any) -> None:
    transforming.model.answer = lambda _: b"1,0.9\n2,0.1\n"
    transforming.put("a.json", '{"instances": [[1], [2]]}')

    outputs = await transforming.succeed(
        **{**DOCUMENT, "Accept": "text/csv"}, InputFilter="$.instances", **STAMP
    )

    assert transforming.model.bodies == [b"[[1],[2]]"]
    assert [line.split(b",")[:2] for line in outputs["a.json.out"].splitlines()] == [
        [b"1", b"0.9"],
        [b"2", b"0.1"],
    ]


async def test_processing_needs_records_so_nothing_is_streamed(transforming: Any) -> None:
    transforming.model.answer = summed
    transforming.put("a.csv", "1,2\n3,4\n")

    outputs = await transforming.succeed(JoinSource="Input", MaxPayloadInMB=0)

    assert [sent.chunked for sent in transforming.model.sent] == [False]
    assert outputs == {"a.csv.out": b"1,2,3\n3,4,7\n"}


async def test_inference_ids_follow_csv_predictions(transforming: Any) -> None:
    transforming.put("a.csv", "0\n1\n")

    outputs = await transforming.succeed(**STAMP)
    again = await transforming.succeed(**STAMP)

    rows = [line.split(",") for line in outputs["a.csv.out"].decode().splitlines()]
    assert [row[0] for row in rows] == ["0", "1"]
    assert all(UUID.fullmatch(row[1]) for row in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[2]) for row in rows)
    assert rows[0][1] != rows[1][1]
    assert [row.split(b",")[1].decode() for row in again["a.csv.out"].splitlines()] == [
        row[1] for row in rows
    ]


async def test_inference_ids_are_members_of_json_predictions(transforming: Any) -> None:
    transforming.model.answer = lambda _: b'{"output":0}\n1\n'
    transforming.put("a.jsonl", "{}\n{}\n")

    outputs = await transforming.succeed(**JSON_LINES, **STAMP)

    first, second = (json.loads(line) for line in outputs["a.jsonl.out"].splitlines())
    assert list(first) == ["output", "SageMakerInferenceId", "SageMakerInferenceTime"]
    assert first["output"] == 0
    assert second["SageMakerOutput"] == 1
    assert UUID.fullmatch(second["SageMakerInferenceId"])


@pytest.mark.parametrize(
    ("changes", "content", "answer", "text"),
    [
        (
            {"JoinSource": "Input"}, "1\n2\n3\n", b"1\n2\n",
            "records 1-3: Fail to join data: 3 records went to the model, 2 predictions came back; it must answer one line per record",
        ),
        (
            {"JoinSource": "Input", "BatchStrategy": "SingleRecord"}, "1\n", b"1\n2\n",
            "record 1: Fail to join data: 1 record went to the model, 2 predictions came back",
        ),
        ({"InputFilter": "$[2]"}, "1,2,3\n1,2\n", b"", "record 2: InputFilter: $[2] selects nothing"),
        ({"InputFilter": "$[0]"}, '1,2\n"3,\n', b"", "record 2: InputFilter: it is no CSV row: the quote of field 1"),
        ({"JoinSource": "Input", "OutputFilter": "$[9]"}, "1\n2\n", b"1\n2\n", "record 1: $[9] selects nothing"),
        ({**JSON_LINES, "InputFilter": "$.a"}, '{"a":1}\n{a}\n', b"", "record 2: InputFilter: it is no JSON"),
        ({**JSON_LINES, "JoinSource": "Input"}, '{"a":1}\n{"a":2}\n', b"1\nhello\n", "record 2: the prediction is no JSON"),
        ({**JSON_LINES, "JoinSource": "Input"}, '{"a":1}\n2]\n', b"1\n2\n", "record 2: the record is no JSON"),
        ({**DOCUMENT, "OutputFilter": "$.label"}, "{}", b'{"x":1}', "the whole file: $.label selects nothing"),
    ],
)  # fmt: skip
async def test_what_cannot_be_associated_fails_its_file_and_says_where(
    transforming: Any, changes: dict[str, Any], content: str, answer: bytes, text: str
) -> None:
    transforming.model.answer = lambda _: answer
    transforming.put("bad", content)

    outcome = await transforming.fail(**changes)

    assert f"bucket/in/bad: {text}" in transforming.log()
    assert f"bucket/in/bad: {text}" in outcome.reason
    assert outcome.error == "ClientError"
    assert transforming.outputs() == {}
