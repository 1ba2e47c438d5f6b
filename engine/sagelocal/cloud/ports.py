"""Which program has a port of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENS: Final = "0A"
_LONGEST: Final = 80
_TABLES: Final = ("net/tcp", "net/tcp6")


def holder(port: int) -> str:
    """In words, the process that listens there; how to find it, where it is another user's or the system does not tell."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    found = next((process for process in _processes() if wanted & set(_open_files(process))), None)
    if found is None:
        return f"another program (`lsof -nP -iTCP:{port} -sTCP:LISTEN` says which)"
    return f"process {found.name} ({_command(found)})"


def _inodes(port: int) -> Iterator[str]:
    """Of the sockets that listen there, as Linux lists them (man 5 proc)."""
    for table in _TABLES:
        try:
            lines = (_PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, *rest = line.split()
            if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                yield rest[5]


def _processes() -> Iterator[Path]:
    return _PROC.glob("[0-9]*")


def _open_files(process: Path) -> Iterator[str]:
    try:
        for descriptor in (process / "fd").iterdir():
            yield str(descriptor.readlink())
    except OSError:  # another user's, or it has just ended
        return


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "which has just ended"
    text = shlex.join(words[:-1])
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
