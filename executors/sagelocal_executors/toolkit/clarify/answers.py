"""What a model answers, record by record (AWS: Endpoint response for tabular data)."""

from __future__ import annotations

import ast
import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_contract import JobError

from clarify.config import CSV, JSON, JSON_LINES, Predictor
from clarify.paths import search

if TYPE_CHECKING:
    from clarify.config import Column


@dataclass(frozen=True)
class Answer:
    """The prediction for one record.

    Attributes:
        label: what predictor.label finds: a label, or a list of all labels; None without that key.
        scores: the probabilities; None where the answer has none.
    """

    label: Any
    scores: tuple[float, ...] | None


def answers(predictor: Predictor, body: bytes, content_type: str, records: int) -> list[Answer]:
    """The predictions of one reply, one for each record of the request.

    Raises:
        JobError: it cannot be read as the type says, or has another number of predictions.
    """
    # A model may answer in a type of its own, whatever was asked for.
    said = content_type.partition(";")[0].strip().lower()
    kind = said if said in _READERS else predictor.accept_type
    text = body.decode("utf-8", "replace").strip()
    try:
        found = _READERS[kind](predictor, text, records)
    except (ValueError, SyntaxError, csv.Error) as error:
        raise JobError(
            f"The model's answer is no {kind} that fits: {error}; it begins {text[:100]!r}"
        ) from None
    wrong = next(
        (i for i, answer in enumerate(found) if not all(map(math.isfinite, answer.scores or ()))), None
    )
    if wrong is not None:
        raise JobError(f"The model's answer {wrong} is no finite number: {found[wrong].scores}")
    if len(found) != records:
        raise JobError(
            f"The model answered {len(found)} predictions for {records} records; its answer begins {text[:100]!r}"
        )
    return found


def _from_csv(predictor: Predictor, text: str, records: int) -> list[Answer]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if len(rows) == 1 and records > 1 and len(rows[0]) == records:
        rows = [[cell] for cell in rows[0]]  # the guide allows all results in one line
    return [_csv_answer(predictor, row) for row in rows]


def _csv_answer(predictor: Predictor, row: list[str]) -> Answer:
    label = _cell(row, predictor.label, "predictor.label") if predictor.label is not None else None
    if predictor.probability is not None:
        return Answer(label, _scores(_cell(row, predictor.probability, "predictor.probability")))
    # Without an index, the whole row is taken as scores; beside a label that need not work out.
    try:
        return Answer(label, tuple(float(cell) for cell in row))
    except ValueError:
        if predictor.label is None:
            raise ValueError(
                f"{row} are not all numbers; say by predictor.label and predictor.probability which column is what"
            ) from None
        return Answer(label, None)


def _cell(row: list[str], place: Column, key: str) -> Any:
    """One cell; a list is written in it as Python or JSON writes lists."""
    if not isinstance(place, int):
        raise JobError(f"{key} must be the index of a column for answers in {CSV}, not {place!r}")
    if not 0 <= place < len(row):
        raise JobError(f"{key}: the model's answer has no column {place}: {row}")
    cell = row[place].strip()
    return ast.literal_eval(cell) if cell.startswith("[") else cell


def _scores(value: Any) -> tuple[float, ...]:
    items = value if isinstance(value, (list, tuple)) else [value]
    if any(item is None or isinstance(item, (list, dict, bool)) for item in items):
        raise ValueError(f"{value!r} is no score, nor a list of scores")
    return tuple(float(item) for item in items)


def _from_json_lines(predictor: Predictor, text: str, _records: int) -> list[Answer]:
    return [_json_answer(predictor, json.loads(line), search) for line in text.splitlines() if line.strip()]


def _from_json(predictor: Predictor, text: str, records: int) -> list[Answer]:
    document = json.loads(text)
    if predictor.label is None and predictor.probability is None:
        return [Answer(None, _scores(item)) for item in _items(document, records)]
    found = {
        key: _items(search(_expression(place, key), document, key), records)
        for key, place in (
            ("predictor.label", predictor.label),
            ("predictor.probability", predictor.probability),
        )
        if place is not None
    }
    length = max(len(items) for items in found.values())
    records_found = [{key: items[i] for key, items in found.items() if i < len(items)} for i in range(length)]
    return [_json_answer(predictor, record, _by_key) for record in records_found]


def _by_key(_expression_text: str, record: Mapping[str, Any], key: str) -> Any:
    return record.get(key)


def _items(value: Any, records: int) -> list[Any]:
    """One item per record: of a single record the answer may stand alone, not in a list."""
    if isinstance(value, list) and (len(value) == records or records > 1):
        return value
    return [value]


def _json_answer(predictor: Predictor, record: Any, find: Callable[[str, Any, str], Any]) -> Answer:
    key = "predictor.label"
    label = find(_expression(predictor.label, key), record, key) if predictor.label is not None else None
    if predictor.probability is not None:
        key = "predictor.probability"
        found = find(_expression(predictor.probability, key), record, key)
        if found is None:
            raise JobError(
                f"{key} {predictor.probability!r} finds nothing in the model's answer {_short(record)}"
            )
        return Answer(label, _scores(found))
    if predictor.label is None:
        return Answer(None, _scores(_alone(record)))
    if label is None:
        raise JobError(
            f"predictor.label {predictor.label!r} finds nothing in the model's answer {_short(record)}"
        )
    return Answer(label, _numeric(label))


def _alone(record: Any) -> Any:
    if isinstance(record, dict):
        raise JobError(
            f"predictor.probability is missing: the model answers objects with {', '.join(record)};"
            " set it (or predictor.label) to the JMESPath of what counts"
        )
    return record


def _numeric(label: Any) -> tuple[float, ...] | None:
    """A label that is a number is a score as well, as regressions answer it."""
    try:
        return _scores(label)
    except ValueError:
        return None


def _expression(place: Column | None, key: str) -> str:
    if not isinstance(place, str):
        raise JobError(f"{key} must be a JMESPath for answers in JSON, not {place!r}")
    return place


def _short(record: Any) -> str:
    return json.dumps(record)[:100]


_READERS: Mapping[str, Callable[[Predictor, str, int], list[Answer]]] = {
    CSV: _from_csv,
    JSON_LINES: _from_json_lines,
    JSON: _from_json,
}
