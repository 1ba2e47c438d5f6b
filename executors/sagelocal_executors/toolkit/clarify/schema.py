"""The keys that an analysis configuration may have, and of what type their values must be (SDK: ANALYSIS_CONFIG_SCHEMA_V1_0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ml_contract import JobError

from clarify.wording import did_you_mean, listed

Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_column(value: Any) -> bool:
    return _is_text(value) or _is_whole(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


TEXT = (_is_text, "a text")
WHOLE = (_is_whole, "a whole number")
NUMBER = (_is_number, "a number")
FLAG = (lambda value: isinstance(value, bool), "true or false")
COLUMN = (_is_column, "the name or the index of a column")
TEXTS = (_list_of(_is_text), "a list of texts")
COLUMNS = (_list_of(_is_column), "a list of names or indices of columns")
SCALARS = (
    lambda value: _is_scalar(value) or _list_of(_is_scalar)(value),
    "a list of values, or of one threshold",
)
NAMES = (lambda value: _is_text(value) or TEXTS[0](value), '"all" or a list of names')
OBJECT = (lambda value: isinstance(value, dict), "an object")
OBJECTS = (_list_of(lambda value: isinstance(value, dict)), "a list of objects")
ROWS = (lambda value: isinstance(value, (str, list, dict)) and bool(value), "an S3 URI or a list of rows")

Table = Mapping[str, "tuple[Check, str]"]

TOP: Table = {
    "version": TEXT,
    "dataset_type": TEXT,
    "dataset_uri": TEXT,
    "headers": TEXTS,
    "label": COLUMN,
    "predicted_label": COLUMN,
    "features": TEXT,
    "label_values_or_threshold": SCALARS,
    "probability_threshold": NUMBER,
    "facet": OBJECTS,
    "facet_dataset_uri": TEXT,
    "facet_headers": TEXTS,
    "predicted_label_dataset_uri": TEXT,
    "predicted_label_headers": TEXTS,
    "excluded_columns": COLUMNS,
    "joinsource_name_or_index": COLUMN,
    "group_variable": COLUMN,
    "methods": OBJECT,
    "predictor": OBJECT,
}
FACET: Table = {"name_or_index": COLUMN, "value_or_threshold": SCALARS}
METHODS: Table = dict.fromkeys(("pre_training_bias", "post_training_bias", "shap", "pdp", "report"), OBJECT)
BIAS: Table = {"methods": NAMES}
SHAP: Table = {
    "baseline": ROWS,
    "num_clusters": WHOLE,
    "num_samples": WHOLE,
    "agg_method": TEXT,
    "use_logit": FLAG,
    "save_local_shap_values": FLAG,
    "seed": WHOLE,
    "features_to_explain": COLUMNS,
}
PDP: Table = {"features": COLUMNS, "grid_resolution": WHOLE, "top_k_features": WHOLE}
REPORT: Table = {"name": TEXT, "title": TEXT}
PREDICTOR: Table = {
    "endpoint_name": TEXT,
    "model_name": TEXT,
    "content_type": TEXT,
    "accept_type": TEXT,
    "label": COLUMN,
    "probability": COLUMN,
    "label_headers": SCALARS,
    "content_template": TEXT,
    "record_template": TEXT,
    "custom_attributes": TEXT,
    # What the shadow endpoint is made of has no meaning where the model runs on this machine.
    "endpoint_name_prefix": TEXT,
    "instance_type": TEXT,
    "initial_instance_count": WHOLE,
    "accelerator_type": TEXT,
    "target_model": TEXT,
}
NOT_PLAYED = {
    "segment_config": "metrics by segment",
    "time_series_data_config": "explanations of time series",
    "methods.asymmetric_shapley_value": "explanations of time series",
    "predictor.time_series_predictor_config": "explanations of time series",
    "methods.shap.text_config": "explanations of natural language",
    "methods.shap.image_config": "explanations of images",
}
"""Keys of SageMaker Clarify for which there is nothing here: they are refused, never passed over."""


def checked(path: str, value: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The members that are set; null counts as unset, as the SDK means it.

    The path is where the object stands in the configuration, as ``methods.shap``; empty for the whole.

    Raises:
        JobError: a key is unknown or not played here, or its value has the wrong type.
    """
    present = {key: item for key, item in value.items() if item is not None}
    for key, item in present.items():
        name = f"{path}.{key}" if path else key
        if name in NOT_PLAYED:
            raise JobError(f"{name}: {NOT_PLAYED[name]} are not played locally; take the key out")
        if key not in table:
            raise JobError(f"{name} is no key of an analysis configuration{did_you_mean(key, table)}")
        check, meaning = table[key]
        if not check(item):
            raise JobError(f"{name} must be {meaning}, not {item!r}")
    return present


def choice(key: str, value: str, choices: tuple[str, ...]) -> str:
    """The one of the choices that is meant, whatever its case.

    Raises:
        JobError: it is none of them.
    """
    if value.lower() not in choices:
        raise JobError(f"{key} {value!r} is not one of {listed(choices)}{did_you_mean(value, choices)}")
    return value.lower()
