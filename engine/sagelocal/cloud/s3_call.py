"""One request to S3, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import Response

from sagelocal.cloud import s3_xml
from sagelocal.cloud.multipart import Uploads
from sagelocal.cloud.s3 import Condition, ObjectInfo, ObjectStore
from sagelocal.cloud.s3_faults import S3Error, no_bucket
from sagelocal.cloud.sidecars import DEFAULT_TYPE, Traits
from sagelocal.names import S3Uri

_KEPT = ("cache-control", "content-disposition", "content-language", "expires")
_LARGEST_DOCUMENT = 16 << 20  # bytes of an XML body
_LONGEST_NUMBER = 18  # digits
_LARGEST_NUMBER = 10**_LONGEST_NUMBER


@dataclass(frozen=True, slots=True)
class Call:
    """A request with what it is about; bucket and key are empty where it names none."""

    request: Request
    store: ObjectStore
    uploads: Uploads
    bucket: str
    key: str
    query: Mapping[str, str]

    @property
    def uri(self) -> S3Uri:
        return S3Uri(self.bucket, self.key)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    def need_bucket(self) -> None:
        """Raises S3Error: NoSuchBucket."""
        if not self.store.has_bucket(self.bucket):
            raise no_bucket(self.bucket)

    def number(self, name: str, default: int, largest: int = 10_000) -> int:
        """A number from 0 in the query; more than `largest` is that, as S3 has it."""
        text = self.query.get(name) or str(default)
        if not is_number(text):
            raise S3Error("InvalidArgument", f"{name} must be a number from 0, not {text[:40]!r}")
        return min(number(text), largest)

    async def document(self) -> bytes:
        """The body of a request that carries XML."""
        body = bytearray()
        async for chunk in self.request.stream():
            body += chunk
            if len(body) > _LARGEST_DOCUMENT:
                raise S3Error("MalformedXML", "The XML is too large")
        return bytes(body)

    def traits(self, checksums: Mapping[str, str] | None = None) -> Traits:
        """What the headers of a write say about the object."""
        headers = {name: self.headers[name] for name in _KEPT if name in self.headers}
        encodings = [part.strip() for part in self.headers.get("content-encoding", "").split(",")]
        if encoding := ",".join(part for part in encodings if part and part != "aws-chunked"):
            headers["content-encoding"] = encoding
        return Traits(
            content_type=self.headers.get("content-type") or DEFAULT_TYPE,
            metadata=self._metadata(),
            headers={**headers, **(checksums or {})},
            tags=dict(parse_qsl(self.headers.get("x-amz-tagging", ""), keep_blank_values=True)),
        )

    def write_condition(self) -> Condition | None:
        """The conditions of a conditional write, for the store to check under its lock."""
        if_match, if_none = self.headers.get("if-match"), self.headers.get("if-none-match")
        if if_match is None and if_none is None:
            return None

        def check(there: ObjectInfo | None) -> None:
            if if_match is not None and there is None:
                raise S3Error("NoSuchKey", f"The specified key does not exist: {self.key}")
            if if_match is not None and not matches(if_match, there):
                raise S3Error("PreconditionFailed", "The object is not the one that If-Match names")
            if if_none is not None and matches(if_none, there):
                raise S3Error(
                    "PreconditionFailed", "There is such an object already, which If-None-Match forbids"
                )

        return check

    def _metadata(self) -> dict[str, str]:
        start = "x-amz-meta-"
        # Bytes beyond ASCII come as UTF-8, which Starlette reads as Latin-1.
        return {
            name[len(start) :]: _text(value) for name, value in self.headers.items() if name.startswith(start)
        }


def is_number(text: str) -> bool:
    """Whether the text is a number from 0 in plain digits."""
    return text.isascii() and text.isdecimal()


def number(text: str) -> int:
    """The number; one too long for any size or place is the largest there can be, as Python refuses to read it."""
    return int(text) if len(text) <= _LONGEST_NUMBER else _LARGEST_NUMBER


def matches(header: str, info: ObjectInfo | None) -> bool:
    """Whether an If-Match or If-None-Match header names this object."""
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return info is not None and ("*" in tags or info.etag in tags)


def check_read(headers: Mapping[str, str], info: ObjectInfo, prefix: str = "") -> bool:
    """Whether the object is to be sent (False: it is not modified), by the conditional headers (RFC 9110, 13.2.2).

    Raises:
        S3Error: PreconditionFailed.
    """
    if_match, if_none = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    unmodified, modified = (
        headers.get(f"{prefix}if-unmodified-since"),
        headers.get(f"{prefix}if-modified-since"),
    )
    if if_match is not None:
        if not matches(if_match, info):
            raise S3Error("PreconditionFailed", "The object is not the one that If-Match names")
    elif unmodified is not None and _newer(info, unmodified, no_date=False):
        raise S3Error("PreconditionFailed", "The object was modified since")
    if if_none is not None:
        return not matches(if_none, info)
    return modified is None or _newer(info, modified, no_date=True)


def xml(name: str, content: s3_xml.Content, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in XML."""
    return Response(s3_xml.document(name, content), media_type="application/xml", headers=headers)


def empty(status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer without a body."""
    return Response(status_code=status, headers=headers)


def http_date(moment: float) -> str:
    return formatdate(moment, usegmt=True)


def copy_source(call: Call) -> S3Uri:
    """What ``x-amz-copy-source`` names: ``[/]bucket/key[?versionId=…]``, percent-encoded."""
    text = call.headers["x-amz-copy-source"].partition("?versionId=")[0].removeprefix("/")
    bucket, slash, key = unquote(text).partition("/")
    if not slash or not key:
        raise S3Error("InvalidArgument", f"x-amz-copy-source must be bucket/key, not {text!r}")
    return S3Uri(bucket, key)


def _newer(info: ObjectInfo, date: str, *, no_date: bool) -> bool:
    try:
        return int(info.modified) > parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):  # RFC 9110: a date that is none is ignored
        return no_date


def _text(value: str) -> str:
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
