"""S3's HTTP interface over the object store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sagelocal.cloud import s3_buckets as buckets
from sagelocal.cloud import s3_objects as objects
from sagelocal.cloud import s3_uploads as uploads
from sagelocal.cloud.multipart import PartsError, Uploads
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.cloud.s3_call import Call
from sagelocal.cloud.s3_faults import S3Error, translated
from sagelocal.cloud.s3_xml import MalformedError
from sagelocal.errors import MachineError, UsageError

Handler = Callable[[Call], Awaitable[Response]]


class _Row(NamedTuple):
    """An operation: on what (service, bucket, object), by which method, marked by which query key or header."""

    on: str
    method: str
    mark: str
    name: str
    handler: Handler | None  # None: known, but not served


_OPERATIONS = [
    _Row("service", "GET", "", "ListBuckets", buckets.list_buckets),
    _Row("object", "GET", "uploadId", "ListParts", uploads.list_parts),
    _Row("object", "GET", "tagging", "GetObjectTagging", objects.get_object_tagging),
    _Row("object", "GET", "attributes", "GetObjectAttributes", objects.get_object_attributes),
    _Row(
        "object", "GET", "acl", "GetObjectAcl", buckets.settled("AccessControlPolicy", buckets.OWNER_MAY_ALL)
    ),
    _Row("object", "GET", "retention", "GetObjectRetention", None),
    _Row("object", "GET", "legal-hold", "GetObjectLegalHold", None),
    _Row("object", "GET", "torrent", "GetObjectTorrent", None),
    _Row("object", "GET", "", "GetObject", objects.get_object),
    _Row("object", "HEAD", "", "HeadObject", objects.head_object),
    _Row("object", "PUT", "tagging", "PutObjectTagging", objects.put_object_tagging),
    _Row("object", "PUT", "acl", "PutObjectAcl", buckets.accept),
    _Row("object", "PUT", "retention", "PutObjectRetention", None),
    _Row("object", "PUT", "legal-hold", "PutObjectLegalHold", None),
    _Row("object", "PUT", "renameObject", "RenameObject", None),
    _Row("object", "PUT", "uploadId x-amz-copy-source", "UploadPartCopy", uploads.upload_part_copy),
    _Row("object", "PUT", "uploadId", "UploadPart", uploads.upload_part),
    _Row("object", "PUT", "x-amz-copy-source", "CopyObject", objects.copy_object),
    _Row("object", "PUT", "x-amz-write-offset-bytes", "PutObject with an offset", None),
    _Row("object", "PUT", "", "PutObject", objects.put_object),
    _Row("object", "POST", "uploads", "CreateMultipartUpload", uploads.create_multipart_upload),
    _Row("object", "POST", "uploadId", "CompleteMultipartUpload", uploads.complete_multipart_upload),
    _Row("object", "POST", "select", "SelectObjectContent", None),
    _Row("object", "POST", "restore", "RestoreObject", None),
    _Row("object", "DELETE", "uploadId", "AbortMultipartUpload", uploads.abort_multipart_upload),
    _Row("object", "DELETE", "tagging", "DeleteObjectTagging", objects.delete_object_tagging),
    _Row("object", "DELETE", "", "DeleteObject", objects.delete_object),
    _Row("bucket", "GET", "location", "GetBucketLocation", buckets.get_bucket_location),
    _Row(
        "bucket", "GET", "versioning", "GetBucketVersioning", buckets.settled("VersioningConfiguration", [])
    ),
    _Row("bucket", "GET", "uploads", "ListMultipartUploads", uploads.list_multipart_uploads),
    _Row("bucket", "GET", "versions", "ListObjectVersions", buckets.list_object_versions),
    _Row(
        "bucket", "GET", "acl", "GetBucketAcl", buckets.settled("AccessControlPolicy", buckets.OWNER_MAY_ALL)
    ),
    _Row("bucket", "GET", "tagging", "GetBucketTagging", buckets.unset("NoSuchTagSet")),
    _Row("bucket", "GET", "policyStatus", "GetBucketPolicyStatus", buckets.unset("NoSuchBucketPolicy")),
    _Row("bucket", "GET", "policy", "GetBucketPolicy", buckets.unset("NoSuchBucketPolicy")),
    _Row("bucket", "GET", "cors", "GetBucketCors", buckets.unset("NoSuchCORSConfiguration")),
    _Row("bucket", "GET", "lifecycle", "GetBucketLifecycle", buckets.unset("NoSuchLifecycleConfiguration")),
    _Row("bucket", "GET", "website", "GetBucketWebsite", buckets.unset("NoSuchWebsiteConfiguration")),
    _Row(
        "bucket",
        "GET",
        "replication",
        "GetBucketReplication",
        buckets.unset("ReplicationConfigurationNotFoundError"),
    ),
    _Row(
        "bucket", "GET", "object-lock", "GetObjectLock", buckets.unset("ObjectLockConfigurationNotFoundError")
    ),
    _Row(
        "bucket",
        "GET",
        "encryption",
        "GetBucketEncryption",
        buckets.unset("ServerSideEncryptionConfigurationNotFoundError"),
    ),
    _Row(
        "bucket",
        "GET",
        "publicAccessBlock",
        "GetPublicAccessBlock",
        buckets.unset("NoSuchPublicAccessBlockConfiguration"),
    ),
    _Row(
        "bucket", "GET", "ownershipControls", "GetOwnership", buckets.unset("OwnershipControlsNotFoundError")
    ),
    _Row("bucket", "GET", "logging", "GetBucketLogging", buckets.settled("BucketLoggingStatus", [])),
    _Row(
        "bucket", "GET", "notification", "GetNotification", buckets.settled("NotificationConfiguration", [])
    ),
    _Row("bucket", "GET", "accelerate", "GetAccelerate", buckets.settled("AccelerateConfiguration", [])),
    _Row(
        "bucket",
        "GET",
        "requestPayment",
        "GetBucketRequestPayment",
        buckets.settled("RequestPaymentConfiguration", [("Payer", "BucketOwner")]),
    ),
    _Row("bucket", "GET", "list-type", "ListObjectsV2", buckets.list_objects_v2),
    _Row("bucket", "GET", "inventory", "GetBucketInventory", None),
    _Row("bucket", "GET", "analytics", "GetBucketAnalytics", None),
    _Row("bucket", "GET", "metrics", "GetBucketMetrics", None),
    _Row("bucket", "GET", "session", "CreateSession", None),
    _Row("bucket", "GET", "", "ListObjects", buckets.list_objects),
    _Row("bucket", "HEAD", "", "HeadBucket", buckets.head_bucket),
    *(
        _Row("bucket", method, mark, f"{verb}{name}", buckets.accept)
        for method, verb in (("PUT", "Put"), ("DELETE", "Delete"))
        for mark, name in {
            "acl": "BucketAcl",
            "encryption": "BucketEncryption",
            "publicAccessBlock": "PublicAccessBlock",
            "ownershipControls": "BucketOwnershipControls",
            "policy": "BucketPolicy",
            "tagging": "BucketTagging",
            "cors": "BucketCors",
        }.items()
    ),
    *(
        _Row("bucket", method, mark, f"{method.title()}Bucket{name}", None)
        for method in ("PUT", "DELETE")
        for mark, name in {
            "versioning": "Versioning",
            "lifecycle": "LifecycleConfiguration",
            "notification": "NotificationConfiguration",
            "replication": "Replication",
            "website": "Website",
            "logging": "Logging",
            "object-lock": "ObjectLockConfiguration",
            "accelerate": "AccelerateConfiguration",
            "requestPayment": "RequestPayment",
            "inventory": "InventoryConfiguration",
            "analytics": "AnalyticsConfiguration",
            "metrics": "MetricsConfiguration",
        }.items()
    ),
    _Row("bucket", "PUT", "", "CreateBucket", buckets.create_bucket),
    _Row("bucket", "POST", "delete", "DeleteObjects", buckets.delete_objects),
    _Row("bucket", "POST", "", "PostObject", None),
    _Row("bucket", "DELETE", "", "DeleteBucket", buckets.delete_bucket),
]
"""The first row that fits counts, so the unmarked ones come last."""


def s3_app(store: ObjectStore) -> ASGIApp:
    """S3 in path style and in virtual-host style (``bucket.localhost``, ``bucket.s3.<region>.amazonaws.com``).

    Without Starlette's router, which redirects and refuses paths (line breaks, final slashes) that are good keys.
    """
    uploads_of_store = Uploads(store)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await _respond(request, store, uploads_of_store)
        await response(scope, receive, send)

    return answer


def address(request: Request) -> tuple[str, str]:
    """Bucket and key that a request names; each may be empty.

    Raises:
        S3Error: InvalidURI, when the path is not UTF-8.
    """
    try:
        # The raw path: a decoded one would not tell a slash from an escaped one, nor bad UTF-8 from good.
        path = unquote_to_bytes(request.scope["raw_path"]).decode("utf-8").removeprefix("/")
    except UnicodeDecodeError:
        raise S3Error("InvalidURI", "The path is not UTF-8") from None
    if bucket := _bucket_of_host(request.headers.get("host", "")):
        return bucket, path
    bucket, _, key = path.partition("/")
    return bucket, key


async def _respond(request: Request, store: ObjectStore, uploads_of_store: Uploads) -> Response:
    try:
        bucket, key = address(request)
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        call = Call(request, store, uploads_of_store, bucket, key, query)
        return await _handler(call)(call)
    except S3Error as fault:
        return _refusal(request, fault)
    except (UsageError, MachineError, PartsError, MalformedError) as error:
        return _refusal(request, translated(error))


def _handler(call: Call) -> Handler:
    on, method = "object" if call.key else "bucket" if call.bucket else "service", call.request.method
    for row in _OPERATIONS:
        if row.on == on and row.method == method and all(_marked(call, mark) for mark in row.mark.split()):
            if row.handler is None:
                raise S3Error("NotImplemented", f"S3's {row.name} is not served by sagelocal")
            return row.handler
    raise S3Error("MethodNotAllowed", f"S3 has no {method} on a {on}")


def _marked(call: Call, mark: str) -> bool:
    return mark in call.query or (mark.startswith("x-amz-") and mark in call.headers)


def _refusal(request: Request, fault: S3Error) -> Response:
    body = b"" if request.method == "HEAD" else fault.body(request.url.path)
    return Response(body, fault.status, fault.headers, "application/xml")


def _bucket_of_host(host: str) -> str:
    """The bucket in a Host header; empty in path style."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    for suffix in (".localhost", ".amazonaws.com"):
        if name.endswith(suffix):
            labels = name.removesuffix(suffix).split(".")
            for index, label in enumerate(labels):
                # What follows the bucket is s3, s3-<region>, or s3.<region>; a bucket's own dots come before.
                if label == "s3" or label.startswith("s3-"):
                    return ".".join(labels[:index])
            return ".".join(labels) if suffix == ".localhost" else ""
    return ""
