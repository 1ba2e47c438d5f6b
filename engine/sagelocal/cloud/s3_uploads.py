"""The operations of S3 on multipart uploads."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from starlette.responses import Response

from sagelocal.cloud import disk, s3_xml
from sagelocal.cloud.multipart import Upload
from sagelocal.cloud.s3_bodies import received
from sagelocal.cloud.s3_call import Call, empty, is_number, number, xml
from sagelocal.cloud.s3_faults import S3Error
from sagelocal.cloud.s3_objects import find_source, source_slice

_MOST_PARTS = 10_000
_OWNER: s3_xml.Content = [("ID", "sagelocal"), ("DisplayName", "sagelocal")]


async def create_multipart_upload(call: Call) -> Response:
    identity = call.uploads.create(call.uri, call.traits())
    algorithm = call.headers.get("x-amz-checksum-algorithm")
    headers = {"x-amz-checksum-algorithm": algorithm} if algorithm else {}
    content = [("Bucket", call.bucket), ("Key", call.key), ("UploadId", identity)]
    return xml("InitiateMultipartUploadResult", content, headers)


async def upload_part(call: Call) -> Response:
    upload, number = _upload(call), _part_number(call)
    async with received(call.request, call.store) as body:
        part = call.uploads.add(upload, number, body.path, body.md5)
        return empty(200, {"etag": f'"{part.etag}"', **body.checksums})


async def upload_part_copy(call: Call) -> Response:
    upload, number, source = _upload(call), _part_number(call), find_source(call)
    start, size = source_slice(call, source.info.size) or (0, source.info.size)
    with call.store.spool() as spare:
        etag = await asyncio.to_thread(_cut, source.path, start, size, spare)
        part = call.uploads.add(upload, number, spare, etag)
    content = [("LastModified", s3_xml.moment(part.modified)), ("ETag", f'"{part.etag}"')]
    return xml("CopyPartResult", content)


async def complete_multipart_upload(call: Call) -> Response:
    upload = _upload(call)
    root = s3_xml.parse(await call.document())
    chosen = [
        (_number(part.findtext("PartNumber", "0")), part.findtext("ETag", "")) for part in root.iter("Part")
    ]
    info = await asyncio.to_thread(call.uploads.complete, upload, chosen, call.write_condition())
    location = f"http://{call.headers.get('host', 'localhost')}/{call.bucket}/{call.key}"
    content = [("Location", location), ("Bucket", call.bucket), ("Key", call.key), ("ETag", f'"{info.etag}"')]
    return xml("CompleteMultipartUploadResult", content)


async def abort_multipart_upload(call: Call) -> Response:
    await asyncio.to_thread(call.uploads.abort, _upload(call))
    return empty(204)


async def list_parts(call: Call) -> Response:
    upload = _upload(call)
    after, most = call.number("part-number-marker", 0), call.number("max-parts", 1000, 1000)
    later = [part for part in call.uploads.parts(upload) if part.number > after]
    page: list[tuple[str, s3_xml.Content]] = [
        (
            "Part",
            [
                ("PartNumber", part.number),
                ("LastModified", s3_xml.moment(part.modified)),
                ("ETag", f'"{part.etag}"'),
                ("Size", part.size),
            ],
        )
        for part in later[:most]
    ]
    more = len(later) > most > 0
    head: list[tuple[str, s3_xml.Content]] = [
        ("Bucket", call.bucket),
        ("Key", call.key),
        ("UploadId", upload.id),
        ("PartNumberMarker", after),
        ("MaxParts", most),
        ("IsTruncated", more),
        ("StorageClass", "STANDARD"),
        ("Owner", _OWNER),
        ("Initiator", _OWNER),
    ]
    last: list[tuple[str, s3_xml.Content]] = (
        [("NextPartNumberMarker", later[most - 1].number)] if more else []
    )
    return xml("ListPartsResult", [*head, *last, *page])


async def list_multipart_uploads(call: Call) -> Response:
    call.need_bucket()
    prefix = call.query.get("prefix", "")
    uploads: list[tuple[str, s3_xml.Content]] = [
        (
            "Upload",
            [
                ("Key", upload.uri.key),
                ("UploadId", upload.id),
                ("Initiator", _OWNER),
                ("Owner", _OWNER),
                ("StorageClass", "STANDARD"),
                ("Initiated", s3_xml.moment(upload.started)),
            ],
        )
        for upload in call.uploads.under_way(call.bucket, prefix)
    ]
    head: list[tuple[str, s3_xml.Content]] = [
        ("Bucket", call.bucket),
        ("Prefix", prefix),
        ("MaxUploads", max(1000, len(uploads))),  # all in one page: there are never many
        ("IsTruncated", False),
    ]
    return xml("ListMultipartUploadsResult", [*head, *uploads])


def _upload(call: Call) -> Upload:
    upload = call.uploads.find(call.query.get("uploadId", ""), call.uri)
    if upload is None:
        raise S3Error(
            "NoSuchUpload", "The specified upload does not exist: it was completed, aborted or never begun"
        )
    return upload


def _part_number(call: Call) -> int:
    number = call.number("partNumber", 0, _MOST_PARTS + 1)
    if not 1 <= number <= _MOST_PARTS:
        raise S3Error("InvalidArgument", f"partNumber must be from 1 to {_MOST_PARTS}")
    return number


def _number(text: str) -> int:
    if not is_number(text.strip()):
        raise S3Error("MalformedXML", f"{text[:40]!r} is no part number")
    return number(text.strip())


def _cut(source: Path, start: int, size: int, target: Path) -> str:
    """Copy a slice of a file; returns its MD5 as hex."""
    total = hashlib.md5(usedforsecurity=False)
    with disk.faults(target), source.open("rb") as reader, target.open("wb") as writer:
        reader.seek(start, os.SEEK_SET)
        while size > 0 and (chunk := reader.read(min(1 << 20, size))):
            size -= len(chunk)
            total.update(chunk)
            writer.write(chunk)
    return total.hexdigest()
