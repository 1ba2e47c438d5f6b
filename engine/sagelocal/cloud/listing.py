"""The objects below a folder, in S3's order of keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from sagelocal.cloud import keys


@dataclass(frozen=True, slots=True)
class Entry:
    """An object: its key with its file; or a common prefix: its key, ending in ``/``, without one."""

    key: str
    file: os.DirEntry[str] | None


@dataclass(frozen=True, slots=True)
class _Segment:
    text: str
    entry: os.DirEntry[str]
    folder: bool
    aside: bool

    @property
    def order(self) -> tuple[str, bool]:
        # S3 orders by UTF-8 bytes, which is the order of code points, which is how Python compares.
        return self.text + "/" * self.folder, self.aside


def walk(bucket: str, prefix: str = "", after: str = "", *, shallow: bool = False) -> Iterator[Entry]:
    """Objects of the bucket's folder whose key starts with `prefix` and comes after `after`.

    Shallow: what lies below a further ``/`` is one common prefix. Links are never followed, so they are no objects.
    """
    base, slash, _ = prefix.rpartition("/")
    below = keys.names(base) if slash else []
    folder = os.path.join(bucket, *below)  # noqa: PTH118 - str paths halve the cost of listing large folders
    if os.path.realpath(folder) == folder:
        yield from _below(folder, base + slash, prefix, after, shallow)


def has_objects(folder: str) -> bool:
    """Whether any object lies below."""
    return next(_below(folder, "", "", "", False), None) is not None


def _below(folder: str, base: str, prefix: str, after: str, shallow: bool) -> Iterator[Entry]:
    last: str | None = None
    for segment in sorted(_segments(folder, []), key=lambda item: item.order):
        key = base + segment.order[0]
        # All keys of a folder start with its own: when `after` lies beyond them, nothing below can count.
        if not key.startswith(prefix) or (key <= after and not (segment.folder and after.startswith(key))):
            continue
        if not segment.folder:
            if segment.text != last:  # a plain file and one put aside: the plain one is younger
                yield Entry(key, segment.entry)
            last = segment.text
        elif not shallow:
            yield from _below(segment.entry.path, key, prefix, after, False)
        elif key != after and next(_below(segment.entry.path, key, "", after, False), None):
            yield Entry(key, None)


def _segments(folder: str, begun: list[str]) -> Iterator[_Segment]:
    """What a folder holds, with cut names put together."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except (FileNotFoundError, NotADirectoryError):  # gone since it was seen
        return
    for entry in found:
        if entry.is_symlink():
            continue
        is_folder, is_more = entry.is_dir(follow_symlinks=False), entry.name.startswith(keys.MORE)
        if is_folder and is_more:
            yield from _segments(entry.path, [*begun, entry.name])
        elif not is_more and (is_folder or entry.is_file(follow_symlinks=False)):
            text, is_aside = keys.read([*begun, entry.name]), entry.name.startswith(keys.ASIDE)
            if text is not None and not (is_folder and is_aside):
                yield _Segment(text, entry, is_folder, is_aside)
