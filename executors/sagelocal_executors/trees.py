"""What the host's disk holds of the paths that a job's container sees."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sagelocal_executors.containers import Mount
from sagelocal_executors.faults import client_error


@dataclass(frozen=True, slots=True)
class Tree:
    """The host's mirror of one container: ``/opt/ml/model`` lies at ``<root>/opt/ml/model``."""

    root: Path

    def path(self, target: str) -> Path:
        """Where the container's `target` lies on the host; JobError for a path that is not absolute or climbs."""
        parts = PurePosixPath(target).parts
        if parts[:1] != ("/",) or ".." in parts:
            raise client_error(f"{target!r} is not an absolute path inside a container")
        return self.root.joinpath(*parts[1:])

    def folder(self, target: str) -> Path:
        """As `path`, and the folder exists."""
        path = self.path(target)
        path.mkdir(parents=True, exist_ok=True)
        # An image may run as any user, who must be able to write there.
        path.chmod(0o777)
        return path

    def mount(self, target: str) -> Mount:
        """The folder `target`, which the container may write."""
        return Mount(self.folder(target), str(PurePosixPath(target)))


def outer_first(mounts: list[Mount]) -> tuple[Mount, ...]:
    """The mounts so that none hides one inside it; of two at one place the last counts."""
    places = {mount.target: mount for mount in mounts}
    return tuple(sorted(places.values(), key=lambda mount: len(PurePosixPath(mount.target).parts)))


def reclaim(folder: Path) -> None:
    """Let our user read what a job has left: it may have taken that right away, from itself as well.

    What belongs to others is left as it is: reading it will tell.
    """
    if os.geteuid() == 0:
        return
    for parent, names, files in os.walk(folder):  # from the top: a folder is opened before the walk enters it
        for path in (Path(parent) / name for name in (*names, *files)):
            with suppress(OSError):
                mode = path.lstat().st_mode
                wanted = _RIGHTS.get(stat.S_IFMT(mode), 0)
                if mode & wanted != wanted:
                    path.chmod(stat.S_IMODE(mode) | wanted)


_RIGHTS = {stat.S_IFDIR: stat.S_IRWXU, stat.S_IFREG: stat.S_IRUSR | stat.S_IWUSR}


def remove(folder: Path) -> None:
    """Remove a working folder, also where a job took its own rights to it away."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        folder.chmod(stat.S_IRWXU)
        for parent, names, _ in os.walk(folder):  # from the top: a folder is opened before the walk enters it
            for name in names:
                if not (Path(parent) / name).is_symlink():
                    (Path(parent) / name).chmod(stat.S_IRWXU)
        shutil.rmtree(folder)
