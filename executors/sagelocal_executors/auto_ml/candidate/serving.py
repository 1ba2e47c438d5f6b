"""How the best model answers requests: the four functions that the framework images' serving calls."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from .model import Model, load
from .question import REGRESSION, DataError
from .scores import predictions
from .tables import rows_of

_CSV, _JSON, _LINES = "text/csv", "application/json", "application/jsonlines"
SUPPORTED = ("predicted_label", "probability", "probabilities", "labels")
"""What a classification can say (dg autopilot-automate-model-development-container-output)."""


class UnsupportedFormatError(DataError):
    """A Content-Type or Accept that is not spoken here; by this name the images' serving knows whose fault it is."""


def model_fn(model_dir: str) -> Model:
    return load(Path(model_dir))


def input_fn(body: Any, content_type: str) -> pd.DataFrame:
    """Records in CSV: the features in the order of the training data, without the target."""
    if content_type.partition(";")[0].strip().lower() != _CSV:
        raise UnsupportedFormatError(
            f"Content-Type {content_type!r} is not supported: this model reads {_CSV}"
        )
    return rows_of(body if isinstance(body, str) else bytes(body).decode("utf-8"))


def predict_fn(table: pd.DataFrame, model: Model) -> list[dict[str, Any]]:
    """For each record what SAGEMAKER_INFERENCE_OUTPUT asks for, by its key; a regression has its value only."""
    columns = list(model.schema.columns)
    if len(table) and list(table.iloc[0]) == columns:
        table = table.iloc[1:].reset_index(drop=True)  # a header that was left in the file
    if table.empty:
        return []
    if len(table.columns) != len(columns):
        raise DataError(
            f"a record has {len(table.columns)} values; the model wants {len(columns)}, without the target:"
            f" {', '.join(columns)}"
        )
    scores = model.scores(table.set_axis(columns, axis=1))
    if model.problem == REGRESSION:
        return [{SUPPORTED[0]: float(score)} for score in scores]
    keys = wanted(os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", ""))
    best = predictions(model.problem, scores)
    return [_said(keys, model.classes, row, index) for row, index in zip(scores, best)]  # noqa: B905 - Python 3.8


def wanted(keys: str) -> list[str]:
    """The keys of a comma-separated list, the label alone when there are none.

    Raises:
        DataError: one is none of those that are supported.
    """
    found = [key.strip() for key in keys.split(",") if key.strip()] or [SUPPORTED[0]]
    unknown = [key for key in found if key not in SUPPORTED]
    if unknown:
        raise DataError(
            f"SAGEMAKER_INFERENCE_OUTPUT: {unknown[0]!r} is not supported; there are {', '.join(SUPPORTED)}"
        )
    return found


def _said(keys: list[str], classes: tuple[str, ...], row: Any, index: int) -> dict[str, Any]:
    probabilities = [float(each) for each in row]
    everything = {
        "predicted_label": classes[index],
        "probability": probabilities[index],
        "probabilities": probabilities,
        "labels": list(classes),
    }
    return {key: everything[key] for key in keys}


def output_fn(records: list[dict[str, Any]], accept: str) -> tuple[str, str]:
    """The answer, with its Content-Type: CSV, one JSON object, or a JSON object per line."""
    asked = accept.partition(";")[0].strip().lower() if accept else ""
    kind = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", _CSV) if asked in {"", "*/*"} else asked
    if kind not in ENCODERS:
        raise UnsupportedFormatError(f"Accept {accept!r} is not supported; there are {', '.join(ENCODERS)}")
    return ENCODERS[kind](records), kind


def _as_csv(records: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for record in records:
        writer.writerow([_field(value) for value in record.values()])
    return text.getvalue()


def _field(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list) else str(value)


def _as_json(records: list[dict[str, Any]]) -> str:
    return json.dumps({"predictions": records})


def _as_lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


ENCODERS = {_CSV: _as_csv, _JSON: _as_json, _LINES: _as_lines}
