"""What S3 knows about an object beyond its bytes, in a small file of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

DEFAULT_TYPE = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class Traits:
    """Everything a client told us about an object.

    Attributes:
        content_type: as sent.
        metadata: the client's own, names in lower case without ``x-amz-meta-``.
        headers: other headers to send back with the object, names in lower case: Cache-Control, checksums …
        tags: the object's tags.
        etag: without quotes; empty when it follows from the content.
        parts: sizes of the parts of a multipart upload, in bytes.
    """

    content_type: str = DEFAULT_TYPE
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    parts: tuple[int, ...] = ()


PLAIN = Traits()


class Sidecars:
    """The traits of objects: ``<folder>/<bucket>/<aa>/<hash of the key>.json``; plain objects have none.

    Each holds the size and modification time of the file it was written for; when these differ, somebody changed the
    object behind our back and its traits are void.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, bucket: str, key: str, status: os.stat_result) -> Traits | None:
        """The traits of this very file; `PLAIN` when there are none, None when they were another file's."""
        try:
            raw = json.loads(self._path(bucket, key).read_bytes())
        except FileNotFoundError:
            return PLAIN
        except ValueError:
            return None
        stamp = raw.pop("stamp"), raw.pop("key")
        if stamp != ([status.st_size, status.st_mtime_ns], key):
            return None
        return Traits(**{**raw, "parts": tuple(raw["parts"])})

    def write(self, bucket: str, key: str, status: os.stat_result, traits: Traits) -> None:
        """Keep the traits for the file with this status."""
        path = self._path(bucket, key)
        if traits == PLAIN:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {**asdict(traits), "key": key, "stamp": [status.st_size, status.st_mtime_ns]}
        spare = path.with_suffix(".new")
        spare.write_text(json.dumps(content), encoding="utf-8")
        spare.replace(path)

    def forget(self, bucket: str, key: str) -> None:
        """Drop the traits of an object."""
        self._path(bucket, key).unlink(missing_ok=True)

    def forget_bucket(self, bucket: str) -> None:
        """Drop the traits of all its objects."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder / bucket)

    def _path(self, bucket: str, key: str) -> Path:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / bucket / digest[:2] / f"{digest[2:]}.json"
