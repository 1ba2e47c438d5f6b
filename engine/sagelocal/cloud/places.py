"""Where files go among the folders of a bucket, making way for one another."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sagelocal.cloud import keys
from sagelocal.cloud.disk import TOO_LONG
from sagelocal.errors import UsageError


def make_way(bucket: Path, key: str) -> Path:
    """Where the object's file goes, with all folders above it made; to be called under the store's lock.

    Raises:
        UsageError: a symbolic link is on the way.
    """
    folder = bucket
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_link(folder)
    *above, last = key.split("/")
    for segment in above:
        folder = _enter(folder, segment)
    plain, aside = folder.joinpath(*keys.segment_names(last)), folder.joinpath(*keys.aside_names(last))
    if plain.is_dir() and not plain.is_symlink():
        with suppress(OSError):  # an empty folder left by hand gives way
            plain.rmdir()
    if plain.is_dir():
        plain, aside = aside, plain
    _folders(plain.parent, folder)
    _refuse_link(plain)
    if not aside.is_dir():
        aside.unlink(missing_ok=True)
    return plain


def prune(folder: Path, bucket: Path) -> None:
    """Remove a folder and those above it, up to the bucket's, as far as they are empty."""
    while folder != bucket:
        try:
            folder.rmdir()
        except OSError:  # not empty, which is how this ends
            return
        folder = folder.parent


def _enter(folder: Path, segment: str) -> Path:
    """The folder of one segment below `folder`, made; a file in its place is put aside."""
    path = folder.joinpath(*keys.segment_names(segment))
    if regular(path):
        target = folder.joinpath(*keys.aside_names(segment))
        _folders(target.parent, folder)
        path.replace(target)
    _folders(path, folder)
    return path


def _folders(path: Path, above: Path) -> None:
    """Make the folders from `above` down to `path`, refusing links."""
    for name in path.relative_to(above).parts:
        above = above / name
        above.mkdir(exist_ok=True)
        _refuse_link(above)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        message = f"{path} is a symbolic link, which the object store does not follow: put the files themselves there"
        raise UsageError(message)


def regular(path: Path) -> os.stat_result | None:
    """The status of a regular file; None for everything else."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == TOO_LONG:
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def faithful(folder: str) -> bool:
    """Whether every path below is a key as it stands."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or keys.is_mark(entry.name) or keys.read([entry.name]) is None:
                return False
            if entry.is_dir(follow_symlinks=False) and not faithful(entry.path):
                return False
    return True


def files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder."""
    for base, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(base, name)
            if regular(path):
                yield path
