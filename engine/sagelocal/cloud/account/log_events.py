"""The lines of a stream as events, read from any place in either direction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sagelocal.cloud.account.log_streams import Stream

_BLOCK = 256 << 10  # bytes that are read at a time
_OVERHEAD = 26  # bytes that an event counts beside its text (API: PutLogEvents)
_MARK = re.compile(r"\[(algo-\d+)\] ")
_FIRST = "algo-1"


@dataclass(frozen=True, slots=True)
class Span:
    """Which events are wanted: from `start` until before `end`, in milliseconds since the epoch."""

    start: int = 0
    end: int = 1 << 62


@dataclass(frozen=True, slots=True)
class Event:
    """One line.

    Attributes:
        offset: where it begins in the file; with the stream's name it identifies the event.
        following: where the next line begins.
        moment: when it came, in milliseconds since the epoch.
    """

    offset: int
    following: int
    moment: int
    text: str

    @property
    def size(self) -> int:
        """Bytes that it counts in an answer."""
        return self.following - self.offset + _OVERHEAD


def forward(stream: Stream, span: Span, offset: int | None = None) -> Iterator[Event]:
    """The events from an offset on, or from the stream's beginning; no further than the last whole line."""
    stream.stamps.refresh()
    place = max(stream.begin if offset is None else offset, stream.stamps.since(span.start))
    while lines := _lines(stream, place, _BLOCK):
        for begin, line in lines:
            moment = stream.stamps.at(begin)
            if moment >= span.end:
                return
            text = _own(stream, line.rstrip(b"\n").decode(errors="replace"))
            if text is not None:
                yield Event(begin, begin + len(line), moment, text)
        place = lines[-1][0] + len(lines[-1][1])


def backward(stream: Stream, span: Span, limit: int, offset: int | None = None) -> list[Event]:
    """The last `limit` events before an offset, or before the stream's end, in the order in which they came."""
    stream.stamps.refresh()
    bottom, top = max(stream.begin, stream.stamps.since(span.start)), _top(stream, offset)
    window = _BLOCK
    while True:
        begin = max(bottom, top - window)
        # A line that began before the window belongs to a larger one.
        first = begin if begin == bottom else _next_line(stream, begin)
        events = [event for event in forward(stream, span, first) if event.offset < top]
        if len(events) >= limit or begin <= bottom:
            return events[-limit:]
        window *= 4


def last_moment(stream: Stream) -> int | None:
    """When the file's last line came; None when there is none."""
    stream.stamps.refresh()
    top = _top(stream, None)
    return stream.stamps.at(top - 1) if top > stream.begin else None


def _top(stream: Stream, offset: int | None) -> int:
    try:
        size = stream.path.stat().st_size
    except FileNotFoundError:
        size = 0
    return min(end for end in (size, stream.end, offset) if end is not None)


def _lines(stream: Stream, place: int, block: int) -> list[tuple[int, bytes]]:
    """The whole lines of a block, or the one that is longer than it, with their offsets."""
    top = _top(stream, None)
    if place >= top:
        return []
    with stream.path.open("rb") as file:
        file.seek(place)
        data = _block(file, min(block, top - place), top - place)
    found, begin = [], place
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        found.append((begin, line))
        begin += len(line)
    return found


def _block(file: BinaryIO, block: int, most: int) -> bytes:
    data = file.read(block)
    while b"\n" not in data and len(data) < most and (more := file.read(block)):
        data += more
    return data


def _next_line(stream: Stream, place: int) -> int:
    with stream.path.open("rb") as file:
        file.seek(place)
        file.readline()
        return file.tell()


def _own(stream: Stream, text: str) -> str | None:
    """A line of a job's common log without its mark; None when it is another instance's; the first has the unmarked ones."""
    mark = _MARK.match(text) if stream.host else None
    if stream.host and stream.host != (mark[1] if mark else _FIRST):
        return None
    return text[mark.end() :] if mark else text
