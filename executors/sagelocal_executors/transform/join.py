"""Which part of a record the model sees, and what is kept of record and prediction (DataProcessing; semantics 08 §8.3)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sagelocal.values import Json
from sagelocal_executors.transform.faults import RecordError
from sagelocal_executors.transform.filters import Filter
from sagelocal_executors.transform.formats import Format, dump, fields, load
from sagelocal_executors.transform.records import LINE_ENDS

_INPUT, _OUTPUT = "SageMakerInput", "SageMakerOutput"
_ID, _TIME = "SageMakerInferenceId", "SageMakerInferenceTime"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What GenerateInferenceId adds to each record of the output.

    Attributes:
        namespace: what makes the ids of one job's file unlike all others.
        time: when the job started, in UTC.
    """

    namespace: str
    time: str

    def inference_id(self, number: str) -> str:
        """Derived, not drawn: a job that is run again after a crash gives its records the same ids."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.namespace}#{number}"))


@dataclass(frozen=True, slots=True)
class Association:
    """DataProcessing of a job.

    Attributes:
        sent: the format of the records; None: they are not looked into.
        received: the format of the predictions; None: they are not looked into.
        by_line: whether each line of a file is a record, instead of its whole content.
        answered_by_line: likewise for an answer and its predictions.
    """

    sent: Format | None
    received: Format | None
    input_filter: Filter
    output_filter: Filter
    join: bool
    by_line: bool
    answered_by_line: bool

    @property
    def filters_input(self) -> bool:
        return not self.input_filter.whole

    @property
    def reads_records(self) -> bool:
        return self.filters_input or self.join

    def reads_predictions(self, stamp: Stamp | None) -> bool:
        return self.join or not self.output_filter.whole or stamp is not None

    def records(self, content: bytes) -> list[bytes]:
        """The records of a file that is sent as a whole."""
        return _lines(content) if self.by_line else [content]

    def seen(self, record: bytes) -> bytes:
        """What the model sees of a record.

        Raises:
            RecordError: it cannot be read, or the filter does not fit it.
        """
        if not self.filters_input:
            return record
        if self.sent is Format.CSV:
            return b",".join(self.input_filter.select_fields(fields(record)))
        return dump(self.input_filter.select(load(record)))

    def predictions(self, answer: bytes, records: int) -> list[bytes]:
        """The predictions in an answer to so many records.

        Raises:
            RecordError: there are more or fewer, and they are to be joined.
        """
        if records == 1 and self.received is not Format.CSV:
            return [answer.strip()]  # a JSON document may have several lines
        found = _lines(answer) if self.answered_by_line else [answer]
        if self.join and len(found) != records:
            raise RecordError(
                f"Fail to join data: {records} record{'s'[: records != 1]} went to the model, {len(found)} "
                f"prediction{'s'[: len(found) != 1]} came back; it must answer one line per record"
            )
        return found

    def kept(self, record: bytes | None, prediction: bytes, stamp: Stamp | None, number: str) -> bytes:
        """What the output has of a record and its prediction.

        Raises:
            RecordError: one of them cannot be read, or the filter does not fit them.
        """
        if self.received is Format.CSV:
            return self._kept_row(record, prediction, stamp, number)
        value = load(prediction, "the prediction")
        if record is not None:
            value = _joined(load(record, "the record"), value)
        return dump(_stamped(self.output_filter.select(value), stamp, number))

    def _kept_row(self, record: bytes | None, prediction: bytes, stamp: Stamp | None, number: str) -> bytes:
        """Fields keep the quotes that they have; unless there is a filter, they are not even looked for."""
        row = prediction if record is None else record + b"," + prediction
        if not self.output_filter.whole:
            row = b",".join(self.output_filter.select_fields(fields(row)))
        return row if stamp is None else row + f",{stamp.inference_id(number)},{stamp.time}".encode()


def _lines(content: bytes) -> list[bytes]:
    """The lines that are not blank, without their ends."""
    return [line for line in (each.strip(LINE_ENDS) for each in content.split(b"\n")) if line]


def _joined(record: Json, prediction: Json) -> Json:
    if isinstance(record, Mapping):
        return {**record, _OUTPUT: prediction}
    return {_INPUT: record, _OUTPUT: prediction}


def _stamped(value: Json, stamp: Stamp | None, number: str) -> Json:
    if stamp is None:
        return value
    members = value if isinstance(value, Mapping) else {_OUTPUT: value}
    return {**members, _ID: stamp.inference_id(number), _TIME: stamp.time}
