"""Multipart uploads: parts on disk until somebody joins them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sagelocal.cloud import disk, keys
from sagelocal.cloud.s3 import Condition, ObjectInfo, ObjectStore
from sagelocal.cloud.sidecars import Traits
from sagelocal.names import S3Uri

SMALLEST_PART = 5 << 20
"""Bytes that every part but the last must have at least (CompleteMultipartUpload, EntityTooSmall)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part: number from 1 to 10,000, bytes, MD5 as hex, seconds since the epoch, its file."""

    number: int
    size: int
    etag: str
    modified: float
    path: Path


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way: `started` in seconds since the epoch; `traits` go to the object."""

    id: str
    uri: S3Uri
    started: float
    traits: Traits


class PartsError(Exception):
    """The list of parts cannot be joined; `code` is S3's."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Uploads:
    """The uploads under way in a store; they outlive the process.

    Each is a folder ``uploads/<id>`` in the store's hidden folder with ``upload.json`` and ``<number>-<md5>`` per part.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._root = store.hidden / "uploads"

    def create(self, uri: S3Uri, traits: Traits) -> str:
        """Begin an upload; returns its id."""
        keys.check(uri)
        identity = secrets.token_hex(16)
        folder = self._root / identity
        content = {"bucket": uri.bucket, "key": uri.key, "traits": asdict(traits)}
        with disk.faults(folder):
            folder.mkdir(parents=True)
            (folder / "upload.json").write_text(json.dumps(content), encoding="utf-8")
        return identity

    def find(self, identity: str, uri: S3Uri) -> Upload | None:
        """The upload of that id, if it is under way and for this object."""
        upload = self._read(identity)
        return upload if upload and upload.uri == uri else None

    def under_way(self, bucket: str, prefix: str) -> list[Upload]:
        """The uploads under way to keys with this prefix, by key and start."""
        with suppress(FileNotFoundError):
            found = [upload for path in self._root.iterdir() if (upload := self._read(path.name))]
            chosen = [item for item in found if item.uri.bucket == bucket and item.uri.key.startswith(prefix)]
            return sorted(chosen, key=lambda item: (item.uri.key, item.started))
        return []

    def add(self, upload: Upload, number: int, spare: Path, etag: str) -> Part:
        """Make the spooled file a part, in the place of an earlier one of that number."""
        path = self._root / upload.id / f"{number:05}-{etag}"
        with disk.faults(path):
            spare.replace(path)
            for other in path.parent.glob(f"{number:05}-*"):
                if other != path:
                    other.unlink(missing_ok=True)
        return _part(path)

    def parts(self, upload: Upload) -> list[Part]:
        """The parts so far, by number."""
        return sorted(
            (_part(path) for path in (self._root / upload.id).glob("*-*")), key=lambda part: part.number
        )

    def complete(
        self, upload: Upload, chosen: Sequence[tuple[int, str]], condition: Condition | None = None
    ) -> ObjectInfo:
        """Join the chosen parts (number, ETag) to the object.

        Raises:
            PartsError: with the code that CompleteMultipartUpload documents.
        """
        parts = _choose({part.number: part for part in self.parts(upload)}, chosen)
        joined = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
        etag = f"{joined.hexdigest()}-{len(parts)}"
        traits = replace(upload.traits, etag=etag, parts=tuple(part.size for part in parts))
        with self._store.spool() as spare:
            _join(parts, spare)
            info = self._store.commit(spare, upload.uri, traits, condition)
        self.abort(upload)
        return info

    def abort(self, upload: Upload) -> None:
        """Forget the upload and its parts."""
        shutil.rmtree(self._root / upload.id, ignore_errors=True)

    def _read(self, identity: str) -> Upload | None:
        if not re.fullmatch(r"[0-9a-f]{32}", identity):
            return None
        path = self._root / identity / "upload.json"
        try:
            raw, started = json.loads(path.read_bytes()), path.stat().st_mtime
        except (FileNotFoundError, ValueError):
            return None
        traits = Traits(**{**raw["traits"], "parts": ()})
        return Upload(identity, S3Uri(raw["bucket"], raw["key"]), started, traits)


def _part(path: Path) -> Part:
    number, _, etag = path.name.partition("-")
    status = path.stat()
    return Part(int(number), status.st_size, etag, status.st_mtime, path)


def _choose(there: Mapping[int, Part], chosen: Sequence[tuple[int, str]]) -> list[Part]:
    if not chosen:
        raise PartsError("MalformedXML", "name at least one part")
    numbers = [number for number, _ in chosen]
    if numbers != sorted(set(numbers)):
        raise PartsError("InvalidPartOrder", "parts must be listed once each, in the order of their numbers")
    for number, etag in chosen:
        if number not in there or there[number].etag != etag.strip('"'):
            raise PartsError("InvalidPart", f"part {number} was not uploaded with the ETag {etag}")
    parts = [there[number] for number in numbers]
    for part in parts[:-1]:
        if part.size < SMALLEST_PART:
            raise PartsError(
                "EntityTooSmall", f"part {part.number} has {part.size} bytes: only the last may be so small"
            )
    return parts


def _join(parts: Sequence[Part], target: Path) -> None:
    # Cloned, not renamed: until the object is there, a second attempt must find all parts.
    disk.clone(parts[0].path, target)
    with target.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        for part in parts[1:]:
            disk.append(part.path, file.fileno())
