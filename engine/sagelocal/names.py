"""ARNs, ids, job names and S3 URIs: made here, parsed here, nowhere else (semantics 06 §6.8, 10 §10.2)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import string
from dataclasses import dataclass

from sagelocal.errors import UsageError

_ALPHABET = string.ascii_lowercase + string.digits
_MIXED = string.ascii_letters + string.digits
_CALLBACK_TOKEN_LENGTH = 10
JOB_NAME_LENGTH = 63
_STEP_PART_LENGTH = 20


def new_execution_id() -> str:
    """A fresh execution id: 12 lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


@dataclass(frozen=True, slots=True)
class Partition:
    """Where entities live: what every ARN begins with."""

    region: str
    account: str

    def arn(self, resource: str) -> str:
        """The ARN of a SageMaker entity, ``training-job/x`` say; the name is lower-cased as the service does."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{resource.lower()}"

    def pipeline(self, name: str) -> str:
        """The ARN of a pipeline, which keeps its case."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:pipeline/{name}"

    def execution(self, pipeline: str, execution_id: str) -> str:
        return f"{self.pipeline(pipeline)}/execution/{execution_id}"


def execution_id(arn: str) -> str:
    """The id at the end of an execution ARN."""
    return arn.rsplit("/", 1)[-1]


def pipeline_of(arn: str) -> str:
    """The pipeline's name in a pipeline or execution ARN; a bare name is returned as it is."""
    match = re.search(r":pipeline/([^/]+)", arn)
    return match.group(1) if match else arn


def in_service_text(arn: str) -> str:
    """The ARN as it stands in texts that the service writes: with the pipeline's name in lower case."""
    return re.sub(r"(:pipeline/)([^/]+)", lambda m: m.group(1) + m.group(2).lower(), arn)


def job_name(
    execution: str, step: str, attempt: int, prefix: str | None = None, longest: int = JOB_NAME_LENGTH
) -> str:
    """The name of the entity that a step creates: ``pipelines-<id>-<step, 20 characters>-<token>[-<failures>]``.

    Where names may have 32 characters only (`longest`), it is ``<id>-<step, as far as it goes>-<token>[-<failures>]``.

    The token is derived from execution and step, so that replaying a journal gives the same names. A custom `prefix`
    gives ``<prefix>-<id>-<token>-<failures>`` (SDK: use_custom_job_prefix). ``_`` becomes ``-`` (semantics 13, U12).
    """
    identity, failures = execution_id(execution), attempt - 1
    token = _token(f"{execution}/{step}")
    if prefix is not None:
        tail = f"-{identity}-{token}-{failures}"
        return prefix.replace("_", "-")[: longest - len(tail)] + tail
    head, tail = f"pipelines-{identity}-", f"-{token}" + (f"-{failures}" if failures else "")
    if len(head) + len(tail) >= longest:
        head = f"{identity}-"
    room = min(longest - len(head) - len(tail), _STEP_PART_LENGTH)
    return head + step[:room].replace("_", "-") + tail


def callback_token(execution: str, step: str, attempt: int) -> str:
    """The token of a Callback step's attempt: 10 letters and digits (semantics 07 §7.1).

    Derived as a job's name is, so that a restarted engine awaits the token that was sent.
    """
    number = int.from_bytes(hashlib.sha256(f"{execution}/{step}/{attempt}/callback".encode()).digest())
    letters = []
    for _ in range(_CALLBACK_TOKEN_LENGTH):
        number, rest = divmod(number, len(_MIXED))
        letters.append(_MIXED[rest])
    return "".join(letters)


def _token(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:10].decode().lower()


@dataclass(frozen=True, slots=True)
class S3Uri:
    """``s3://bucket/key``; the key may be empty or a prefix."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Uri:
        """Take an S3 URI apart.

        Raises:
            UsageError: it is none, or its bucket has an illegal name.
        """
        # Wider than S3's own rule for new buckets: old ones may have capitals, and people write s3://b/x in examples.
        match = re.fullmatch(r"s3://([A-Za-z0-9][A-Za-z0-9._\-]{0,254})(?:/(.*))?", uri, re.DOTALL)
        if not match or ".." in match.group(1):
            message = f"{uri!r} is not an S3 URI: write s3://bucket/key"
            raise UsageError(message)
        return cls(match.group(1), match.group(2) or "")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> S3Uri:
        """The object `name` below this prefix, with exactly one slash between."""
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))
