"""Records put together to requests."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sagelocal_executors.transform.batches import Batch, Cutting
from sagelocal_executors.transform.faults import FileError
from sagelocal_executors.transform.filters import parse_filter
from sagelocal_executors.transform.formats import Format
from sagelocal_executors.transform.join import Association

ALL = parse_filter("$")
AS_IT_IS = Association(None, None, ALL, ALL, join=False, by_line=True, answered_by_line=True)
JOINED = Association(Format.CSV, Format.CSV, ALL, ALL, join=True, by_line=True, answered_by_line=True)
LIMIT = 24

some_lines = some.lists(some.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=20)


def cut(content: bytes, association: Association, *, single: bool = False) -> list[Batch]:
    cutting = Cutting("Line", single=single, limit=LIMIT, association=association)
    return list(cutting.batches(io.BytesIO(content)))


def records(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line.strip(b"\r")]


@given(some_lines, some.booleans())
def test_batches_have_all_records_in_order_and_keep_the_limit(lines: list[bytes], ended: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")

    batches = cut(content, AS_IT_IS)

    assert [record for batch in batches for record in records(batch.body)] == records(content)
    assert all(0 < len(batch.body) <= LIMIT for batch in batches)
    assert [batch.first for batch in batches] == [
        1 + sum(batch.count for batch in batches[:number]) for number in range(len(batches))
    ]


@given(some.lists(some.text("abc,", min_size=1, max_size=12), min_size=1, max_size=20), some.booleans())
def test_whether_records_are_looked_at_does_not_change_what_is_sent(lines: list[str], ended: bool) -> None:
    content = ("\n".join(lines) + ("\n" if ended else "")).encode()

    looked_at = cut(content, JOINED)

    assert [(batch.first, batch.count, batch.body) for batch in looked_at] == [
        (batch.first, batch.count, batch.body) for batch in cut(content, AS_IT_IS)
    ]
    assert [record.decode() for batch in looked_at for record in batch.records] == lines


@given(some.lists(some.text("abc,", min_size=1, max_size=12), min_size=2, max_size=20))
def test_no_batch_would_have_taken_the_next_record(lines: list[str]) -> None:
    batches = cut("".join(f"{line}\n" for line in lines).encode(), AS_IT_IS)

    for batch, after in pairwise(batches):
        following = after.body.splitlines(keepends=True)[0]
        assert len(batch.body) + len(following) > LIMIT


@given(some_lines)
def test_single_records_are_batches_of_one(lines: list[bytes]) -> None:
    content = b"\n".join(lines)

    batches = cut(content, AS_IT_IS, single=True)

    assert [records(batch.body) for batch in batches] == [[record] for record in records(content)]
    assert all(batch.count == 1 for batch in batches)


@pytest.mark.parametrize("association", [AS_IT_IS, JOINED])
def test_a_record_that_fits_exactly_is_sent(association: Association) -> None:
    exact = b"x" * (LIMIT - 1) + b"\n"

    assert [batch.body for batch in cut(b"a\n" + exact + b"b", association)] == [b"a\n", exact, b"b"]
    with pytest.raises(FileError, match="record 2"):
        cut(b"a\n" + b"x" + exact, association)


def test_batches_are_named_by_their_records() -> None:
    assert str(Batch(3, 1, b"")) == "record 3"
    assert str(Batch(3, 4, b"")) == "records 3-6"
    assert str(Batch(1, 1, b"", whole=True)) == "the whole file"
