"""Objects as executors see them: by URI, without blocking the loop, wherever they lie."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from sagelocal.cloud import disk
from sagelocal.cloud.s3 import ObjectInfo, ObjectStore
from sagelocal.errors import NotFoundError, UsageError
from sagelocal.names import S3Uri
from sagelocal.values import ObjectText


class Objects(Protocol):
    """The buckets that jobs read and write.

    Raises:
        UsageError: not an S3 URI; NotFoundError from `fetch` when there is no such object.
        MachineError: the disk or the endpoint refuses.
    """

    async def list(self, uri: str) -> list[ObjectInfo]:
        """All objects whose key starts with the URI's key, in the order of keys; none in a bucket that is not there."""
        ...

    async def folder(self, uri: str) -> Path | None:
        """The host's folder that holds exactly the objects below ``uri/``, for reading only; None: fetch them."""
        ...

    async def fetch(self, uri: str, destination: Path) -> None:
        """Write one object to one file, making the folders above it; never a hard link to the store."""
        ...

    async def upload(self, source: Path, uri: str) -> None:
        """Make a file the object `uri`, or each file of a tree an object below it; the sources may be gone then."""
        ...

    async def read(self, uri: str) -> ObjectText:
        """The text of one object; a missing or undecodable one gives a fault, not an error."""
        ...


class LocalObjects:
    """Objects in our own store; uploads move, and folders can be mounted as they are."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def list(self, uri: str) -> list[ObjectInfo]:
        prefix = S3Uri.parse(uri)
        return await asyncio.to_thread(lambda: list(self._store.list(prefix)))

    async def folder(self, uri: str) -> Path | None:
        return await asyncio.to_thread(self._store.folder, S3Uri.parse(uri))

    async def fetch(self, uri: str, destination: Path) -> None:
        await asyncio.to_thread(self._fetch, S3Uri.parse(uri), destination)

    async def upload(self, source: Path, uri: str) -> None:
        await asyncio.to_thread(self._upload, source, S3Uri.parse(uri))

    async def read(self, uri: str) -> ObjectText:
        return await asyncio.to_thread(self._read, uri)

    def _fetch(self, uri: S3Uri, destination: Path) -> None:
        path = self._store.file(uri)
        if path is None:
            raise NotFoundError(_missing(str(uri)))
        with disk.faults(destination):
            destination.parent.mkdir(parents=True, exist_ok=True)
            disk.clone(path, destination)

    def _upload(self, source: Path, uri: S3Uri) -> None:
        if source.is_dir():
            self._store.adopt(source, uri)
        else:
            self._store.put_file(uri, source, move=True)

    def _read(self, uri: str) -> ObjectText:
        try:
            path = self._store.file(S3Uri.parse(uri))
        except UsageError as error:
            return ObjectText(uri, None, str(error))
        return object_text(uri, path.read_bytes() if path else None)


def object_text(uri: str, content: bytes | None) -> ObjectText:
    """The object's content (None: there is no such object) as text, or the fault of it."""
    if content is None:
        return ObjectText(uri, None, _missing(uri))
    try:
        return ObjectText(uri, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        return ObjectText(uri, None, f"{uri} is not UTF-8 text: {error.reason} at byte {error.start}")


def _missing(uri: str) -> str:
    return f"there is no object {uri}"
