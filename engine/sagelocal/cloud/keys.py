"""Where an object's key lies below its bucket's folder.

The rule. A key is cut at ``/``; each segment is a folder's name, the last one the file's, as it stands. Only a segment
that cannot be a file name of its own is written differently:

- ``%~`` + text: an empty segment, ``.``, ``..``, one with a control character, one that begins with one of our marks.
- ``%+`` + text, a folder, continues in the next name: a segment longer than 255 bytes, cut in pieces.
- ``%=`` + text: the object ``a`` whose plain name is taken by the folder of ``a/b``; it ends a name as ``%~`` would.

In such texts control characters and ``%`` stand as ``%XX``. A name with a mark that this rule would not have written
is no object. Nothing can leave the folder: no name written is empty, ``.``, ``..`` or holds a ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sagelocal.errors import UsageError
from sagelocal.names import S3Uri

WHOLE, MORE, ASIDE = "%~", "%+", "%="
_MARKS = (WHOLE, MORE, ASIDE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")
_LONGEST_NAME = 255  # bytes; NAME_MAX of every file system in use
_PIECE = 200
LONGEST_KEY = 1024  # bytes of UTF-8, as S3 allows
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,254}")


def check(uri: S3Uri) -> None:
    """Refuse what cannot be an object's address.

    Raises:
        UsageError: the bucket's name is illegal, or the key is empty, too long or not Unicode.
    """
    check_bucket(uri.bucket)
    if not uri.key:
        message = f"{str(uri)!r} names a bucket: an object needs a key, as in s3://{uri.bucket}/key"
        raise UsageError(message)
    if len(_utf8(uri.key)) > LONGEST_KEY:
        message = f"the key of {str(uri)[:80]!r}… is longer than {LONGEST_KEY} bytes: shorten it"
        raise UsageError(message)


def check_bucket(bucket: str) -> None:
    """Refuse a bucket's name that cannot be a folder's.

    Raises:
        UsageError: it is not letters, digits, dots, hyphens and underscores, as `S3Uri.parse` has it.
    """
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        message = f"{bucket!r} cannot be a bucket: use letters, digits, dots and hyphens"
        raise UsageError(message)


def names(key: str) -> list[str]:
    """The folder names and the file name of a key, from the bucket's folder down."""
    return [name for segment in key.split("/") for name in segment_names(segment)]


def aside(key: str) -> list[str]:
    """The same, for a key whose plain place is taken by a folder."""
    head, slash, last = key.rpartition("/")
    return [*(names(head) if slash else []), *_pieces(last, ASIDE)]


def segment_names(segment: str) -> list[str]:
    """One segment: itself, or what stands for it."""
    return [segment] if _plain(segment) else _pieces(segment, WHOLE)


def aside_names(segment: str) -> list[str]:
    """The name of the file that makes way for the folder of this segment."""
    return _pieces(segment, ASIDE)


def read(path: list[str]) -> str | None:
    """The segment that these names stand for (`MORE` names and a last one); None when the rule writes it otherwise."""
    last = path[-1]
    if len(path) == 1 and not last.startswith(_MARKS):
        return last if _plain(last) else None
    text = "".join(_unescape(name[2:]) for name in path)
    expected = aside_names(text) if last.startswith(ASIDE) else segment_names(text)
    return text if expected == path else None


def is_mark(name: str) -> bool:
    """Whether the name was written by the rule instead of taken as it stands."""
    return name.startswith(_MARKS)


def _plain(segment: str) -> bool:
    if segment in {"", ".", ".."} or segment.startswith(_MARKS) or _CONTROL.search(segment):
        return False
    try:
        return len(segment.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # a file name that is not UTF-8 is no S3 key
        return False


def _pieces(segment: str, mark: str) -> list[str]:
    pieces = list(_cut(segment))
    return [*(MORE + piece for piece in pieces[:-1]), mark + pieces[-1]]


def _cut(segment: str) -> Iterator[str]:
    piece, size = "", 0
    for character in segment:
        unit = f"%{ord(character):02X}" if character == "%" or _CONTROL.match(character) else character
        width = len(unit.encode("utf-8", "replace"))
        if size + width > _PIECE:
            yield piece
            piece, size = "", 0
        piece, size = piece + unit, size + width
    yield piece


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text)


def _utf8(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError:
        message = f"the key {key!r} is not Unicode text: S3 keys are UTF-8"
        raise UsageError(message) from None
