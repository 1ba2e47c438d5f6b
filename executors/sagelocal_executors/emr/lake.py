"""The buckets as folders, for programs that read and write them as files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sagelocal.cloud.objects import Objects
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import UsageError
from sagelocal.names import S3Uri
from sagelocal_executors.outputs import Mirror


class Lake(Protocol):
    """Where a job finds the buckets."""

    def folders(
        self, scratch: Path, mentioned: Iterable[str]
    ) -> AbstractAsyncContextManager[Mapping[str, Path]]:
        """The folder of each bucket, with those of the S3 URIs that the job mentions.

        What the job has written there is in the buckets when the context is left. `scratch` is a folder for copies.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoreLake:
    """Our own store: its folders themselves, so that every write and every removal is at once one of objects.

    This is as with S3, where a job that fails has written what it has written.
    """

    store: ObjectStore

    @asynccontextmanager
    async def folders(self, scratch: Path, mentioned: Iterable[str]) -> AsyncIterator[Mapping[str, Path]]:  # noqa: ARG002 (no copies here)
        yield await asyncio.to_thread(self._all, {uri.bucket for uri in parsed(mentioned)})

    def _all(self, wanted: set[str]) -> Mapping[str, Path]:
        for bucket in wanted:
            self.store.create_bucket(bucket)
        return {bucket: self.store.root / bucket for bucket, _ in self.store.buckets()}


@dataclass(frozen=True, slots=True)
class RemoteLake:
    """Buckets elsewhere: copies of what the job mentions, and uploads of what has changed in them at its end.

    Objects that the program finds by itself are not there, and removals stay without effect.
    """

    objects: Objects

    @asynccontextmanager
    async def folders(self, scratch: Path, mentioned: Iterable[str]) -> AsyncIterator[Mapping[str, Path]]:
        uris = parsed(mentioned)
        folders = {uri.bucket: scratch / "buckets" / uri.bucket for uri in uris}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        for uri in uris:
            await self._fetch(uri, folders[uri.bucket])
        mirrors = [
            Mirror(self.objects, folder, f"s3://{bucket}", scratch / "copies" / bucket)
            for bucket, folder in folders.items()
        ]
        for mirror in mirrors:
            mirror.assume_sent()
        try:
            yield folders
        finally:
            for mirror in mirrors:
                await mirror.sync()

    async def _fetch(self, prefix: S3Uri, folder: Path) -> None:
        for info in await self.objects.list(str(prefix)):
            if not info.uri.key.endswith("/") and ".." not in info.uri.key.split("/"):
                await self.objects.fetch(str(info.uri), folder / info.uri.key)


def parsed(uris: Iterable[str]) -> list[S3Uri]:
    """Those that are S3 URIs; an argument may only look like one."""
    found = []
    for uri in uris:
        try:
            found.append(S3Uri.parse(uri))
        except UsageError:
            continue
    return found
