"""Files of the store: moved, cloned, with the disk's refusals put in words."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sagelocal.errors import MachineError

try:
    import fcntl
except ImportError:  # Windows has no reflinks to ask for
    fcntl = None  # type: ignore[assignment]  # a module or nothing

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file until one of them is written

_NO_RENAME = (errno.EXDEV, errno.EACCES, errno.EPERM)  # another file system or mount; another user's folder

TOO_LONG = errno.ENAMETOOLONG

_ADVICE = {
    errno.ENOSPC: "free some space there, or set SAGELOCAL_HOME to a folder on another disk",
    errno.EDQUOT: "your quota there is used up: free some space, or set SAGELOCAL_HOME to a folder elsewhere",
    errno.EROFS: "that file system is read-only: set SAGELOCAL_HOME to a folder that you may write",
    errno.EACCES: "give your user access to it, or set SAGELOCAL_HOME to a folder that you may write",
    errno.EPERM: "give your user access to it, or set SAGELOCAL_HOME to a folder that you may write",
    errno.EIO: "the disk reports an error: check it, or set SAGELOCAL_HOME to a folder on another one",
    errno.EMFILE: "too many files are open: raise the limit with ulimit -n",
    errno.ENAMETOOLONG: "the path is too long for this file system: shorten the key, or move SAGELOCAL_HOME up",
}


@contextmanager
def faults(where: Path | None = None) -> Iterator[None]:
    """Translate what the disk refuses.

    Raises:
        MachineError: for the errors of `_ADVICE`, with the place and what to do; other errors pass as they are.
    """
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        if advice is None:
            raise
        message = f"{error.filename or where or 'this machine'}: {error.strerror}: {advice}"
        raise MachineError(message) from error


def clone(source: Path, target: Path) -> None:
    """Copy a file's content; on file systems that can (btrfs, xfs) the copy shares its blocks until it is written."""
    with source.open("rb") as reader, target.open("wb") as writer:
        if not _reflink(reader.fileno(), writer.fileno()):
            _copy(reader.fileno(), writer.fileno())


def append(source: Path, writer: int) -> None:
    """Add the content of `source` to an open file descriptor, inside the kernel where it can."""
    with source.open("rb") as reader:
        _copy(reader.fileno(), writer)


def take(source: Path, spare: Path) -> None:
    """Move a file to `spare`: by rename where possible, else by copy.

    A file with several names is copied, as a rename would leave the store sharing bytes with a stranger.
    """
    if source.lstat().st_nlink == 1:
        try:
            source.rename(spare)
        except OSError as error:
            if error.errno not in _NO_RENAME:
                raise
        else:
            return
    clone(source, spare)
    with suppress(PermissionError):  # in a folder of another user: the copy is what counts
        source.unlink()


def readable(path: Path, mode: int) -> None:
    """Let our user read and write the file; jobs leave all kinds of modes behind."""
    wanted = mode & 0o777 | 0o600
    if wanted != mode & 0o7777:
        with suppress(PermissionError):  # another user's file: reading it will tell
            path.chmod(wanted)


def _reflink(reader: int, writer: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError:
        return False
    return True


def _copy(reader: int, writer: int) -> None:
    left = os.fstat(reader).st_size
    try:
        while left > 0 and (copied := os.copy_file_range(reader, writer, min(left, 1 << 30))):
            left -= copied
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno in _ADVICE and error.errno != errno.EPERM:
            raise
    # What the kernel would not copy (two file systems, an old kernel, no Linux), from where it stopped.
    with os.fdopen(os.dup(reader), "rb") as source, os.fdopen(os.dup(writer), "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
