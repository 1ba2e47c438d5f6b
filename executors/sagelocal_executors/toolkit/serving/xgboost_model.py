"""The built-in XGBoost algorithm serving what it has trained (source: AWS's sagemaker-xgboost-container)."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ml_contract import MODEL, JobError, missing_package

from serving import codecs, matrices, xgboost_selection
from serving.exchange import Answer, Model, Refused, Request, accepted, media_type

try:
    import numpy as np
    from xgboost_alone import xgboost
except ImportError as error:
    raise missing_package(error.name or "xgboost", "xgboost") from None

_UNNAMED = ("", "application/octet-stream")  # what clients send that do not say what they send


@dataclass(frozen=True)
class _Ensemble:
    """The boosters of a model: one, or as many as cross-validation has left."""

    boosters: tuple[Any, ...]

    @property
    def columns(self) -> int:
        return max(int(each.num_features()) for each in self.boosters)

    def predict(self, matrix: Any) -> Any:
        predictions = [
            each.predict(matrix, validate_features=False, **_rounds(each)) for each in self.boosters
        ]
        return predictions[0] if len(predictions) == 1 else np.mean(predictions, axis=0)


def load() -> Model:
    """Every file of ``/opt/ml/model`` is a booster, pickled or written by save_model.

    Raises:
        JobError: there is none, or one is something else.
    """
    files = sorted(path for path in MODEL.glob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise JobError(
            f"Unable to load model: there is no file in {MODEL}. The XGBoost algorithm leaves xgboost-model there; a"
            " script of your own goes into code/inference.py"
        )
    ensemble = _Ensemble(tuple(_booster(path) for path in files))
    return Model(partial(_invoke, ensemble), _execution_parameters)


def _booster(path: Path) -> Any:
    print(f"Loading the model from {path}", flush=True)
    data = path.read_bytes()
    try:
        found = pickle.loads(data)
    except Exception as no_pickle:  # what is no pickle makes unpickling raise anything
        return _saved(path, data, no_pickle)
    booster = found.get_booster() if hasattr(found, "get_booster") else found
    if not isinstance(booster, xgboost.Booster):
        raise JobError(f"Unable to load model: {path} holds a {type(found).__name__}, no booster of XGBoost")
    return booster


def _saved(path: Path, data: bytes, no_pickle: Exception) -> Any:
    """What save_model has written; by its content, as the file has no suffix that would tell the format."""
    try:
        return xgboost.Booster(model_file=bytearray(data))
    except (xgboost.core.XGBoostError, ValueError) as error:
        reason = str(error).split("Stack trace:")[0].strip()
        raise JobError(
            f"Unable to load model: {path} is neither a pickle ({no_pickle}) nor what save_model writes ({reason})"
        ) from None


def _rounds(booster: Any) -> dict[str, Any]:
    """Up to the best one, when training stopped early."""
    best = booster.attr("best_iteration")
    return {"iteration_range": (0, int(best) + 1)} if best is not None else {}


def _execution_parameters() -> Answer:
    parameters = {
        "MaxConcurrentTransforms": os.cpu_count() or 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }
    return Answer(json.dumps(parameters).encode(), codecs.JSON)


def _invoke(ensemble: _Ensemble, request: Request) -> Answer:
    if not request.body:
        return Answer(status=204)
    features, form = _features(request)
    features = _fitting(features, form, ensemble.columns)
    try:
        predictions = ensemble.predict(xgboost.DMatrix(features))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise Refused(400, f"Unable to evaluate payload provided: {error}") from None
    default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or codecs.CSV
    accept = accepted(request.header("Accept"), _WRITERS, default)
    return Answer(_written(ensemble, predictions, accept).encode(), accept)


def _features(request: Request) -> tuple[Any, str]:
    """The rows and their format, which is guessed where nobody names one.

    AWS's images disagree about a request without Content-Type: the first took it for CSV, later ones for libsvm. Batch
    transform without ContentType sends such requests, so the first line decides here: see `matrices.guess`.
    """
    named = media_type(request.header("Content-Type"))
    try:
        text = request.body.decode("utf-8")
        form = matrices.guess(text) if named in _UNNAMED else matrices.FORMATS[named]
        return matrices.parse(text, form), form
    except KeyError:
        raise Refused(
            415, f"{named} is not an accepted ContentType: {', '.join(matrices.FORMATS)}."
        ) from None
    except (ValueError, OverflowError) as error:
        kind = "csv" if named in _UNNAMED else matrices.FORMATS[named]
        raise Refused(
            415, f"Loading {kind} data failed with Exception, please ensure data is in {kind} format: {error}"
        ) from None


def _fitting(features: Any, form: str, columns: int) -> Any:
    """With as many columns as the model has.

    Sparse rows need not reach the last one. CSV may have one less, as AWS's images allow for models of libsvm data that
    counts from 1; the last column is missing then.

    Raises:
        Refused: 400, with both numbers.
    """
    given = features.shape[1]
    if form == matrices.LIBSVM and given <= columns:
        features.resize((features.shape[0], columns))
        return features
    if form == matrices.CSV and given == columns:
        return features
    if form == matrices.CSV and given == columns - 1:
        print(
            f"[sagelocal] {given} columns of {columns}: the last is taken to be missing",
            file=sys.stderr,
            flush=True,
        )
        return np.column_stack([features, np.full(len(features), np.nan, np.float32)])
    fault = "larger than" if form == matrices.LIBSVM else "not consistent with"
    raise Refused(
        400,
        f"Unable to evaluate payload provided: Feature size of {form} inference data {given} is {fault}"
        f" feature size of trained model {columns}.",
    )


def _written(ensemble: _Ensemble, predictions: Any, accept: str) -> str:
    """The text of the answer: here it is decided where lines end.

    As in AWS's images since 1.2-2 (before, answers outside of batch transform were one line with commas): every
    prediction ends its line, the last one, too. In batch transform several numbers of a prediction stand in brackets, and
    Accept only names the answer's type.
    """
    batch = bool(os.environ.get("SAGEMAKER_BATCH"))
    selected = os.environ.get("SAGEMAKER_INFERENCE_OUTPUT")
    if selected:
        records = xgboost_selection.records(predictions, selected, ensemble.boosters[0])
        return xgboost_selection.written(records, accept) + ("\n" if batch and accept == codecs.CSV else "")
    if batch:
        return "".join(f"{each}\n" for each in predictions.tolist())
    return _WRITERS[accept](predictions.tolist())


def _scores(predictions: list[Any]) -> str:
    return json.dumps({"predictions": [{"score": each} for each in predictions]})


def _score_lines(predictions: list[Any]) -> str:
    return "".join(json.dumps({"score": each}) + "\n" for each in predictions)


_WRITERS: dict[str, Callable[[list[Any]], str]] = {
    codecs.CSV: codecs.to_csv,
    codecs.JSON: _scores,
    "application/jsonlines": _score_lines,
}
