"""The body of a request, however it is sent."""

from __future__ import annotations

import re
from email.message import Message
from io import BufferedIOBase

from serving.exchange import Refused

_LINE = 65536
_PIECE = 1 << 20


def read(source: BufferedIOBase, headers: Message) -> bytes:
    """All of it: by Content-Length, by chunks, or nothing.

    Raises:
        Refused: 400 or 501, its end cannot be found.
        ConnectionError: the client went away before it.
    """
    lengths = headers.get_all("Content-Length", [])
    coding = headers.get("Transfer-Encoding")
    if coding is not None:
        if lengths:
            raise Refused(400, "both Content-Length and Transfer-Encoding are given")
        if coding.strip().lower() != "chunked":
            raise Refused(501, f"Transfer-Encoding {coding} is not supported")
        return b"".join(_chunks(source))
    if len(set(lengths)) > 1 or not all(re.fullmatch("[0-9]{1,18}", each) for each in lengths):
        raise Refused(400, f"Content-Length is no number: {', '.join(lengths)}")
    return _exactly(source, int(lengths[0])) if lengths else b""


def _chunks(source: BufferedIOBase) -> list[bytes]:
    pieces = []
    while True:
        size = _line(source).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
            raise Refused(400, f"no size of a chunk: {size[:20]!r}")
        if int(size, 16) == 0:
            break
        pieces.append(_exactly(source, int(size, 16)))
        if _line(source).strip():
            raise Refused(400, "a chunk is longer than its size")
    while _line(source).strip():
        pass  # trailing headers, which nothing here reads
    return pieces


def _line(source: BufferedIOBase) -> bytes:
    line = source.readline(_LINE)
    if not line:
        raise ConnectionError
    if not line.endswith(b"\n"):
        raise Refused(400, "a line between chunks is too long")
    return line


def _exactly(source: BufferedIOBase, size: int) -> bytes:
    """By pieces: who claims an exabyte does not get the memory for it at once."""
    pieces, missing = [], size
    while missing:
        piece = source.read(min(missing, _PIECE))
        if not piece:
            raise ConnectionError
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
