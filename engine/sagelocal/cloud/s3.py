"""Buckets and objects over a folder.

``<root>/<bucket>/<key>`` are plain files that a person can open, change or drop there; `keys` says how the few keys are
written that cannot be a path. What a client says beyond the bytes lies in ``<root>/.sagelocal-s3``, which no bucket can be
called. Links are never followed, so nothing leaves the root.

Data is written beside the buckets without a lock and then renamed into place under one, which also guards the folders
and sidecars around it: of concurrent writers the last one wins, and a reader sees a whole object or none. Other processes
may use the same root; what they may do to a folder meanwhile is answered by trying again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sagelocal.cloud import disk, keys, listing, places
from sagelocal.cloud.sidecars import DEFAULT_TYPE, PLAIN, Sidecars, Traits
from sagelocal.errors import UsageError
from sagelocal.names import S3Uri

_HIDDEN = ".sagelocal-s3"
_HASHED = 8 << 20
"""Bytes up to which an ETag is the MD5 of the content when nobody computed it on the way in. Larger files (which SDKs
send in parts from this very size on, so that nobody expects an MD5) get one made of size and time in the multipart
form, so that looking at a file of many gigabytes costs nothing."""
_ABANDONED = 24 * 3600  # seconds after which a file being written belongs to a process that died
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known about one object.

    Attributes:
        uri: where it lies.
        size: in bytes.
        etag: without quotes.
        modified: seconds since the epoch.
        content_type: as put; ``binary/octet-stream`` when nobody said.
        metadata: the user's own, names in lower case.
    """

    uri: S3Uri
    size: int
    etag: str
    modified: float
    content_type: str = DEFAULT_TYPE
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as found: its info, its file, all its traits."""

    info: ObjectInfo
    path: Path
    traits: Traits


Condition = Callable[[ObjectInfo | None], None]
"""Looks at what is there now, under the lock, and raises to prevent a write."""


class ObjectStore:
    """All buckets below `root`; safe to use from any thread.

    Methods raise UsageError for an address that cannot be one, MachineError when the disk refuses.
    """

    def __init__(self, root: Path) -> None:
        # Resolved once, so that a link above the root (as macOS has) is not taken for one inside it.
        self.root = Path(os.path.realpath(root))
        self.hidden = self.root / _HIDDEN
        self._sidecars = Sidecars(self.hidden / "traits")
        self._lock = threading.RLock()
        self._hashes: dict[str, tuple[int, int, str]] = {}
        self._swept = False

    def put_bytes(
        self,
        uri: S3Uri,
        data: bytes,
        *,
        content_type: str = DEFAULT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Make `data` the object; its bucket springs into being."""
        keys.check(uri)
        with self.spool() as spare:
            spare.write_bytes(data)
            return self.commit(spare, uri, Traits(content_type, _lowered(metadata)))

    def put_file(
        self,
        uri: S3Uri,
        source: Path,
        *,
        move: bool = False,
        content_type: str = DEFAULT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Make a copy of the file the object, or with `move` the file itself (a rename on the same file system)."""
        keys.check(uri)
        with self.spool() as spare:
            (disk.take if move else disk.clone)(source, spare)
            return self.commit(spare, uri, Traits(content_type, _lowered(metadata)))

    def head(self, uri: S3Uri) -> ObjectInfo | None:
        """What is known about the object; None when there is none."""
        found = self.find(uri)
        return found.info if found else None

    def find(self, uri: S3Uri) -> Stored | None:
        """The object with its file and traits; None when there is none."""
        keys.check(uri)
        path = self._locate(uri)
        return self._stored(uri, path) if path else None

    def file(self, uri: S3Uri) -> Path | None:
        """The object's file, to be read only; None when there is no such object."""
        keys.check(uri)
        return self._locate(uri)

    def list(self, prefix: S3Uri) -> Iterator[ObjectInfo]:
        """All objects whose key starts with the prefix's, in the order of keys."""
        for entry in self.walk(prefix):
            if info := self.info(prefix.bucket, entry):
                yield info

    def walk(self, prefix: S3Uri, after: str = "", *, shallow: bool = False) -> Iterator[listing.Entry]:
        """As `list`, without looking at each object; see `listing.walk` for `after` and `shallow`."""
        keys.check_bucket(prefix.bucket)
        return listing.walk(str(self.root / prefix.bucket), prefix.key, after, shallow=shallow)

    def info(self, bucket: str, entry: listing.Entry) -> ObjectInfo | None:
        """What is known about an object met while walking; None when it has gone."""
        if entry.file is None:
            return None
        found = self._stored(S3Uri(bucket, entry.key), Path(entry.file.path))
        return found.info if found else None

    def delete(self, uri: S3Uri, condition: Condition | None = None) -> None:
        """Remove the object, if it is there, and the folders that it leaves empty."""
        keys.check(uri)
        with disk.faults(self.root), self._lock:
            path = self._locate(uri)
            if condition:
                condition(self.head(uri))
            if path:
                path.unlink(missing_ok=True)
                self._sidecars.forget(uri.bucket, uri.key)
                self._hashes.pop(str(path), None)
                places.prune(path.parent, self.root / uri.bucket)

    def folder(self, uri: S3Uri) -> Path | None:
        """The host's folder that holds exactly the objects below ``uri/``, file for key, for reading only.

        None when there are none, or when a file's path there is not its key (a key that `keys` had to write
        differently, a link): then fetch them one by one.
        """
        keys.check_bucket(uri.bucket)
        path = self.root.joinpath(uri.bucket, *(keys.names(uri.key.rstrip("/")) if uri.key else []))
        if os.path.realpath(path) != str(path) or not path.is_dir() or not places.faithful(str(path)):
            return None
        return path if listing.has_objects(str(path)) else None

    def adopt(self, folder: Path, uri: S3Uri) -> int:
        """Move every regular file below `folder` to ``uri/<relative path>``, copying no byte on one file system.

        Links, devices and sockets stay behind. Returns how many files were moved.
        """
        files = list(places.files(folder))
        with disk.faults(folder):
            for path in files:
                relative = os.fsencode(path.relative_to(folder)).decode("utf-8", "replace")
                self.put_file(uri / relative, path, move=True)
        return len(files)

    # -- for the HTTP face -------------------------------------------------------------------------------------------

    @contextmanager
    def spool(self) -> Iterator[Path]:
        """The path of a file to be written and committed; what is left of it afterwards is removed."""
        folder = self.hidden / "spool"
        with disk.faults(self.root):
            folder.mkdir(parents=True, exist_ok=True)
            self._sweep(folder)
            handle, name = tempfile.mkstemp(dir=folder)
            os.close(handle)
            try:
                yield Path(name)
            finally:
                Path(name).unlink(missing_ok=True)

    def commit(
        self, spare: Path, uri: S3Uri, traits: Traits = PLAIN, condition: Condition | None = None
    ) -> ObjectInfo:
        """Make the spooled file the object, if the condition lets it pass."""
        keys.check(uri)
        status = spare.stat()
        disk.readable(spare, status.st_mode)
        with disk.faults(self.root), self._lock:
            if condition:
                condition(self.head(uri))
            self._sidecars.write(uri.bucket, uri.key, status, traits)
            path = self._place(spare, uri)
        return self._info(uri, path, status, traits)

    def describe(self, uri: S3Uri, change: Callable[[Traits], Traits]) -> bool:
        """Change an object's traits in place; False when there is no such object."""
        keys.check(uri)
        with disk.faults(self.root), self._lock:
            found = self.find(uri)
            if found:
                self._sidecars.write(uri.bucket, uri.key, found.path.stat(), change(found.traits))
        return found is not None

    def buckets(self) -> Sequence[tuple[str, float]]:
        """Names of all buckets with the moment they were last changed."""
        with suppress(FileNotFoundError), os.scandir(self.root) as entries:
            found = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
            return sorted((entry.name, entry.stat().st_mtime) for entry in found if _is_bucket(entry.name))
        return []

    def has_bucket(self, bucket: str) -> bool:
        keys.check_bucket(bucket)
        path = self.root / bucket
        return path.is_dir() and not path.is_symlink()

    def create_bucket(self, bucket: str) -> None:
        """Make the bucket, unless it is there."""
        keys.check_bucket(bucket)
        with disk.faults(self.root), self._lock:
            (self.root / bucket).mkdir(parents=True, exist_ok=True)

    def delete_bucket(self, bucket: str) -> bool:
        """Remove the bucket; False when it still holds objects."""
        keys.check_bucket(bucket)
        path = self.root / bucket
        with disk.faults(self.root), self._lock:
            if listing.has_objects(str(path)):
                return False
            shutil.rmtree(path)
            self._sidecars.forget_bucket(bucket)
        return True

    # -- inside --------------------------------------------------------------------------------------------------------

    def _locate(self, uri: S3Uri) -> Path | None:
        """The object's file; None when there is none or a link is on the way."""
        for names in (keys.names(uri.key), keys.aside(uri.key)):
            path = self.root.joinpath(uri.bucket, *names)
            status = places.regular(path)
            if status and os.path.realpath(path.parent) == str(path.parent):
                return path
        return None

    def _stored(self, uri: S3Uri, path: Path) -> Stored | None:
        status = places.regular(path)
        traits = status and self._sidecars.read(uri.bucket, uri.key, status)
        if status and traits is None:
            with self._lock:  # a writer may be between sidecar and rename: look again when it is done
                status = places.regular(path)
                traits = status and self._sidecars.read(uri.bucket, uri.key, status)
        if status is None:
            return None
        return Stored(self._info(uri, path, status, traits or PLAIN), path, traits or PLAIN)

    def _info(self, uri: S3Uri, path: Path, status: os.stat_result, traits: Traits) -> ObjectInfo:
        etag = traits.etag or self._etag(path, status)
        return ObjectInfo(uri, status.st_size, etag, status.st_mtime, traits.content_type, traits.metadata)

    def _etag(self, path: Path, status: os.stat_result) -> str:
        """The ETag of a file that came without one; remembered as long as the file stays the same."""
        stamp = status.st_size, status.st_mtime_ns
        if status.st_size > _HASHED:
            return hashlib.md5(repr(stamp).encode(), usedforsecurity=False).hexdigest() + "-1"
        known = self._hashes.get(str(path))
        if known and known[:2] == stamp:
            return known[2]
        try:
            etag = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        except FileNotFoundError:  # replaced or deleted while we look
            return hashlib.md5(repr(stamp).encode(), usedforsecurity=False).hexdigest()
        self._hashes[str(path)] = (*stamp, etag)
        return etag

    def _place(self, spare: Path, uri: S3Uri) -> Path:
        """Rename the spooled file to where the key belongs, making way as needed."""
        for attempt in range(_TRIES):
            try:
                path = places.make_way(self.root / uri.bucket, uri.key)
                spare.replace(path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                # Another process removed, emptied or made a folder meanwhile.
                if attempt == _TRIES - 1 or not spare.exists():
                    raise
            else:
                self._hashes.pop(str(path), None)
                return path
        raise AssertionError("unreachable")

    def _sweep(self, folder: Path) -> None:
        """Remove what processes that died were writing."""
        if self._swept:
            return
        self._swept = True
        for path in folder.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED:
                    path.unlink()


def _lowered(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (metadata or {}).items()}


def _is_bucket(name: str) -> bool:
    try:
        keys.check_bucket(name)
    except UsageError:
        return False
    return True
