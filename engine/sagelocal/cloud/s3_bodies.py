"""Bodies on their way in: unwrapped, summed up, spooled to disk."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from starlette.requests import Request

from sagelocal.cloud import disk
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.s3_faults import S3Error

_IN_LINE = (
    256 << 10
)  # bytes that are summed and written without a thread, which would cost more than it spares
_BATCH = 1 << 20
_LONGEST_LINE = 16 << 10


class _Sum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_SUMS: Mapping[str, Callable[[], _Sum]] = {
    "x-amz-checksum-crc32": _Crc32,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha512": hashlib.sha512,
}
"""Checksums that the standard library computes; the others (crc32c, crc64nvme) are kept as they were sent."""


@dataclass(frozen=True, slots=True)
class Received:
    """A body on disk: its file, bytes, MD5 as hex, and ``x-amz-checksum-…`` headers as sent."""

    path: Path
    size: int
    md5: str
    checksums: Mapping[str, str]


@asynccontextmanager
async def received(request: Request, store: ObjectStore) -> AsyncIterator[Received]:
    """Spool the request's body beside the store.

    Raises:
        S3Error: IncompleteBody, BadDigest, InvalidRequest.
    """
    with store.spool() as path, disk.faults(path), path.open("wb") as file:
        intake = _Intake(request.headers, file)
        await _take_all(request, intake)
        file.flush()
        yield intake.finish(path)


async def _take_all(request: Request, intake: _Intake) -> None:
    """Take the body in batches, each in a thread while the next one comes: never more than two are in memory."""
    batch = bytearray()
    taking: asyncio.Task[None] | None = None
    try:
        async for chunk in request.stream():
            batch += chunk
            if len(batch) >= _BATCH:
                await _over(taking)
                taking = asyncio.create_task(asyncio.to_thread(intake.take, bytes(batch)))
                batch.clear()
        await _over(taking)
        if len(batch) > _IN_LINE:
            taking = asyncio.create_task(asyncio.to_thread(intake.take, bytes(batch)))
            await _over(taking)
        else:
            intake.take(bytes(batch))
    finally:
        if taking:  # whatever went wrong, no thread may be left with a file that is closed next
            await asyncio.gather(taking, return_exceptions=True)


async def _over(taking: asyncio.Task[None] | None) -> None:
    if taking:
        await asyncio.wait({taking})  # which, unlike the task itself, can be cancelled without the task
        taking.result()


class _Intake:
    """Takes a body's bytes as they come."""

    def __init__(self, headers: Mapping[str, str], file: BinaryIO) -> None:
        self._headers = headers
        self._file = file
        self._chunks = AwsChunks() if is_wrapped(headers) else None
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        announced = {headers.get("x-amz-trailer", "").strip().lower(), *headers.keys()}
        self._sums = {name: make() for name, make in _SUMS.items() if name in announced}

    def take(self, data: bytes) -> None:
        for piece in self._chunks.feed(data) if self._chunks else (data,):
            self._size += len(piece)
            self._md5.update(piece)
            for total in self._sums.values():
                total.update(piece)
            self._file.write(piece)

    def finish(self, path: Path) -> Received:
        trailers = self._chunks.trailers() if self._chunks else {}
        wanted = self._headers.get("x-amz-decoded-content-length")
        if self._chunks and wanted is not None and wanted != str(self._size):
            raise S3Error("IncompleteBody", f"{self._size} bytes came instead of {wanted}")
        sent = {**self._headers, **trailers}
        checksums = {name: value for name, value in sent.items() if _is_checksum(name)}
        for name, total in self._sums.items():
            if name in checksums and checksums[name] != base64.b64encode(total.digest()).decode():
                raise S3Error("BadDigest", f"The {name} you sent does not match what came")
        self._check_md5()
        return Received(path, self._size, self._md5.hexdigest(), checksums)

    def _check_md5(self) -> None:
        if sent := self._headers.get("content-md5"):
            try:
                expected = base64.b64decode(sent, validate=True)
            except ValueError:
                raise S3Error("InvalidArgument", f"Content-MD5 is not base64: {sent}") from None
            if expected != self._md5.digest():
                raise S3Error("BadDigest", "The Content-MD5 you sent does not match what came")


def is_wrapped(headers: Mapping[str, str]) -> bool:
    """Whether a body comes in aws-chunked encoding (API reference, "Signature calculations: chunked upload")."""
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or "aws-chunked" in headers.get(
        "content-encoding", ""
    )


def _is_checksum(name: str) -> bool:
    return name.startswith("x-amz-checksum-") and name not in {
        "x-amz-checksum-type",
        "x-amz-checksum-mode",
        "x-amz-checksum-algorithm",
    }


class AwsChunks:
    """Takes aws-chunked encoding apart: ``<hex size>[;signature]CRLF data CRLF … 0 CRLF trailers CRLF``."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0  # bytes of the chunk still to come, its CRLF not counted
        self._at_end_of_chunk = False
        self._at_trailers = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content in these bytes.

        Raises:
            S3Error: InvalidRequest, when they do not follow the encoding.
        """
        self._buffer += data
        if self._at_trailers and len(self._buffer) > _LONGEST_LINE:
            raise S3Error("InvalidRequest", "the aws-chunked body has endless trailers")
        while not self._at_trailers:
            if self._left:
                piece = bytes(self._buffer[: self._left])
                if not piece:
                    return
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                self._at_end_of_chunk = not self._left
                yield piece
            elif not self._header():
                return

    def trailers(self) -> dict[str, str]:
        """The headers after the content.

        Raises:
            S3Error: IncompleteBody, when the last chunk did not come.
        """
        if not self._at_trailers:
            raise S3Error("IncompleteBody", "the last chunk did not come")
        lines = self._buffer.decode("latin-1").splitlines()
        pairs = [line.partition(":") for line in lines if ":" in line]
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _header(self) -> bool:
        """Read the line before a chunk; False when it has not come in full."""
        skipped = 2 if self._at_end_of_chunk else 0
        end = self._buffer.find(b"\r\n", skipped)
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise S3Error("InvalidRequest", "the aws-chunked body has an endless line")
            return False
        line = bytes(self._buffer[skipped:end])
        if bytes(self._buffer[:skipped]) not in {b"", b"\r\n"}:
            raise S3Error("InvalidRequest", "a chunk of the aws-chunked body has the wrong size")
        size = re.match(rb"[0-9A-Fa-f]+(?=;|$)", line)
        if not size:
            raise S3Error("InvalidRequest", f"{line[:40]!r} is no size of an aws-chunked chunk")
        self._left = int(size.group(), 16)
        del self._buffer[: end + 2]
        self._at_end_of_chunk = False
        self._at_trailers = self._left == 0
        return True
