"""Captured inference data: what a preprocessing script gets for each record (guide: model-monitor-pre-and-post-processing)."""

from __future__ import annotations

import csv
import json
from typing import Any

from ml_contract import JobError

_ENCODINGS = ("CSV", "JSON")


class EventMetadata:
    """When and as what an inference was captured."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.event_id = content.get("eventId")
        self.event_time = content.get("inferenceTime")
        self.custom_attribute = content.get("customAttributes")


class EventData:
    """One side of an inference: what went in, what came out, or what would have been right."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.encoding = content.get("encoding")
        self.data = content.get("data")
        self.observedContentType = content.get("observedContentType")
        self.mode = content.get("mode")

    def as_dict(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "data": self.data,
            "observedContentType": self.observedContentType,
        }


def _side(content: Any, name: str) -> EventData | None:
    return (
        EventData(content[name])
        if isinstance(content, dict) and isinstance(content.get(name), dict)
        else None
    )


class CapturedData:
    """One captured inference; sides that were not captured are None."""

    def __init__(self, event_dict: dict[str, Any]) -> None:
        self.event_dict = event_dict
        captured, metadata = event_dict.get("captureData"), event_dict.get("eventMetadata")
        self.event_metadata = EventMetadata(metadata) if isinstance(metadata, dict) else None
        self.endpoint_input = _side(captured, "endpointInput")
        self.endpoint_output = _side(captured, "endpointOutput")
        self.batch_transform_output = _side(captured, "batchTransformOutput")
        self.ground_truth = _side(event_dict, "groundTruthData")
        self.event_version = event_dict.get("eventVersion")

    def as_dict(self) -> dict[str, Any]:
        sides = {
            "endpointInput": self.endpoint_input,
            "endpointOutput": self.endpoint_output,
            "batchTransformOutput": self.batch_transform_output,
        }
        written = {name: side.as_dict() for name, side in sides.items() if side}
        return {**self.event_dict, **({"captureData": written} if written else {})}

    def __str__(self) -> str:
        return str(self.as_dict())


def records(event: Any, where: str, *, outputs_first: bool) -> list[dict[str, Any]]:
    """The records of one captured inference, input and output side by side.

    CSV fields have no names: they become ``_c<index>``, the output's before the input's unless said otherwise.

    Raises:
        JobError: when this is no captured inference, or the sides do not go together.
    """
    if not isinstance(event, dict) or not isinstance(event.get("captureData"), dict):
        raise JobError(f"{where}: no captured inference: it has no captureData")
    one = CapturedData(event)
    output = one.endpoint_output or one.batch_transform_output
    found = [
        side
        for side in ((output, one.endpoint_input) if outputs_first else (one.endpoint_input, output))
        if side
    ]
    encodings = {side.encoding for side in found}
    if len(encodings) != 1 or not encodings <= set(_ENCODINGS):
        raise JobError(
            f"{where}: input and output must both be CSV or both JSON, not {', '.join(map(str, encodings))};"
            " a record_preprocessor_script can bring them together"
        )
    texts = [str(side.data or "") for side in found]
    if encodings == {"JSON"}:
        return _objects(texts, where)
    return _fields(texts)


def _objects(texts: list[str], where: str) -> list[dict[str, Any]]:
    try:
        sides = [json.loads(text) for text in texts]
    except ValueError as error:
        raise JobError(f"{where}: the captured data is not JSON: {error}") from None
    merged: dict[str, Any] = {}
    for side in sides:
        merged.update(side if isinstance(side, dict) else {"": side})
    return [merged]


def _fields(texts: list[str]) -> list[dict[str, Any]]:
    """Side by side, record by record; a side with fewer records has missing values in the others."""
    sides = [[record for record in csv.reader(text.splitlines()) if record] for text in texts]
    rows = []
    for index in range(max(map(len, sides), default=0)):
        fields: list[str | None] = []
        for side in sides:
            width = len(side[0]) if side else 0
            fields += side[index] if index < len(side) else [None] * width
        rows.append({f"_c{place}": field for place, field in enumerate(fields)})
    return rows
