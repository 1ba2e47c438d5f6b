"""The operations of S3 on one object."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import BinaryIO
from xml.etree import ElementTree

from starlette.responses import Response, StreamingResponse

from sagelocal.cloud import disk, s3_xml
from sagelocal.cloud.s3 import ObjectInfo, Stored
from sagelocal.cloud.s3_bodies import received
from sagelocal.cloud.s3_call import Call, check_read, copy_source, empty, http_date, number, xml
from sagelocal.cloud.s3_faults import S3Error, no_key
from sagelocal.names import S3Uri

_CHUNK = 1 << 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
Slice = tuple[int, int]
"""First byte and how many."""


async def head_object(call: Call) -> Response:
    found = _find(call, call.uri)
    status, headers, _ = _answer(call, found)
    return Response(status_code=status, headers=headers)


async def get_object(call: Call) -> Response:
    found, file = _open(call)
    try:
        status, headers, (start, size) = _answer(call, found)
    except S3Error:
        file.close()
        raise
    if size > _CHUNK:
        return StreamingResponse(_read(file, start, size), status, headers)
    with file:
        return Response(os.pread(file.fileno(), size, start), status, headers)


async def put_object(call: Call) -> Response:
    async with received(call.request, call.store) as body:
        traits = call.traits(body.checksums)
        info = call.store.commit(body.path, call.uri, replace(traits, etag=body.md5), call.write_condition())
        return empty(200, {"etag": _quoted(info), **body.checksums})


async def delete_object(call: Call) -> Response:
    call.need_bucket()
    call.store.delete(call.uri, call.write_condition())
    return empty(204)


async def copy_object(call: Call) -> Response:
    source = _find(call, copy_source(call))
    if not check_read(call.headers, source.info, "x-amz-copy-source-"):
        raise S3Error("PreconditionFailed", "The conditions on the source do not hold")
    fresh = call.traits()
    keep = call.headers.get("x-amz-metadata-directive", "COPY").upper() == "COPY"
    if keep and source.info.uri == call.uri:
        raise S3Error(
            "InvalidRequest", "This would copy an object to itself: set x-amz-metadata-directive to REPLACE"
        )
    traits = source.traits if keep else replace(fresh, tags=source.traits.tags)
    if call.headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE":
        traits = replace(traits, tags=fresh.tags)
    traits = replace(traits, etag="" if "-" in source.info.etag else source.info.etag, parts=())
    with call.store.spool() as spare:
        await asyncio.to_thread(disk.clone, source.path, spare)
        info = await asyncio.to_thread(call.store.commit, spare, call.uri, traits, call.write_condition())
    return xml("CopyObjectResult", [("LastModified", s3_xml.moment(info.modified)), ("ETag", _quoted(info))])


async def get_object_attributes(call: Call) -> Response:
    found = _find(call, call.uri)
    wanted = {name.strip() for name in call.headers.get("x-amz-object-attributes", "").split(",")}
    sums = [
        ("Checksum" + name.removeprefix("x-amz-checksum-").upper(), value)
        for name, value in found.traits.headers.items()
        if name.startswith("x-amz-checksum-")
    ]
    parts: s3_xml.Content = [("PartsCount", len(found.traits.parts))]
    every: list[tuple[str, s3_xml.Content]] = [
        ("ETag", found.info.etag),
        ("Checksum", sums),
        ("ObjectParts", parts),
        ("StorageClass", "STANDARD"),
        ("ObjectSize", found.info.size),
    ]
    content = [
        (name, value)
        for name, value in every
        if name in wanted and (name != "ObjectParts" or found.traits.parts)
    ]
    return xml("GetObjectAttributesResponse", content, {"last-modified": http_date(found.info.modified)})


async def get_object_tagging(call: Call) -> Response:
    tags = _find(call, call.uri).traits.tags
    return xml(
        "Tagging", [("TagSet", [("Tag", [("Key", key), ("Value", value)]) for key, value in tags.items()])]
    )


async def put_object_tagging(call: Call) -> Response:
    _set_tags(call, tags_in(s3_xml.parse(await call.document())))
    return empty()


async def delete_object_tagging(call: Call) -> Response:
    _set_tags(call, {})
    return empty(204)


def tags_in(root: ElementTree.Element) -> dict[str, str]:
    """The tags of a Tagging document."""
    return {tag.findtext("Key", ""): tag.findtext("Value", "") for tag in root.iter("Tag")}


def source_slice(call: Call, size: int) -> Slice | None:
    """The part of its source that an UploadPartCopy asks for; None: all."""
    header = call.headers.get("x-amz-copy-source-range")
    return _range(header, size) if header else None


def find_source(call: Call) -> Stored:
    """The object that ``x-amz-copy-source`` names."""
    return _find(call, copy_source(call))


def _set_tags(call: Call, tags: Mapping[str, str]) -> None:
    if not call.store.describe(call.uri, lambda traits: replace(traits, tags=tags)):
        raise no_key(call.key)


def _find(call: Call, uri: S3Uri) -> Stored:
    found = call.store.find(uri)
    if found is None:
        replace(call, bucket=uri.bucket).need_bucket()
        raise no_key(uri.key)
    return found


def _open(call: Call) -> tuple[Stored, BinaryIO]:
    """The object with its file opened: the very file that the info is about, though writers may replace it any time."""
    while True:
        found = _find(call, call.uri)
        try:
            file = found.path.open("rb")
        except FileNotFoundError:  # replaced by one put aside, or deleted, which the next look will tell
            continue
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime) == (found.info.size, found.info.modified):
            return found, file
        file.close()


def _answer(call: Call, found: Stored) -> tuple[int, dict[str, str], Slice]:
    """Status, headers and the bytes to send for a GET or HEAD."""
    if not check_read(call.headers, found.info):
        return 304, {"etag": _quoted(found.info), "last-modified": http_date(found.info.modified)}, (0, 0)
    piece = _slice(call, found)
    start, size = piece or (0, found.info.size)
    headers = {**_headers(call, found, whole=piece is None), "content-length": str(size)}
    if piece:
        headers["content-range"] = f"bytes {start}-{start + size - 1}/{found.info.size}"
    return 206 if piece else 200, headers, (start, size)


def _headers(call: Call, found: Stored, *, whole: bool) -> dict[str, str]:
    info, traits = found.info, found.traits
    sums = whole and call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    kept = {
        name: value
        for name, value in traits.headers.items()
        if sums or not name.startswith("x-amz-checksum-")
    }
    headers = {
        "content-type": info.content_type,
        **kept,
        "etag": _quoted(info),
        "last-modified": http_date(info.modified),
        "accept-ranges": "bytes",
        **{f"x-amz-meta-{name}": value.encode().decode("latin-1") for name, value in info.metadata.items()},
    }
    if traits.tags:
        headers["x-amz-tagging-count"] = str(len(traits.tags))
    if traits.parts and "partNumber" in call.query:
        headers["x-amz-mp-parts-count"] = str(len(traits.parts))
    for name in _OVERRIDES:
        if value := call.query.get(f"response-{name}"):
            headers[name] = _said(name, value)
    return headers


def _said(name: str, value: str) -> str:
    """A header's value that the query asks for; a line break in it would begin another header."""
    if _CONTROL.search(value):
        raise S3Error("InvalidArgument", f"response-{name} must be one line of text")
    return value.encode("utf-8", "replace").decode("latin-1")


def _slice(call: Call, found: Stored) -> Slice | None:
    if "partNumber" in call.query:
        sizes, number = found.traits.parts or (found.info.size,), call.number("partNumber", 1)
        if not 1 <= number <= len(sizes):
            raise S3Error("InvalidPartNumber", f"The object has {len(sizes)} parts, so no part {number}")
        whole = found.info.size == 0
        return None if whole else (sum(sizes[: number - 1]), sizes[number - 1])
    return _range(call.headers.get("range", ""), found.info.size)


def _range(header: str, size: int) -> Slice | None:
    """The bytes that a Range header asks for; None (all of them) for forms that RFC 9110 lets a server ignore."""
    asked = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", header.strip())
    if not asked or asked.groups() == ("", ""):
        return None
    first, last = asked.groups()
    start = number(first) if first else max(size - number(last), 0)
    end = min(number(last), size - 1) if first and last else size - 1
    if first and last and number(last) < start:
        return None
    if start > end:
        raise S3Error(
            "InvalidRange", "The requested range is not satisfiable", {"content-range": f"bytes */{size}"}
        )
    return start, end - start + 1


async def _read(file: BinaryIO, start: int, size: int) -> AsyncIterator[bytes]:
    with file:
        while size > 0:
            chunk = await asyncio.to_thread(os.pread, file.fileno(), min(_CHUNK, size), start)
            if not chunk:  # cut short behind our back: the client sees too few bytes, as it should
                return
            start, size = start + len(chunk), size - len(chunk)
            yield chunk


def _quoted(info: ObjectInfo) -> str:
    return f'"{info.etag}"'
