"""The operations of S3 on buckets and lists of objects."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from sagelocal.cloud import s3_xml
from sagelocal.cloud.listing import Entry
from sagelocal.cloud.s3_call import Call, empty, xml
from sagelocal.cloud.s3_faults import S3Error
from sagelocal.errors import SagelocalError, UsageError
from sagelocal.names import S3Uri

_MOST_KEYS = 1000
_OWNER: s3_xml.Content = [("ID", "sagelocal"), ("DisplayName", "sagelocal")]
Children = list[tuple[str, s3_xml.Content]]


@dataclass(frozen=True, slots=True)
class _Page:
    entries: list[Entry]
    more: bool

    @property
    def last(self) -> str:
        return self.entries[-1].key if self.entries else ""


async def list_buckets(call: Call) -> Response:
    buckets: Children = [
        ("Bucket", [("Name", name), ("CreationDate", s3_xml.moment(changed))])
        for name, changed in call.store.buckets()
        if name.startswith(call.query.get("prefix", ""))
    ]
    return xml("ListAllMyBucketsResult", [("Owner", _OWNER), ("Buckets", buckets)])


async def create_bucket(call: Call) -> Response:
    try:
        call.store.create_bucket(call.bucket)
    except UsageError as error:
        raise S3Error("InvalidBucketName", str(error)) from None
    return empty(200, {"location": f"/{call.bucket}"})


async def head_bucket(call: Call) -> Response:
    call.need_bucket()
    return empty(200, {"x-amz-bucket-region": _region(call)})


async def delete_bucket(call: Call) -> Response:
    call.need_bucket()
    if not await asyncio.to_thread(call.store.delete_bucket, call.bucket):
        raise S3Error("BucketNotEmpty", f"The bucket you tried to delete is not empty: {call.bucket}")
    return empty(204)


async def get_bucket_location(call: Call) -> Response:
    call.need_bucket()
    region = _region(call)
    return xml("LocationConstraint", "" if region == "us-east-1" else region)


async def list_objects_v2(call: Call) -> Response:
    token, start = call.query.get("continuation-token"), call.query.get("start-after", "")
    page, most = await _page(call, _untoken(token) if token else start)
    head: Children = [("KeyCount", len(page.entries))]
    if token:
        head.append(("ContinuationToken", token))
    if start:
        head.append(("StartAfter", _encoder(call)(start)))
    if page.more:
        head.append(("NextContinuationToken", base64.urlsafe_b64encode(page.last.encode()).decode()))
    owner = call.query.get("fetch-owner") == "true"
    return xml("ListBucketResult", await asyncio.to_thread(_listed, call, page, most, head, owner))


async def list_objects(call: Call) -> Response:
    marker = call.query.get("marker", "")
    page, most = await _page(call, marker)
    encode = _encoder(call)
    head: Children = [("Marker", encode(marker))]
    if page.more and call.query.get("delimiter"):
        head.append(("NextMarker", encode(page.last)))
    return xml("ListBucketResult", await asyncio.to_thread(_listed, call, page, most, head, True))


async def list_object_versions(call: Call) -> Response:
    """Every object has one version, as in a bucket without versioning."""
    marker = call.query.get("key-marker", "")
    page, most = await _page(call, marker)
    encode = _encoder(call)
    head: Children = [("KeyMarker", encode(marker))]
    if page.more:
        head.append(("NextKeyMarker", encode(page.last)))
    listed = await asyncio.to_thread(_listed, call, page, most, head, True)
    return xml("ListVersionsResult", [_as_version(name, content) for name, content in listed])


async def delete_objects(call: Call) -> Response:
    call.need_bucket()
    root = s3_xml.parse(await call.document())
    names = [item.findtext("Key", "") for item in root.iter("Object")]
    if not 1 <= len(names) <= _MOST_KEYS:
        raise S3Error("MalformedXML", f"Name 1 to {_MOST_KEYS} objects")
    results = await asyncio.to_thread(lambda: [_deleted(call, key) for key in names])
    quiet = root.findtext("Quiet", "").strip() == "true"
    return xml("DeleteResult", [result for result in results if result[0] == "Error" or not quiet])


def settled(name: str, content: s3_xml.Content) -> Callable[[Call], Awaitable[Response]]:
    """An operation that reports a setting nobody can change here."""

    async def answer(call: Call) -> Response:
        call.need_bucket()
        return xml(name, content)

    return answer


def unset(code: str) -> Callable[[Call], Awaitable[Response]]:
    """An operation that reports a setting nobody has made."""

    async def answer(call: Call) -> Response:
        call.need_bucket()
        raise S3Error(code, f"The bucket {call.bucket} has no such configuration")

    return answer


async def accept(call: Call) -> Response:
    """A setting that changes nothing on one person's machine (access, encryption): taken and forgotten."""
    call.need_bucket()
    await call.document()
    return empty(204 if call.request.method == "DELETE" else 200)


OWNER_MAY_ALL: s3_xml.Content = [
    ("Owner", _OWNER),
    ("AccessControlList", [("Grant", [("Grantee", _OWNER), ("Permission", "FULL_CONTROL")])]),
]


async def _page(call: Call, after: str) -> tuple[_Page, int]:
    call.need_bucket()
    most = call.number("max-keys", _MOST_KEYS, _MOST_KEYS)
    return await asyncio.to_thread(_collect, call, after, most), most


def _collect(call: Call, after: str, most: int) -> _Page:
    entries: list[Entry] = []
    if most == 0:
        return _Page(entries, more=False)
    for entry in _entries(call, after):
        if len(entries) == most:
            return _Page(entries, more=True)
        entries.append(entry)
    return _Page(entries, more=False)


def _entries(call: Call, after: str) -> Iterator[Entry]:
    prefix, delimiter = S3Uri(call.bucket, call.query.get("prefix", "")), call.query.get("delimiter", "")
    if delimiter in {"", "/"}:
        yield from call.store.walk(prefix, after, shallow=bool(delimiter))
        return
    common = ""
    for entry in call.store.walk(prefix, after):
        head, found, _ = entry.key[len(prefix.key) :].partition(delimiter)
        group = prefix.key + head + found
        if not found:
            yield entry
        elif group not in {common, after}:
            common = group
            yield Entry(group, None)


def _listed(call: Call, page: _Page, most: int, head: Children, owner: bool) -> Children:
    encode = _encoder(call)
    result: Children = [("Name", call.bucket), ("Prefix", encode(call.query.get("prefix", "")))]
    if delimiter := call.query.get("delimiter"):
        result.append(("Delimiter", encode(delimiter)))
    result += [("MaxKeys", most), ("IsTruncated", page.more), *head]
    if "encoding-type" in call.query:
        result.append(("EncodingType", "url"))
    for entry in page.entries:
        info = call.store.info(call.bucket, entry)
        if info:
            content: Children = [
                ("Key", encode(entry.key)),
                ("LastModified", s3_xml.moment(info.modified)),
                ("ETag", f'"{info.etag}"'),
                ("Size", info.size),
                ("StorageClass", "STANDARD"),
            ]
            result.append(("Contents", [*content, ("Owner", _OWNER)] if owner else content))
    return result + [
        ("CommonPrefixes", [("Prefix", encode(item.key))]) for item in page.entries if not item.file
    ]


def _as_version(name: str, content: s3_xml.Content) -> tuple[str, s3_xml.Content]:
    if name != "Contents" or isinstance(content, str | int):
        return name, content
    return "Version", [("VersionId", "null"), ("IsLatest", True), *content]


def _encoder(call: Call) -> Callable[[str], str]:
    if call.query.get("encoding-type") == "url":
        return lambda text: quote(text, safe="/")
    return lambda text: text


def _untoken(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from None


def _deleted(call: Call, key: str) -> tuple[str, s3_xml.Content]:
    try:
        call.store.delete(S3Uri(call.bucket, key))
    except SagelocalError as error:
        return "Error", [("Key", key), ("Code", "InvalidArgument"), ("Message", str(error))]
    return "Deleted", [("Key", key)]


def _region(call: Call) -> str:
    """The region that the client signed for: every bucket lies where it is looked for."""
    credential = call.headers.get("authorization", "").partition("Credential=")[2].partition(",")[0]
    scope = (credential or call.query.get("X-Amz-Credential", "")).split("/")
    return scope[-3] if len(scope) >= 5 else "us-east-1"
