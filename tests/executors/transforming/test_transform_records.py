"""Files split into records, by their published formats."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sagelocal_executors.transform.faults import FileError
from sagelocal_executors.transform.records import (
    SPLITTERS,
    lines,
    recordio,
    recordio_payload,
    tfrecord,
    tfrecord_payload,
)

PLENTY = 1 << 20
MAGIC = b"\x0a\x23\xd7\xce"


def split(kind: str, content: bytes, limit: int = PLENTY) -> list[bytes]:
    return list(SPLITTERS[kind](io.BytesIO(content), limit))


def part(flag: int, data: bytes) -> bytes:
    """One part of a RecordIO record, as MXNet's documentation draws it."""
    return MAGIC + struct.pack("<I", flag << 29 | len(data)) + data + bytes(-len(data) % 4)


# CRC-32C of the examples is that of RFC 3720, B.4: 32 bytes of zeros have 8A9136AA.
def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"a,1\nb,2\n", [b"a,1\n", b"b,2\n"]),
        (b"a,1\nb,2", [b"a,1\n", b"b,2"]),
        (b"a\r\nb\r\n", [b"a\r\n", b"b\r\n"]),
        (b"a\n\n\nb\n\n", [b"a\n\n\n", b"b\n\n"]),
        (b"\n\r\na\n", [b"\n\r\na\n"]),
        (b" \n,\n", [b" \n", b",\n"]),
        ("ä\u2028b\nc\x0bd\n".encode(), ["ä\u2028b\n".encode(), b"c\x0bd\n"]),
        (b"", []),
        (b"\n\r\n", []),
        (b"a\n\r", [b"a\n\r"]),
        (b"\r", []),
    ],
)
def test_lines_are_records_and_blank_ones_stay_with_their_neighbour(
    content: bytes, records: list[bytes]
) -> None:
    assert split("Line", content) == records


@given(some.binary(max_size=200) | some.text(alphabet="a,\r\n", max_size=60).map(str.encode))
def test_the_lines_of_any_file_are_the_file(content: bytes) -> None:
    records = split("Line", content)

    assert b"".join(records) == (content if content.strip(b"\r\n") else b"")
    assert all(record.strip(b"\r\n") for record in records)


@pytest.mark.parametrize("content", [b"ab\n" + b"\r\n" * 90, b"\n" * 90 + b"ab\n"])
def test_blank_lines_do_not_make_a_record_too_large(content: bytes) -> None:
    [record] = split("Line", content, limit=8)

    assert record.strip() == b"ab"
    assert len(record) <= 8


@given(some.lists(some.binary(max_size=40)))
def test_recordio_records_are_what_was_written(contents: list[bytes]) -> None:
    written = [part(0, content) for content in contents]

    records = split("RecordIO", b"".join(written))

    assert records == written
    assert [recordio_payload(record) for record in records] == contents


@given(some.lists(some.binary(max_size=40), min_size=2, max_size=5))
def test_the_parts_of_a_recordio_record_are_joined_by_the_magic_number(pieces: list[bytes]) -> None:
    flags = [1, *[2] * (len(pieces) - 2), 3]
    content = b"".join(map(part, flags, pieces)) + part(0, b"next")

    first, second = split("RecordIO", content)

    assert first + second == content
    assert recordio_payload(first) == MAGIC.join(pieces)
    assert recordio_payload(second) == b"next"


@given(some.lists(some.binary(max_size=40)))
def test_tfrecord_records_are_what_was_written(contents: list[bytes]) -> None:
    written = [framed(content) for content in contents]

    records = split("TFRecord", b"".join(written))

    assert records == written
    assert [tfrecord_payload(record) for record in records] == contents


def test_the_checksum_is_the_published_one() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (
            "RecordIO",
            b"a,b\nc,d\n",
            "record 1 is no RecordIO record: it does not begin with the magic number",
        ),
        ("RecordIO", part(0, b"good") + b"\x0a\x23", "record 2 is no RecordIO record"),
        ("RecordIO", part(0, b"cut short")[:-2], "ends 2 bytes too early"),
        ("RecordIO", part(2, b"middle"), "out of order"),
        ("RecordIO", part(1, b"first") + part(0, b"whole"), "out of order"),
        ("RecordIO", part(1, b"first"), "its last part is missing"),
        ("TFRecord", b"id,label\n1,2\n3,4\n", "record 1 is no TFRecord record: the checksum"),
        (
            "TFRecord",
            framed(b"good") + framed(b"cut")[:-1],
            "record 2 is no TFRecord record: it ends 1 bytes",
        ),
        ("TFRecord", b"\x01", "the checksum of its length is wrong"),
    ],
)
def test_a_file_of_another_format_is_named_as_such(kind: str, content: bytes, text: str) -> None:
    with pytest.raises(FileError, match=text):
        split(kind, content)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("Line", b"short\n" + b"x" * 2000 + b"\n"),
        ("RecordIO", part(0, b"short") + part(0, b"x" * 2000)),
        ("RecordIO", part(0, b"short") + part(1, b"x" * 700) + part(3, b"x" * 700)),
        ("TFRecord", framed(b"short") + framed(b"x" * 2000)),
    ],
)
def test_a_record_that_is_too_large_is_named_and_not_read(kind: str, content: bytes) -> None:
    file = io.BytesIO(content)

    with pytest.raises(FileError, match=r"record 2 has more than .* Too much data for max payload size"):
        list(SPLITTERS[kind](file, 1000))

    assert file.tell() < 1100


def test_records_are_read_one_by_one() -> None:
    for splitter, written in ((lines, b"a\n"), (recordio, part(0, b"abc")), (tfrecord, framed(b"a"))):
        file = io.BytesIO(written * 3)
        records = splitter(file, PLENTY)
        next(records)
        assert file.tell() <= 2 * len(written)
