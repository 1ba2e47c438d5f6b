"""Files split into their records, as they stream by (SplitType; semantics 08 §8.3).

Records are given as they are sent: joined, they are the file again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from sagelocal_executors.transform.faults import FileError

LINE_ENDS = b"\r\n"

MAGIC = struct.pack("<I", 0xCED7230A)
"""How each part of a RecordIO file begins (MXNet's recordio, dmlc-core)."""
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_PART_HEAD = struct.Struct("<4sI")
_LENGTH_BITS = 29

_LENGTH = struct.Struct("<Q")
_CHECK = struct.Struct("<I")
_TF_HEAD = _LENGTH.size + _CHECK.size

Splitter = Callable[[BinaryIO, int], Iterator[bytes]]


def lines(file: BinaryIO, limit: int) -> Iterator[bytes]:
    r"""Lines with their ends, ``\n`` or ``\r\n``; the last may have none.

    A blank line is no record: it stays with the record before it, the first ones with the record after them, as long
    as that does not become too large. A file of blank lines has no records at all.

    Raises:
        FileError: a line has more than `limit` bytes.
    """
    record = bytearray()
    begun, number = False, 1
    while line := file.readline(limit + 1):
        if not line.strip(LINE_ENDS):
            if len(record) + len(line) <= limit:
                record += line
            continue
        if begun:
            yield bytes(record)
            number += 1
        if begun or len(record) + len(line) > limit:
            record.clear()
        if len(line) > limit:
            raise too_large(f"record {number}", limit)
        begun = True
        record += line
    if begun:
        yield bytes(record)


def recordio(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """RecordIO records, framed: magic, flag and length, data, padding to four bytes; long ones in several parts.

    Raises:
        FileError: the framing is broken, or a record has more than `limit` bytes.
    """
    record, number = bytearray(), 1
    while head := file.read(_PART_HEAD.size):
        if len(head) < _PART_HEAD.size or not head.startswith(MAGIC):
            raise _broken("RecordIO", number, "it does not begin with the magic number")
        flag, length = _flag_and_length(head)
        if (flag in (_WHOLE, _FIRST)) is bool(record) or flag > _LAST:
            raise _broken("RecordIO", number, "its parts are out of order")
        padded = -(-length // 4) * 4
        if len(record) + len(head) + padded > limit:
            raise too_large(f"record {number}", limit)
        record += head + _exactly(file, padded, "RecordIO", number)
        if flag in (_WHOLE, _LAST):
            yield bytes(record)
            record.clear()
            number += 1
    if record:
        raise _broken("RecordIO", number, "its last part is missing")


def tfrecord(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """TFRecord records, framed: length, its checksum, data, their checksum, which is left for the model to verify.

    Raises:
        FileError: the framing is broken, or a record has more than `limit` bytes.
    """
    number = 1
    while head := file.read(_TF_HEAD):
        if len(head) < _TF_HEAD or _masked_crc32c(head[:8]) != _CHECK.unpack(head[8:])[0]:
            raise _broken("TFRecord", number, "the checksum of its length is wrong")
        (length,) = _LENGTH.unpack(head[:8])
        if len(head) + length + _CHECK.size > limit:
            raise too_large(f"record {number}", limit)
        yield head + _exactly(file, length + _CHECK.size, "TFRecord", number)
        number += 1


SPLITTERS: Mapping[str, Splitter] = {"Line": lines, "RecordIO": recordio, "TFRecord": tfrecord}


def recordio_payload(record: bytes) -> bytes:
    """What a framed RecordIO record holds; where it was split, the magic number stood."""
    parts, at = [], 0
    while at < len(record):
        _, length = _flag_and_length(record[at : at + _PART_HEAD.size])
        at += _PART_HEAD.size
        parts.append(record[at : at + length])
        at += -(-length // 4) * 4
    return MAGIC.join(parts)


def tfrecord_payload(record: bytes) -> bytes:
    """What a framed TFRecord record holds."""
    return record[_TF_HEAD : -_CHECK.size]


UNWRAPPERS: Mapping[str, Callable[[bytes], bytes]] = {
    "RecordIO": recordio_payload,
    "TFRecord": tfrecord_payload,
}
"""A request with a single record has it without framing, one with several has them as they are (API: SplitType)."""


def _flag_and_length(head: bytes) -> tuple[int, int]:
    _, word = _PART_HEAD.unpack(head)
    return word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)


def _exactly(file: BinaryIO, size: int, kind: str, number: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _broken(kind, number, f"it ends {size - len(data)} bytes too early")
    return data


def _broken(kind: str, number: int, why: str) -> FileError:
    return FileError(f"record {number} is no {kind} record: {why}; is SplitType right?")


def too_large(what: str, limit: int) -> FileError:
    return FileError(
        f"{what} has more than {limit >> 20} MB: Too much data for max payload size; "
        "set SplitType, or raise MaxPayloadInMB, which may be 100"
    )


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)  # noqa: PLW2901 - the polynomial division itself
        table.append(value)
    return tuple(table)


_TABLE = _crc32c_table()


def _masked_crc32c(data: bytes) -> int:
    """The checksum that TFRecord files have: CRC-32C, rotated and shifted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
