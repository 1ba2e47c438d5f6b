"""Objects at another S3 endpoint: LocalStack, MinIO, AWS itself."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, BinaryIO, Self

from sagelocal.cloud import disk
from sagelocal.cloud.objects import object_text
from sagelocal.cloud.s3 import ObjectInfo
from sagelocal.errors import MachineError, NotFoundError, UsageError
from sagelocal.names import S3Uri
from sagelocal.values import ObjectText

LOCALSTACK = "localstack"
_PART = 16 << 20  # bytes of an upload's part; S3 allows 10,000 parts, so objects up to 156 GiB
_CHUNK = 1 << 20
_AT_ONCE = 8
_GONE = {"404", "NoSuchKey", "NoSuchBucket"}


class RemoteObjects:
    """Objects behind an endpoint; to be entered once and left at the end, for the connections that it keeps.

    Args:
        endpoint_url: where S3 is; ``"localstack"``: where localstack-client says; None: AWS.
        region: of the requests' signatures; None: from the environment.
        credentials: access key and secret; None: from the environment, or made-up ones for LocalStack.

    Raises:
        MachineError: on entering, when the extra ``aws`` is not installed.
    """

    def __init__(
        self,
        endpoint_url: str | None,
        *,
        region: str | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._credentials = credentials
        self._client: Any = None  # aiobotocore makes its clients at run time, without types
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        aiobotocore, botocore_config = _load("aiobotocore.session"), _load("botocore.config")
        endpoint, credentials = self._endpoint_url, self._credentials
        if endpoint == LOCALSTACK:
            endpoint = _load("localstack_client.config").get_service_endpoint("s3")
            credentials = credentials or ("test", "test")
        access, secret = credentials or (None, None)
        client = aiobotocore.get_session().create_client(
            "s3",
            region_name=self._region,
            endpoint_url=endpoint,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            config=botocore_config.Config(s3={"addressing_style": "path"} if endpoint else None),
        )
        self._client = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def list(self, uri: str) -> list[ObjectInfo]:
        """See `Objects.list`; content types and metadata are not asked for."""
        prefix = S3Uri.parse(uri)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=prefix.bucket, Prefix=prefix.key
        )
        try:
            with self._faults(uri):
                return [
                    _info(prefix.bucket, item) async for page in pages for item in page.get("Contents", [])
                ]
        except NotFoundError:
            return []

    async def folder(self, uri: str) -> Path | None:  # noqa: ARG002 - the seam's signature
        """None: there is no folder of the host."""
        return None

    async def fetch(self, uri: str, destination: Path) -> None:
        """See `Objects.fetch`."""
        address = S3Uri.parse(uri)
        with disk.faults(destination), self._faults(uri):
            answer = await self._client.get_object(Bucket=address.bucket, Key=address.key)
            await asyncio.to_thread(destination.parent.mkdir, parents=True, exist_ok=True)
            async with answer["Body"] as body:
                with destination.open("wb") as file:
                    while chunk := await body.read(_CHUNK):
                        await asyncio.to_thread(file.write, chunk)

    async def upload(self, source: Path, uri: str) -> None:
        """See `Objects.upload`; the sources stay."""
        target, gate = S3Uri.parse(uri), asyncio.Semaphore(_AT_ONCE)

        async def put(path: Path, address: S3Uri) -> None:
            async with gate:
                await self._put(path, address)

        files = await asyncio.to_thread(_tree, source)
        try:
            async with asyncio.TaskGroup() as group:
                for path in files:
                    group.create_task(
                        put(path, target / path.relative_to(source).as_posix() if path != source else target)
                    )
        except* (UsageError, MachineError) as group_error:
            raise group_error.exceptions[0] from None

    async def read(self, uri: str) -> ObjectText:
        """See `Objects.read`."""
        try:
            address = S3Uri.parse(uri)
            with self._faults(uri):
                answer = await self._client.get_object(Bucket=address.bucket, Key=address.key)
                async with answer["Body"] as body:
                    return object_text(uri, await body.read())
        except NotFoundError:
            return object_text(uri, None)
        except (UsageError, MachineError) as error:
            return ObjectText(uri, None, str(error))

    async def _put(self, path: Path, address: S3Uri) -> None:
        where = {"Bucket": address.bucket, "Key": address.key}
        with disk.faults(path), self._faults(str(address)), path.open("rb") as file:
            first = await asyncio.to_thread(file.read, _PART)
            if len(first) < _PART:
                await self._client.put_object(**where, Body=first)
            else:
                await self._put_parts(where, first, file)

    async def _put_parts(self, where: dict[str, str], chunk: bytes, file: BinaryIO) -> None:
        upload = await self._client.create_multipart_upload(**where)
        where = {**where, "UploadId": upload["UploadId"]}
        parts: Sequence[dict[str, Any]] = ()
        try:
            while chunk:
                number = len(parts) + 1
                part = await self._client.upload_part(**where, PartNumber=number, Body=chunk)
                parts = [*parts, {"PartNumber": number, "ETag": part["ETag"]}]
                chunk = await asyncio.to_thread(file.read, _PART)
            await self._client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        except BaseException:
            await self._client.abort_multipart_upload(**where)
            raise

    @contextmanager
    def _faults(self, uri: str) -> Iterator[None]:
        """Translate what the endpoint says: an absent object is a NotFoundError, all else a MachineError."""
        exceptions = _load("botocore.exceptions")
        try:
            yield
        except exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                message = f"there is no object {uri}"
                raise NotFoundError(message) from None
            message = f"{uri}: {self._place} refuses: {error}"
            raise MachineError(message) from error
        except exceptions.BotoCoreError as error:
            message = f"{uri}: {self._place} cannot be reached: {error}: start it, or check its URL and the credentials"
            raise MachineError(message) from error

    @property
    def _place(self) -> str:
        return f"the S3 endpoint {self._endpoint_url}" if self._endpoint_url else "AWS"


def _load(module: str) -> ModuleType:
    # On demand: the extra is optional, and its botocore costs a quarter of a second.
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"objects at another endpoint need {error.name}: pip install 'sagelocal[aws]'"
        raise MachineError(message) from None


def _info(bucket: str, item: Mapping[str, Any]) -> ObjectInfo:
    uri = S3Uri(bucket, item["Key"])
    return ObjectInfo(uri, item["Size"], item["ETag"].strip('"'), item["LastModified"].timestamp())


def _tree(source: Path) -> list[Path]:
    """The regular files below a folder, or the file itself; links stay behind, as with the local store."""
    if not source.is_dir():
        return [source]
    return sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
