"""The answers of the model, put together to the output of a file (AssembleWith; semantics 08 §8.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sagelocal_executors.channels import Item
from sagelocal_executors.transform.batches import Batch
from sagelocal_executors.transform.faults import FileError, RecordError
from sagelocal_executors.transform.join import Association, Stamp


@dataclass(frozen=True, slots=True)
class Assembly:
    """How outputs are made.

    Attributes:
        lines: AssembleWith Line.
        stamp: for a file, what GenerateInferenceId adds; None when it is off.
    """

    association: Association
    lines: bool
    stamp: Callable[[Item], Stamp | None] = lambda _: None

    def output(self, item: Item, batch: Batch, answer: bytes) -> bytes:
        """What an answer adds to the output of its file.

        Raises:
            FileError: a record cannot be joined or filtered.
        """
        stamp = self.stamp(item)
        if not self.association.reads_predictions(stamp):
            return self._ended(answer)
        try:
            predictions = self.association.predictions(answer, 0 if batch.whole else batch.count)
        except RecordError as error:
            raise FileError(f"{batch}: {error}") from None
        records = batch.records or (None,) * len(predictions)
        pairs = zip(records, predictions, strict=True)
        kept = [self._kept(batch, *pair, stamp, number) for number, pair in enumerate(pairs)]
        return b"".join(row + b"\n" for row in kept) if self.association.answered_by_line else b"".join(kept)

    def _ended(self, answer: bytes) -> bytes:
        """The answer, with AssembleWith Line on lines of its own: models end their last line, or do not."""
        return answer if not self.lines or answer.endswith(b"\n") else answer + b"\n"

    def _kept(
        self, batch: Batch, record: bytes | None, prediction: bytes, stamp: Stamp | None, number: int
    ) -> bytes:
        try:
            return self.association.kept(record, prediction, stamp, f"{batch.first}.{number}")
        except RecordError as error:
            what = batch if batch.whole else f"record {batch.first + number}"
            raise FileError(f"{what}: {error}") from None
