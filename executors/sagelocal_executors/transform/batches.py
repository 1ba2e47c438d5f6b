"""What goes to the model in one request (BatchStrategy, MaxPayloadInMB; semantics 08 §8.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from sagelocal_executors.transform.faults import FileError, RecordError
from sagelocal_executors.transform.join import Association
from sagelocal_executors.transform.records import LINE_ENDS, SPLITTERS, UNWRAPPERS, too_large

MEGABYTE = 1 << 20
_LARGEST_RECORD = 100 * MEGABYTE
"""A record of which the model sees only a part may be larger than a request, but not without end."""
_WHOLE = "the whole file"


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one request.

    Attributes:
        first: the number of the first, from 1.
        count: how many there are.
        body: what is sent.
        records: the records as they were; empty unless they will be joined.
        whole: whether it is a whole file, whose records nobody has looked for.
    """

    first: int
    count: int
    body: bytes
    records: tuple[bytes, ...] = ()
    whole: bool = False

    def sent(self) -> bytes:
        return self.body

    def __str__(self) -> str:
        if self.whole:
            return _WHOLE
        last = self.first + self.count - 1
        return f"record {last}" if self.count == 1 else f"records {self.first}-{last}"


@dataclass(slots=True)
class _Growing:
    """A batch that takes more."""

    first: int
    count: int = 0
    body: bytearray = field(default_factory=bytearray)
    records: list[bytes] = field(default_factory=list)

    def add(self, body: bytes, record: bytes | None) -> None:
        self.count += 1
        self.body += body
        if record is not None:
            self.records.append(record)

    def done(self) -> Batch:
        return Batch(self.first, self.count, bytes(self.body), tuple(self.records))


@dataclass(frozen=True, slots=True)
class Cutting:
    """How files become requests.

    Attributes:
        split_type: SplitType.
        single: BatchStrategy SingleRecord.
        limit: bytes that a request may have.
    """

    split_type: str
    single: bool
    limit: int
    association: Association

    def batches(self, file: BinaryIO) -> Iterator[Batch]:
        """The requests of one file, in its order; none when it is empty.

        Raises:
            FileError: it cannot be cut so, or a record cannot be read.
        """
        if self.split_type == "None":
            return self._whole(file)
        if self.split_type == "Line" and not self.single and not self.association.reads_records:
            return self._blocks(file)
        return self._cut(file)

    @property
    def _bound(self) -> int:
        return max(self.limit, _LARGEST_RECORD) if self.association.filters_input else self.limit

    def _whole(self, file: BinaryIO) -> Iterator[Batch]:
        content = file.read(self._bound + 1)
        if len(content) > self._bound:
            raise too_large(_WHOLE, self._bound)
        if not content:
            return
        if not self.association.reads_records:
            yield Batch(1, 1, content, whole=True)
            return
        records = self.association.records(content)
        seen = [self._seen(record, number) for number, record in enumerate(records, 1)]
        body = b"".join(seen) if self.association.filters_input else content
        if len(body) > self.limit:
            raise too_large(_WHOLE, self.limit)
        if records:
            yield Batch(1, len(records), body, tuple(records) if self.association.join else ())

    def _blocks(self, file: BinaryIO) -> Iterator[Batch]:
        """Lines that nobody looks at, cut as `_cut` does, but not one by one, as a large file has many."""
        first, rest = 1, b""
        while block := rest + file.read(self.limit + 1 - len(rest)):
            end = len(block) if len(block) <= self.limit else block.rfind(b"\n", 0, self.limit) + 1
            if not end:
                raise too_large(f"record {first}", self.limit)
            body, rest = block[:end], block[end:]
            count = _lines(body)
            if count:
                yield Batch(first, count, body)
            first += count

    def _cut(self, file: BinaryIO) -> Iterator[Batch]:
        batch = _Growing(1)
        for number, record in enumerate(SPLITTERS[self.split_type](file, self._bound), 1):
            body = self._body(record, number)
            if len(body) > self.limit:
                raise too_large(f"record {number}", self.limit)
            if batch.count and (self.single or len(batch.body) + len(body) > self.limit):
                yield batch.done()
                batch = _Growing(number)
            batch.add(body, record.strip(LINE_ENDS) if self.association.join else None)
        if batch.count:
            yield batch.done()

    def _body(self, record: bytes, number: int) -> bytes:
        if self.association.filters_input:
            return self._seen(record.strip(LINE_ENDS), number)
        if self.single and self.split_type in UNWRAPPERS:
            return UNWRAPPERS[self.split_type](record)
        return record

    def _seen(self, record: bytes, number: int) -> bytes:
        try:
            seen = self.association.seen(record)
        except RecordError as error:
            raise FileError(f"record {number}: InputFilter: {error}") from None
        return seen + b"\n" if self.association.by_line else seen


def _lines(block: bytes) -> int:
    """How many lines are not blank."""
    if block.startswith((b"\n", b"\r")) or b"\n\n" in block or b"\n\r" in block:
        return sum(1 for line in block.split(b"\n") if line.strip(LINE_ENDS))
    return block.count(b"\n") + (not block.endswith(b"\n"))
