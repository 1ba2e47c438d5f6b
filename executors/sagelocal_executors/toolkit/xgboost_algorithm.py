"""The built-in XGBoost algorithm: train on a channel, say the metrics, leave a model (AWS: XGBoost algorithm)."""

from __future__ import annotations

import os
import pickle
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xgboost_hyperparameters
from ml_contract import MODEL, JobError, missing_package, read_config

try:
    import numpy as np
    import xgboost_channels
    from xgboost_alone import xgboost
except ImportError as error:
    raise missing_package(error.name or "xgboost", "xgboost") from None

_SAVED_BY_BOOSTER_SINCE = (1, 3)  # older images leave a pickle, newer ones what Booster.save_model writes
_TAB = "#011"  # how a tab stands in CloudWatch, and so in the regular expressions of metric definitions


def train() -> int:
    """Train as the hyperparameters say; ``/opt/ml/model/xgboost-model`` is the result."""
    values = xgboost_hyperparameters.validated(read_config("hyperparameters.json"))
    channels = read_config("inputdataconfig.json")
    if not _is_ours(channels):
        return 0
    tables = _tables(channels, weighted=values.get("csv_weights") == 1)
    matrices = {
        name: xgboost.DMatrix(each.features, each.labels, weight=each.weights)
        for name, each in tables.items()
    }
    for name, matrix in matrices.items():
        print(
            f"{name.capitalize()} matrix has {matrix.num_row()} rows and {matrix.num_col()} columns",
            flush=True,
        )
    progress = _Progress()
    signal.signal(signal.SIGTERM, progress.stop)
    booster = _boosted(values, matrices, progress)
    if not progress.stopped or values.get("save_model_on_termination") == "true":
        save(booster)
    return 0


def _is_ours(channels: dict[str, Any]) -> bool:
    """Whether this host is the one that trains: the hosts of a job do not work together here.

    Raises:
        JobError: they would have to, as each has only a part of the data.
    """
    resources = read_config("resourceconfig.json")
    hosts = resources.get("hosts") or ["algo-1"]
    if len(hosts) == 1:
        return True
    if channels.get("train", {}).get("S3DistributionType") == "ShardedByS3Key":
        raise JobError(
            "XGBoost over several instances with ShardedByS3Key is not played locally: set InstanceCount to 1"
            " or S3DataDistributionType to FullyReplicated"
        )
    chosen = resources.get("current_host", hosts[0]) == hosts[0]
    print(f"{len(hosts)} instances: {hosts[0]} trains alone, on all data", flush=True)
    return bool(chosen)


def _tables(channels: dict[str, Any], *, weighted: bool) -> dict[str, Any]:
    if "train" not in channels:
        raise JobError(f"Missing required channel: train; there are: {', '.join(channels) or 'none'}")
    tables = {
        name: xgboost_channels.read(
            name, channels[name].get("ContentType"), weighted=weighted and name == "train"
        )
        for name in ("train", "validation")
        if name in channels
    }
    width = max(table.features.shape[1] for table in tables.values())
    return {name: xgboost_channels.widened(table, width) for name, table in tables.items()}


def _boosted(values: dict[str, Any], matrices: dict[str, Any], progress: _Progress) -> Any:
    native, own = _metrics(values)
    parameters = {
        **xgboost_hyperparameters.for_booster(values),
        **({"eval_metric": native} if native else {}),
    }
    try:
        return xgboost.train(
            parameters,
            matrices["train"],
            num_boost_round=values["num_round"],
            evals=[(matrix, name) for name, matrix in matrices.items()],
            custom_metric=own,
            early_stopping_rounds=values.get("early_stopping_rounds"),
            callbacks=[progress],
            verbose_eval=False,
        )
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise JobError(f"XGB train call failed with exception:\n {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """Without the native stack trace, which says nothing to the author of a hyperparameter."""
    return re.sub(r"^\[[\d:]+\] \S+: ", "", str(error).split("Stack trace:")[0].strip())


class _Progress(xgboost.callback.TrainingCallback):
    """One line of metrics per round, as AWS's logs have it; asked to, it stops after the round."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def stop(self, *_signal: object) -> None:
        self.stopped = True

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  # the signature is XGBoost's
        words = [
            f"{data}-{metric}:{_last(history):.5f}"
            for data, log in evals_log.items()
            for metric, history in log.items()
        ]
        print(_TAB.join([f"[{epoch}]", *words]), flush=True)
        return self.stopped


def _last(history: Any) -> float:
    last = history[-1]
    return float(last[0] if isinstance(last, tuple) else last)


def _metrics(values: dict[str, Any]) -> tuple[list[str], Callable[..., Any] | None]:
    """The metrics that XGBoost knows, and a function for those that AWS's images add to them."""
    asked = list(values.get("eval_metric", []))
    tuned = str(values.get("_tuning_objective_metric", "")).rpartition(":")[2]
    if tuned and tuned not in asked:
        asked.append(tuned)
    own = [name for name in asked if name in _SCORES]
    return [name for name in asked if name not in _SCORES], _scored(own) if own else None


def _scored(names: list[str]) -> Callable[..., Any]:
    try:
        from sklearn import metrics
    except ImportError:
        raise missing_package("scikit-learn", "xgboost") from None

    def score(predictions: Any, matrix: Any) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        return [
            (name, float(_SCORES[name](metrics, labels, _predicted(name, predictions)))) for name in names
        ]

    return score


def _predicted(name: str, predictions: Any) -> Any:
    """Numbers for the metrics of regression; else classes: the likeliest, or whether more likely than not."""
    if name in _OF_REGRESSION:
        return predictions
    if predictions.ndim > 1:
        return np.argmax(predictions, axis=1)
    return np.rint(predictions) if predictions.max(initial=0) > 1 else (predictions > 0.5).astype(int)


_OF_REGRESSION = {"mse", "r2"}
_SCORES: dict[str, Callable[[Any, Any, Any], float]] = {
    "mse": lambda metrics, labels, predicted: metrics.mean_squared_error(labels, predicted),
    "r2": lambda metrics, labels, predicted: metrics.r2_score(labels, predicted),
    "accuracy": lambda metrics, labels, predicted: metrics.accuracy_score(labels, predicted),
    "balanced_accuracy": lambda metrics, labels, predicted: metrics.balanced_accuracy_score(
        labels, predicted
    ),
    "f1": lambda metrics, labels, predicted: metrics.f1_score(labels, predicted, average="macro"),
    "f1_macro": lambda metrics, labels, predicted: metrics.f1_score(labels, predicted, average="macro"),
    "f1_binary": lambda metrics, labels, predicted: metrics.f1_score(labels, predicted, average="binary"),
    "precision": lambda metrics, labels, predicted: metrics.precision_score(labels, predicted),
    "recall": lambda metrics, labels, predicted: metrics.recall_score(labels, predicted),
}


def save(booster: Any) -> None:
    """Leave the model as the image's version does, as that is what evaluation scripts are written for."""
    MODEL.mkdir(parents=True, exist_ok=True)
    path = MODEL / "xgboost-model"
    if image_version() >= _SAVED_BY_BOOSTER_SINCE:
        # XGBoost tells formats apart by suffix, and the file has none
        path.write_bytes(bytes(booster.save_raw("ubj")))
    else:
        with Path(path).open("wb") as file:
            pickle.dump(booster, file)
    print(f"Stored trained model at {path}", flush=True)


def image_version() -> tuple[int, ...]:
    """Major and minor version of the image that is played; (0,) when its tag tells none, as the first image's."""
    tag = (
        os.environ.get("SAGELOCAL_FAMILY_VERSION") or os.environ.get("SAGELOCAL_IMAGE", "").rpartition(":")[2]
    )
    match = re.match(r"(\d+)\.(\d+)", tag)
    return (int(match.group(1)), int(match.group(2))) if match else (0,)
