"""Files of the user put into the buckets before a run."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from sagelocal.cloud import disk
from sagelocal.cloud.objects import Objects
from sagelocal.errors import UsageError


async def seed(objects: Objects, sources: Mapping[str, Path]) -> int:
    """Bring each S3 URI up to date with its file, or the prefix with its folder; unchanged objects are left alone.

    Returns:
        How many objects were written.

    Raises:
        UsageError: a source does not exist; nothing was written.
        MachineError: the disk or the endpoint refuses.
    """
    pairs = [pair for uri, source in sources.items() for pair in _objects(uri, source)]
    written = 0
    for uri, file in pairs:
        if await _stale(objects, uri, file):
            await _copy(objects, uri, file)
            written += 1
    return written


def _objects(uri: str, source: Path) -> Iterator[tuple[str, Path]]:
    if source.is_file():
        yield uri, source
    elif source.is_dir():
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            yield f"{uri.rstrip('/')}/{file.relative_to(source).as_posix()}", file
    else:
        message = f'[s3] "{uri}": there is no file or folder {source}'
        raise UsageError(message)


async def _stale(objects: Objects, uri: str, file: Path) -> bool:
    found = next((info for info in await objects.list(uri) if str(info.uri) == uri), None)
    stat = await asyncio.to_thread(file.stat)
    return found is None or found.size != stat.st_size or found.modified < stat.st_mtime


async def _copy(objects: Objects, uri: str, file: Path) -> None:
    """Upload a copy: the store takes what it is given, and the user's file is to stay."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "object"
        await asyncio.to_thread(disk.clone, file, copy)
        await objects.upload(copy, uri)
