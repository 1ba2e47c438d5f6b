"""Files of text lines, packed by gzip or not."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from ml_contract import JobError

_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[io.TextIOWrapper]:
    """A text file, unpacked, without a byte order mark; newlines are left as they are.

    Raises:
        JobError: naming file and line, when what is read inside is not UTF-8 or not gzip.
    """
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == _GZIP
    try:
        with _bytes(path, packed) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError:
        raise JobError(
            f"{path}{_bad_line(path, packed)}: not UTF-8; save the file in that encoding"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise JobError(f"{path}: begins like a gzip file, but cannot be unpacked: {error}") from None


def _bytes(path: Path, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _bad_line(path: Path, packed: bool) -> str:
    with _bytes(path, packed) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f", line {number}"
    return ""
