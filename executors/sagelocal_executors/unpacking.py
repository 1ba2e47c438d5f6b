"""Archives that others packed, laid out in a folder that nothing in them leaves."""

from __future__ import annotations

import asyncio
import gzip
import os
import posixpath
import stat
import tarfile
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from sagelocal.cloud import disk
from sagelocal_executors.containers.waiting import unbroken

_CHUNK = 1 << 20
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError)


class ArchiveError(Exception):
    """The archive is none, is damaged, or wants to leave its folder; the text says which."""


async def unpack(archive: Path, folder: Path, inside: str) -> None:
    """Lay out a gzipped tar in an empty folder, which containers see as `inside`; stops soon when cancelled.

    Raises:
        ArchiveError: as `Unpacking.run`.
    """
    stopped = threading.Event()
    work = asyncio.ensure_future(asyncio.to_thread(Unpacking(folder, inside, stopped.is_set).run, archive))
    try:
        await asyncio.wait({work})
    finally:
        stopped.set()
        await unbroken(asyncio.wait({work}))
    with disk.faults(folder):
        work.result()


@dataclass(slots=True)
class Unpacking:
    """One archive on its way into a folder of ours.

    Nothing is ever written through a link, and at the end every link must lead to a place below the folder.

    Attributes:
        inside: the folder's path in the container, with which absolute links may begin.
        stopped: asked now and then; True ends the work where it is.
    """

    folder: Path
    inside: str
    stopped: Callable[[], bool]
    _links: list[Path] = field(default_factory=list)

    def run(self, archive: Path) -> None:
        """Write everything.

        Raises:
            ArchiveError: it is no gzipped tar, or a member is neither file, folder nor link, or leaves the folder.
        """
        try:
            with gzip.open(archive) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as members:
                for member in members:
                    if self.stopped():
                        return
                    self._write(members, member)
                # A tar may end before its wrapping does, whose checksum stands at the very end.
                while unpacked.read(_CHUNK):
                    pass
        except _BROKEN as error:
            raise ArchiveError(f"it cannot be read: {error}") from None
        for link in self._links:
            self._check(link)

    def _write(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = self._place(member.name)
        if member.isdir():
            self._make(path)
            return
        if path == self.folder or (path.is_dir() and not path.is_symlink()):
            raise ArchiveError(f"{member.name!r} is there twice, as a folder and as a file")
        path.unlink(missing_ok=True)
        if member.issym():
            path.symlink_to(self._target(member))
            self._links.append(path)
        elif member.islnk():
            self._link(path, member)
        elif member.isfile() and (content := members.extractfile(member)) is not None:
            with path.open("xb") as file:
                self._copy(content, file)
            path.chmod(0o666 | member.mode & 0o111)
        else:
            raise ArchiveError(f"{member.name!r} is neither a file, a folder nor a link")

    def _place(self, name: str) -> Path:
        """Where a member goes; the folders above it are made, and are no links."""
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts:
            raise ArchiveError(f"{name!r} leaves the folder")
        path = self.folder
        for part in parts[:-1]:
            path = path / part
            self._make(path)
        return self.folder.joinpath(*parts)

    def _make(self, path: Path) -> None:
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise ArchiveError(f"{self._name(path)!r} is a folder, but was something else before")
        path.mkdir(exist_ok=True)
        # An image may run as any user, who must be able to write there.
        path.chmod(0o777)

    def _target(self, member: tarfile.TarInfo) -> str:
        """Where the link leads, relative to it: a job may have made it with the folder's full path."""
        if not member.linkname.startswith(f"{self.inside}/"):
            return member.linkname
        below = posixpath.relpath(member.linkname, self.inside)
        return posixpath.relpath(below, posixpath.dirname(posixpath.normpath(member.name)) or ".")

    def _link(self, path: Path, member: tarfile.TarInfo) -> None:
        target = self._place(member.linkname)
        try:
            regular = stat.S_ISREG(target.lstat().st_mode)
        except FileNotFoundError:
            regular = False
        if not regular:
            raise ArchiveError(
                f"{member.name!r} is a link to {member.linkname!r}, which is no file before it"
            )
        os.link(target, path)

    def _copy(self, content: IO[bytes], file: IO[bytes]) -> None:
        while (chunk := content.read(_CHUNK)) and not self.stopped():
            file.write(chunk)

    def _check(self, link: Path) -> None:
        if not link.is_symlink():  # replaced by a later member
            return
        try:
            end = link.resolve()
        except (RuntimeError, OSError):  # it leads back to itself
            end = Path("/")
        if not end.is_relative_to(self.folder.resolve()):
            raise ArchiveError(
                f"the link {self._name(link)!r} leads out of the folder, to {str(link.readlink())!r}"
            )

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()
