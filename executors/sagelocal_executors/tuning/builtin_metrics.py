"""The metrics that need no definition, as a built-in algorithm prints them (AWS: Tune an XGBoost model)."""

from __future__ import annotations

from sagelocal.values import JsonObject
from sagelocal_executors.images import family_of
from sagelocal_executors.tuning.request import TrainingJobDefinition

_XGBOOST = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "error", "f1", "f1_macro", "logloss", "mae", "map", "merror",
    "mlogloss", "mse", "ndcg", "precision", "r2", "recall", "rmse", "rmsle",
)  # fmt: skip
_CHANNELS = ("train", "validation")
_PROGRAM = "sagemaker_program"
_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"


def builtin_metrics(definition: TrainingJobDefinition) -> list[JsonObject]:
    """MetricDefinitions of the algorithm inside the image; none for an image that runs the author's own program."""
    image = definition.algorithm_specification.training_image
    family = family_of(image) if image else None
    if family is None or family.name != "xgboost" or _PROGRAM in definition.static_hyper_parameters:
        return []
    return [
        # A tab of the algorithm's line stands as #011 in CloudWatch's logs, hence in ours.
        {"Name": f"{channel}:{metric}", "Regex": rf".*\[[0-9]+\].*#011{channel}-{metric}:{_NUMBER}.*"}
        for channel in _CHANNELS
        for metric in _XGBOOST
    ]
