"""Private folders of one container on the host: made, filled, thrown away."""

from __future__ import annotations

import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from sagelocal_executors.containers import ContainerSpec
from sagelocal_executors.containers.labels import JOB_LABEL


def private_copy(source: Path, destination: Path) -> Path:
    """A copy of the file or tree, where copy-on-write is not possible."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination, symlinks=True)
    else:
        shutil.copy2(source, destination)
    return destination


def discard(folder: Path) -> None:
    """Remove the tree, also where the kernel or a job took our rights to its folders; files of others are left."""
    shutil.rmtree(folder, onerror=_with_rights)


def _with_rights(
    again: Callable[[str], object], path: str, _: tuple[type[BaseException], BaseException, TracebackType]
) -> None:
    # overlayfs keeps a folder of mode 0 in its work folder.
    with suppress(OSError):
        Path(path).parent.chmod(stat.S_IRWXU)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(stat.S_IRWXU)
            shutil.rmtree(path, ignore_errors=True)
        else:
            again(path)


def foreign(folder: Path, uid: int) -> bool:
    """Whether anything in the tree belongs to somebody else than `uid`."""
    return any(owner != uid for owner in _owners(folder))


def _owners(path: Path) -> Iterator[int]:
    try:
        yield path.lstat().st_uid
        if path.is_dir() and not path.is_symlink():
            for child in path.iterdir():
                yield from _owners(child)
    except OSError:
        yield -1


def private_folder(scratch: Path, spec: ContainerSpec) -> Path:
    """Where a container's private files go: a name of its own that begins with its job's, by which leftovers are found."""
    return scratch / f"{spec.labels.get(JOB_LABEL, spec.name)}.{secrets.token_hex(4)}"
