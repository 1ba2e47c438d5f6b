"""The tar archives that a training job leaves in S3."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterable
from pathlib import Path

# Level 1: models are mostly incompressible, and a step should not wait for the last percent.
_LEVEL = 1


def write_archive(folders: Iterable[Path], target: Path) -> None:
    """Write the union of the folders as a gzipped tar; where two have one path, the first folder counts.

    Members are sorted and belong to nobody, so that the same files give the same archive.
    """
    members: dict[str, Path] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            members.setdefault(path.relative_to(folder).as_posix(), path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for name in sorted(members):
            archive.add(members[name], name, recursive=False, filter=_nobodys)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if not (member.isfile() or member.isdir() or member.issym()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(member.mtime)
    return member
