"""What S3 says when it refuses."""

from __future__ import annotations

from sagelocal.cloud import s3_xml
from sagelocal.cloud.multipart import PartsError
from sagelocal.errors import MachineError, UsageError

_STATUS = {
    "AccessDenied": 403,
    "BadDigest": 400,
    "BucketNotEmpty": 409,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedXML": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "OwnershipControlsNotFoundError": 404,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
}


class S3Error(Exception):
    """A refusal with S3's code, a text for a person, and further headers of the answer."""

    def __init__(self, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        self.code = code
        self.message = message
        self.headers = headers or {}
        super().__init__(message)

    @property
    def status(self) -> int:
        return _STATUS[self.code]

    def body(self, resource: str) -> bytes:
        """The answer's XML; `resource` is the path asked for."""
        content = [
            ("Code", self.code),
            ("Message", self.message),
            ("Resource", resource),
            ("RequestId", "sagelocal"),
        ]
        return s3_xml.document("Error", content, namespace=False)


def translated(error: UsageError | MachineError | PartsError | s3_xml.MalformedError) -> S3Error:
    """Our own errors as S3's."""
    match error:
        case PartsError():
            return S3Error(error.code, str(error))
        case s3_xml.MalformedError():
            return S3Error("MalformedXML", str(error))
        case UsageError():
            return S3Error(_code(str(error)), str(error))
        case MachineError():
            return S3Error("InternalError", str(error))


def _code(refusal: str) -> str:
    if "cannot be a bucket" in refusal:
        return "InvalidBucketName"
    return "KeyTooLongError" if "longer than" in refusal else "InvalidArgument"


def no_bucket(bucket: str) -> S3Error:
    return S3Error("NoSuchBucket", f"The specified bucket does not exist: {bucket}")


def no_key(key: str) -> S3Error:
    return S3Error("NoSuchKey", f"The specified key does not exist: {key}")
