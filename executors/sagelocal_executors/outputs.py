"""Outputs on their way from a container to S3 (semantics 08 §8.1, §8.2)."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sagelocal.clock import Clock
from sagelocal.cloud.objects import Objects
from sagelocal_executors.channels import bytes_text

SYNC_SECONDS = 1.0


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file, in the order of the names; symbolic links are neither followed nor given."""
    for parent, names, files in os.walk(folder):
        names.sort()
        for name in sorted(files):
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink():
                yield path


async def upload_all(objects: Objects, folder: Path, uri: str) -> str:
    """Move every file below `folder` to `uri`, relative paths kept; returns what was moved, for the log."""
    count, size = await asyncio.to_thread(_weigh, folder)
    if count:
        await objects.upload(folder, uri.rstrip("/"))
    return f"uploaded {count} file{'s'[: count != 1]}, {bytes_text(size)}, to {uri}"


def _weigh(folder: Path) -> tuple[int, int]:
    sizes = [path.stat().st_size for path in files_below(folder)]
    return len(sizes), sum(sizes)


_Version = tuple[int, int]


@dataclass(slots=True)
class Mirror:
    """Copies a folder to S3 while a job still writes to it: S3UploadMode Continuous, and checkpoints.

    Attributes:
        source: the folder of the host.
        uri: where it goes.
        scratch: a folder for the copies, as an upload may move what it is given.
    """

    objects: Objects
    source: Path
    uri: str
    scratch: Path
    _sent: dict[Path, _Version] = field(default_factory=dict)

    def assume_sent(self) -> None:
        """Take what is in the folder now as already uploaded."""
        self._sent.update(self._versions())

    async def run(self, clock: Clock) -> None:
        """Upload what has changed, again and again, until cancelled."""
        while True:
            await clock.sleep(SYNC_SECONDS)
            await self.sync()

    async def sync(self) -> None:
        """Upload copies of the files that are new or have changed."""
        for path, version in (await asyncio.to_thread(self._versions)).items():
            if self._sent.get(path) == version:
                continue
            copy = self.scratch / "copy"
            with suppress(FileNotFoundError):  # the job may remove a file at any moment
                await asyncio.to_thread(_copy, path, copy)
                await self.objects.upload(
                    copy, f"{self.uri.rstrip('/')}/{path.relative_to(self.source).as_posix()}"
                )
                self._sent[path] = version

    def _versions(self) -> dict[Path, _Version]:
        found = {}
        for path in files_below(self.source):
            with suppress(FileNotFoundError):
                status = path.stat()
                found[path] = (status.st_mtime_ns, status.st_size)
        return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
