"""An analysis configuration, parsed once (AWS: Analysis Configuration Files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_contract import JobError

from clarify import schema
from clarify.metric_names import POST_TRAINING, PRE_TRAINING
from clarify.schema import checked, choice
from clarify.wording import did_you_mean, listed

if TYPE_CHECKING:  # as values they would need Python 3.10
    Column = str | int
    Value = str | int | float

CSV, JSON_LINES, JSON, PARQUET = (
    "text/csv",
    "application/jsonlines",
    "application/json",
    "application/x-parquet",
)
_PAYLOADS = (CSV, JSON_LINES, JSON)
_ONLY_CSV = ("facet_dataset_uri", "facet_headers", "predicted_label_dataset_uri", "predicted_label_headers")


@dataclass(frozen=True)
class Facet:
    """A sensitive column; `values` name its sensitive group (or its exclusive lower bound), none: each value in turn."""

    column: Column
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Bias:
    """What the two kinds of bias metrics are measured on; empty tuples of metrics where they are not asked for."""

    facets: tuple[Facet, ...]
    label_values: tuple[Value, ...]
    group: Column | None
    pre_training: tuple[str, ...]
    post_training: tuple[str, ...]


@dataclass(frozen=True)
class Shap:
    baseline: Any
    clusters: int | None
    samples: int | None
    aggregation: str
    logit: bool
    save_local: bool
    seed: int
    features: tuple[Column, ...]


@dataclass(frozen=True)
class Pdp:
    features: tuple[Column, ...]
    resolution: int
    top: int


@dataclass(frozen=True)
class Report:
    name: str
    title: str


@dataclass(frozen=True)
class Predictor:
    """How the model is asked, and where its answer has what."""

    endpoint: str | None
    content_type: str
    accept_type: str
    content_template: str
    record_template: str
    custom_attributes: str | None
    label: Column | None
    probability: Column | None
    label_headers: tuple[Value, ...]


@dataclass(frozen=True)
class Data:
    """Where the columns are; `features` is a JMESPath for JSON, as are then `label` and `predicted`."""

    kind: str
    uri: str | None
    headers: tuple[str, ...]
    features: str | None
    label: Column | None
    predicted: Column | None
    join: Column | None
    excluded: tuple[Column, ...]
    facet_uri: str | None
    facet_headers: tuple[str, ...]
    predicted_uri: str | None
    predicted_headers: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    data: Data
    bias: Bias | None
    shap: Shap | None
    pdp: Pdp | None
    report: Report
    predictor: Predictor | None
    probability_threshold: float

    @property
    def labels_are_given(self) -> bool:
        """Whether predicted labels come with the data, so that no model is asked for them."""
        return self.data.predicted is not None or self.data.predicted_uri is not None


def parse(content: Mapping[str, Any]) -> Config:
    """Check the whole configuration before anything is read or run.

    Raises:
        JobError: it is wrong, or asks for what is not played here; names the key.
    """
    top = checked("", content, schema.TOP)
    if top.get("version", "1.0") != "1.0":
        raise JobError(f"version must be 1.0, not {top['version']!r}")
    methods = checked("methods", top.get("methods", {}), schema.METHODS)
    data = _data(top)
    config = Config(
        data,
        _bias(top, methods),
        _shap(methods["shap"]) if "shap" in methods else None,
        _pdp(methods["pdp"]) if "pdp" in methods else None,
        _report(methods.get("report", {})),
        _predictor(top["predictor"], data) if "predictor" in top else None,
        float(top.get("probability_threshold", 0.5)),
    )
    _require_methods(config)
    _require_predictions(config)
    return config


def _data(top: Mapping[str, Any]) -> Data:
    if "dataset_type" not in top:
        raise JobError(
            "dataset_type is missing: the analysis configuration must say of what type the data is"
        )
    kind = choice("dataset_type", top["dataset_type"], (CSV, JSON_LINES, JSON, PARQUET))
    for key in _ONLY_CSV if kind != CSV else ():
        if key in top:
            raise JobError(f"{key} needs dataset_type {CSV}, not {kind}")
    if kind in {JSON, JSON_LINES} and "features" not in top:
        raise JobError(f"features is missing: dataset_type {kind} needs the JMESPath of the features")
    if kind in {JSON, JSON_LINES} and not all(
        isinstance(top.get(key, ""), str) for key in ("label", "predicted_label")
    ):
        raise JobError(f"label and predicted_label must be JMESPath expressions for dataset_type {kind}")
    return Data(
        kind,
        top.get("dataset_uri"),
        tuple(top.get("headers", ())),
        top.get("features"),
        top.get("label"),
        top.get("predicted_label"),
        top.get("joinsource_name_or_index"),
        tuple(top.get("excluded_columns", ())),
        top.get("facet_dataset_uri"),
        tuple(top.get("facet_headers", ())),
        top.get("predicted_label_dataset_uri"),
        tuple(top.get("predicted_label_headers", ())),
    )


def _bias(top: Mapping[str, Any], methods: Mapping[str, Any]) -> Bias | None:
    asked = {
        name: _metrics(f"methods.{name}", methods[name], known)
        for name, known in (("pre_training_bias", PRE_TRAINING), ("post_training_bias", POST_TRAINING))
        if name in methods
    }
    if not asked:
        return None
    for key in ("label", "label_values_or_threshold", "facet"):
        if top.get(key) in (None, "", []):
            raise JobError(f"{key} is missing: methods.{listed(asked)} cannot be measured without it")
    return Bias(
        tuple(_facet(f"facet[{i}]", item) for i, item in enumerate(top["facet"])),
        _values(top["label_values_or_threshold"]),
        top.get("group_variable"),
        asked.get("pre_training_bias", ()),
        asked.get("post_training_bias", ()),
    )


def _metrics(path: str, value: Mapping[str, Any], known: Mapping[str, str]) -> tuple[str, ...]:
    asked = checked(path, value, schema.BIAS).get("methods", "all")
    if asked == "all":
        return tuple(known)
    names = [asked] if isinstance(asked, str) else asked
    for name in names:
        if name not in known:
            raise JobError(
                f"{path}.methods: {name!r} is not one of {', '.join(known)}{did_you_mean(name, known)}"
            )
    return tuple(name for name in known if name in names)


def _facet(path: str, value: Mapping[str, Any]) -> Facet:
    # The SDK writes [[0.5]] for one facet whose values were given as for several.
    values = value.get("value_or_threshold")
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], list):
        value = {**value, "value_or_threshold": values[0]}
    members = checked(path, value, schema.FACET)
    if "name_or_index" not in members:
        raise JobError(f"{path}.name_or_index is missing")
    return Facet(members["name_or_index"], _values(members.get("value_or_threshold", ())))


def _values(value: Any) -> tuple[Value, ...]:
    """A list, or the one value that the developer guide writes without brackets."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _shap(value: Mapping[str, Any]) -> Shap:
    members = checked("methods.shap", value, schema.SHAP)
    if "baseline" in members and "num_clusters" in members:
        raise JobError("methods.shap has both baseline and num_clusters: set one of the two")
    for key in ("num_clusters", "num_samples"):
        _require_positive(f"methods.shap.{key}", members.get(key, 1))
    return Shap(
        members.get("baseline"),
        members.get("num_clusters"),
        members.get("num_samples"),
        choice(
            "methods.shap.agg_method",
            members.get("agg_method", "mean_abs"),
            ("mean_abs", "median", "mean_sq"),
        ),
        members.get("use_logit", False),
        members.get("save_local_shap_values", False),
        members.get("seed", 0),
        tuple(members.get("features_to_explain", ())),
    )


def _pdp(value: Mapping[str, Any]) -> Pdp:
    members = checked("methods.pdp", value, schema.PDP)
    resolution, top = members.get("grid_resolution", 15), members.get("top_k_features", 10)
    _require_positive("methods.pdp.grid_resolution", resolution)
    _require_positive("methods.pdp.top_k_features", top)
    return Pdp(tuple(members.get("features", ())), resolution, top)


def _require_positive(key: str, value: int) -> None:
    if value < 1:
        raise JobError(f"{key} must be at least 1, not {value}")


def _report(value: Mapping[str, Any]) -> Report:
    members = checked("methods.report", value, schema.REPORT)
    name = members.get("name", "report")
    if "/" in name or name in {"", ".", ".."}:
        raise JobError(f"methods.report.name {name!r} must be the name of a file, without its folder")
    return Report(name, members.get("title", "SageMaker Analysis Report"))


def _predictor(value: Mapping[str, Any], data: Data) -> Predictor:
    members = checked("predictor", value, schema.PREDICTOR)
    if members.get("target_model"):
        raise JobError("predictor.target_model: endpoints of several models are not played locally")
    attributes = members.get("custom_attributes", "")
    if not attributes.isascii() or len(attributes) > 1024:
        raise JobError("predictor.custom_attributes must be at most 1024 ASCII characters")
    if data.kind == PARQUET and "content_type" not in members:
        raise JobError(
            f"predictor.content_type is missing: dataset_type {PARQUET} is no content type of a model"
        )
    content = choice("predictor.content_type", members.get("content_type", data.kind), _PAYLOADS)
    accept = choice("predictor.accept_type", members.get("accept_type", content), _PAYLOADS)
    predictor = Predictor(
        members.get("endpoint_name"),
        content,
        accept,
        members.get("content_template", ""),
        members.get("record_template", ""),
        members.get("custom_attributes"),
        members.get("label"),
        members.get("probability"),
        _values(members.get("label_headers", ())),
    )
    _require_templates(predictor)
    return predictor


def _require_templates(predictor: Predictor) -> None:
    if predictor.content_type == JSON_LINES and predictor.content_template.count("$features") != 1:
        raise JobError(
            f"predictor.content_template must have the placeholder $features once for content_type {JSON_LINES},"
            ' as in {"features":$features}'
        )
    if predictor.content_type == JSON and not (
        "$record" in predictor.content_template and predictor.record_template
    ):
        raise JobError(
            f"predictor.content_template needs $records (or $record), and predictor.record_template a template of each,"
            f" for content_type {JSON}"
        )


def _require_methods(config: Config) -> None:
    if not (config.bias or config.shap or config.pdp):
        raise JobError("methods asks for nothing: set pre_training_bias, post_training_bias, shap or pdp")
    if config.pdp and not config.pdp.features and not config.shap:
        raise JobError(
            "methods.pdp.features is missing: without methods.shap nothing says which features matter"
        )


def _require_predictions(config: Config) -> None:
    asking = [name for name, method in (("shap", config.shap), ("pdp", config.pdp)) if method]
    if config.bias and config.bias.post_training and not config.labels_are_given:
        asking.append("post_training_bias")
    if asking and config.predictor is None:
        raise JobError(f"predictor is missing: methods.{listed(asking)} needs predictions of a model")


def unused(config: Config) -> list[str]:
    """The keys that say something which nothing asks for, each with the reason."""
    data, predictor = config.data, config.predictor
    found = {
        f"features (dataset_type {data.kind} gives all columns to the model)": data.features
        and data.kind in {CSV, PARQUET},
        "facet_headers (there is no facet_dataset_uri)": data.facet_headers and not data.facet_uri,
        "predicted_label_headers (there is no predicted_label_dataset_uri)": data.predicted_headers
        and not data.predicted_uri,
    }
    if predictor:
        found["predictor.content_template (content_type is text/csv)"] = (
            predictor.content_template and predictor.content_type == CSV
        )
        found["predictor.record_template (content_type is not application/json)"] = (
            predictor.record_template and predictor.content_type != JSON
        )
    return [key for key, said in found.items() if said]
