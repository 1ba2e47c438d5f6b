"""The hyperparameters of the built-in XGBoost algorithm: which there are, and what they may be (AWS: XGBoost Hyperparameters)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from typing import Any

from ml_contract import JobError

_ALIASES = {"reg:linear": "reg:squarederror"}  # XGBoost dropped the old name, public definitions still use it


def _number(
    kind: type, low: float | None, high: float | None, *, open_low: bool = False
) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if low is not None and (value <= low if open_low else value < low):
            raise ValueError(f"must be {'greater than' if open_low else 'at least'} {low}")
        if high is not None and value > high:
            raise ValueError(f"must be at most {high}")
        return value

    return parse


def _integer(low: float | None = None, high: float | None = None) -> Callable[[str], Any]:
    return _number(int, low, high)


def _real(low: float | None = None, high: float | None = None) -> Callable[[str], Any]:
    return _number(float, low, high)


def _share(text: str) -> Any:
    return _number(float, 0, 1, open_low=True)(text)


def _one_of(*words: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if text not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return text

    return parse


def _words(text: str) -> Any:
    """Comma-separated, with or without the brackets that some people write."""
    return [word.strip(" \"'") for word in text.strip("[]()").split(",") if word.strip()]


def _objective(text: str) -> Any:
    return _ALIASES.get(text, text)  # XGBoost itself knows best which there are, and says so


_PARSERS: dict[str, Callable[[str], Any]] = {
    "num_round": _integer(1),
    "csv_weights": _integer(0, 1),
    "early_stopping_rounds": _integer(1),
    "booster": _one_of("gbtree", "gblinear", "dart"),
    "verbosity": _integer(0, 3),
    "silent": _integer(0, 1),
    "nthread": _integer(1),
    "eta": _real(0, 1),
    "gamma": _real(0),
    "max_depth": _integer(0),
    "min_child_weight": _real(0),
    "max_delta_step": _real(0),
    "subsample": _share,
    "colsample_bytree": _share,
    "colsample_bylevel": _share,
    "colsample_bynode": _share,
    "lambda": _real(0),
    "alpha": _real(0),
    "tree_method": _one_of("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": _share,
    "scale_pos_weight": _real(0),
    "updater": _words,
    "dsplit": _one_of("row", "col"),
    "refresh_leaf": _integer(0, 1),
    "process_type": _one_of("default", "update"),
    "grow_policy": _one_of("depthwise", "lossguide"),
    "max_leaves": _integer(0),
    "max_bin": _integer(0),
    "predictor": _one_of("auto", "cpu_predictor", "gpu_predictor"),
    "monotone_constraints": str,
    "interaction_constraints": json.loads,
    "sample_type": _one_of("uniform", "weighted"),
    "normalize_type": _one_of("tree", "forest"),
    "rate_drop": _real(0, 1),
    "one_drop": _integer(0, 1),
    "skip_drop": _real(0, 1),
    "lambda_bias": _real(0, 1),
    "tweedie_variance_power": _real(1, 2),
    "huber_slope": _real(0),
    "objective": _objective,
    "num_class": _integer(2),
    "base_score": _real(),
    "eval_metric": _words,
    "seed": _integer(),
    "seed_per_iteration": _one_of("true", "false"),
    "num_parallel_tree": _integer(1),
    "save_model_on_termination": _one_of("true", "false"),
    "aft_loss_distribution": _one_of("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": _real(0),
    "deterministic_histogram": _one_of("true", "false"),
    "sampling_method": _one_of("uniform", "gradient_based"),
    "use_dask_gpu_training": _one_of("true", "false"),
    "_tuning_objective_metric": str,
}
_NOT_XGBOOSTS = {  # read by the algorithm around it, or long gone from it
    "num_round", "csv_weights", "early_stopping_rounds", "eval_metric", "save_model_on_termination",
    "_tuning_objective_metric", "silent", "predictor", "sketch_eps", "dsplit", "deterministic_histogram",
    "use_dask_gpu_training",
}  # fmt: skip
_PLAYED_WITHOUT = {"_kfold", "_num_cv_round"}


def validated(given: dict[str, Any]) -> dict[str, Any]:
    """Each hyperparameter as XGBoost wants it.

    Raises:
        JobError: one is missing, unknown (the nearest names are told) or out of its range.
    """
    faults = [fault for name, value in given.items() for fault in _faults(name, str(value))]
    if "num_round" not in given:
        faults.insert(0, "Missing required hyperparameter: num_round")
    if faults:
        raise JobError("\n".join(faults))
    values = {name: _PARSERS[name](str(value)) for name, value in given.items()}
    if str(values.get("objective", "")).startswith("multi:") and "num_class" not in values:
        raise JobError(f"Objective {values['objective']} requires the hyperparameter num_class")
    return values


def _faults(name: str, text: str) -> list[str]:
    if name in _PLAYED_WITHOUT:
        return [
            f"Hyperparameter {name} asks for cross-validation inside one job, which sagelocal does not play yet"
        ]
    if name not in _PARSERS:
        near = difflib.get_close_matches(name, _PARSERS, 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        return [f"Extraneous hyperparameter found: {name}{hint}"]
    try:
        _PARSERS[name](text)
    except ValueError as error:
        return [f"Hyperparameter {name}: {text!r} is not valid: {error}"]
    return []


def for_booster(values: dict[str, Any]) -> dict[str, Any]:
    """Those that XGBoost itself reads."""
    chosen = {name: value for name, value in values.items() if name not in _NOT_XGBOOSTS}
    if "updater" in chosen:
        chosen["updater"] = ",".join(chosen["updater"])
    if chosen.get("tree_method") == "gpu_hist":
        chosen["tree_method"] = "hist"  # the same trees, without a GPU
    return chosen
