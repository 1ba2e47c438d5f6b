"""Bytes become lines, however they are cut."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from sagelocal_executors.containers.docker_stream import Frames
from sagelocal_executors.containers.lines import LineSplitter

texts = st.text(st.sampled_from("ab\n\ré😀"), max_size=60)


def _lines(splitter: LineSplitter, data: bytes, size: int) -> list[str]:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return [line for part in parts for line in splitter.feed(part)] + splitter.close()


@given(texts, st.integers(1, 70))
def test_lines_do_not_depend_on_how_the_bytes_come(text: str, size: int) -> None:
    whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    expected = whole if whole[-1] else whole[:-1]

    assert _lines(LineSplitter(), text.encode(), size) == expected


@given(texts, st.integers(1, 70), st.integers(1, 9))
def test_long_lines_come_in_pieces_without_loss(text: str, size: int, longest: int) -> None:
    pieces = _lines(LineSplitter(longest), text.encode(), size)

    assert "".join(pieces) == text.replace("\r", "").replace("\n", "")
    assert all(len(piece) <= longest for piece in pieces)


def test_bytes_that_are_no_text_do_not_stop_the_rest() -> None:
    assert _lines(LineSplitter(), b"a\xffb\nc", 1) == ["a\ufffdb", "c"]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)), max_size=8), st.integers(1, 30))
def test_frames_do_not_depend_on_how_the_bytes_come(frames: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(struct.pack(">BxxxL", stream, len(payload)) + payload for stream, payload in frames)
    reader = Frames()
    pieces = [piece for at in range(0, len(data), size) for piece in reader.feed(data[at : at + size])]

    for stream in (1, 2):
        assert b"".join(part for of, part in pieces if of == stream) == b"".join(
            payload for of, payload in frames if of == stream
        )
