"""What an analysis configuration may say, and how a wrong one is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clarify.config import Facet, parse
from ml_contract import JobError

BIAS: dict[str, Any] = {
    "dataset_type": "text/csv",
    "headers": ["y", "a", "b"],
    "label": "y",
    "label_values_or_threshold": [1],
    "facet": [{"name_or_index": "a", "value_or_threshold": [1]}],
    "methods": {"pre_training_bias": {"methods": "all"}},
}
SHAP: dict[str, Any] = {
    "dataset_type": "text/csv",
    "methods": {"shap": {"baseline": [[1, 2]]}},
    "predictor": {"model_name": "m", "instance_type": "ml.m5.large", "initial_instance_count": 1},
}


def test_what_is_not_said_is_as_published() -> None:
    config = parse(SHAP)

    assert config.shap is not None
    assert config.predictor is not None
    assert (config.shap.aggregation, config.shap.logit, config.shap.save_local) == ("mean_abs", False, False)
    assert (config.predictor.content_type, config.predictor.accept_type) == ("text/csv", "text/csv")
    assert config.probability_threshold == 0.5
    assert (config.report.name, config.report.title) == ("report", "SageMaker Analysis Report")


def test_null_is_as_good_as_nothing() -> None:
    config = parse({**SHAP, "label": None, "methods": {"shap": {"num_samples": None}, "pdp": None}})

    assert config.data.label is None
    assert config.pdp is None


def test_all_means_every_metric() -> None:
    bias = parse({**BIAS, "methods": {"post_training_bias": {"methods": "all"}}, "predicted_label": "b"}).bias

    assert bias is not None
    assert (len(bias.pre_training), len(bias.post_training)) == (0, 13)


def test_named_metrics_keep_the_order_of_reports() -> None:
    bias = parse({**BIAS, "methods": {"pre_training_bias": {"methods": ["DPL", "CI"]}}}).bias

    assert bias is not None
    assert bias.pre_training == ("CI", "DPL")


def test_several_facets_and_the_sdks_nested_list() -> None:
    facets = [{"name_or_index": 1}, {"name_or_index": "b", "value_or_threshold": [[0.5]]}]

    bias = parse({**BIAS, "facet": facets}).bias

    assert bias is not None
    assert bias.facets == (Facet(1, ()), Facet("b", (0.5,)))


def test_a_threshold_may_stand_without_brackets() -> None:
    bias = parse({**BIAS, "label_values_or_threshold": 0.5}).bias

    assert bias is not None
    assert bias.label_values == (0.5,)


# As the SDK 2.257 writes them for its ClarifyCheckStep (and, in the last one, for monitoring schedules).
SDK = {
    "data bias": {
        **BIAS,
        "methods": {**BIAS["methods"], "report": {"name": "report", "title": "Analysis Report"}},
    },
    "model bias": {
        **BIAS,
        "methods": {"post_training_bias": {"methods": "all"}, "report": {"name": "report", "title": "t"}},
        "predictor": {
            "instance_type": "ml.m5.large",
            "initial_instance_count": 1,
            "accept_type": "text/csv",
            "content_type": "text/csv",
        },
        "probability_threshold": 0.8,
    },
    "explainability": {
        "dataset_type": "text/csv",
        "headers": ["y", "a", "b"],
        "label": "y",
        "methods": {
            "shap": {
                "use_logit": False,
                "save_local_shap_values": True,
                "baseline": [[1, 2]],
                "num_samples": 10,
                "agg_method": "mean_abs",
            },
            "pdp": {"grid_resolution": 15, "top_k_features": 10},
            "report": {"name": "report", "title": "Analysis Report"},
        },
        "predictor": {
            "model_name": "m",
            "instance_type": "ml.m5.large",
            "initial_instance_count": 1,
            "accelerator_type": "ml.eia1.medium",
            "endpoint_name_prefix": "p",
            "custom_attributes": "c",
            "target_model": "",
            "label_headers": ["no", "yes"],
        },
    },
}


@pytest.mark.parametrize("name", SDK)
def test_what_the_sdk_writes_is_understood(name: str) -> None:
    assert parse(json.loads(json.dumps(SDK[name])))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset_type": "text/cvs"}, "dataset_type 'text/cvs' .*did you mean text/csv"),
        ({"dataset_type": "application/x-image"}, "is not one of text/csv"),
        ({"dataset_type": None}, "dataset_type is missing"),
        ({"version": "2.0"}, "version must be 1.0"),
        ({"lable": "y"}, r"lable is no key .* \(did you mean label\?\)"),
        ({"label": None}, "label is missing: methods.pre_training_bias"),
        ({"label": ["y"]}, "label must be the name or the index of a column"),
        ({"label_values_or_threshold": []}, "label_values_or_threshold is missing"),
        ({"facet": []}, "facet is missing"),
        ({"facet": [{"value_or_threshold": [1]}]}, r"facet\[0\].name_or_index is missing"),
        ({"facet": [{"name": "a"}]}, r"facet\[0\].name is no key"),
        ({"facet": [{"name_or_index": "a", "value_or_threshold": [None]}]}, "must be a list of values"),
        ({"headers": [1]}, "headers must be a list of texts"),
        ({"segment_config": []}, "segment_config: metrics by segment are not played locally"),
        ({"time_series_data_config": {}}, "explanations of time series are not played"),
        ({"methods": {}}, "methods asks for nothing"),
        ({"methods": {"shapp": {}}}, "methods.shapp is no key .* shap"),
        ({"methods": {"asymmetric_shapley_value": {}}}, "explanations of time series"),
        ({"methods": {"pre_training_bias": {"methods": ["DPLL"]}}}, "'DPLL' is not one of .* DPL"),
        ({"methods": {"pre_training_bias": {"methods": 1}}}, '"all" or a list of names'),
        (
            {"methods": {"post_training_bias": {"methods": "all"}}},
            "predictor is missing: .*post_training_bias",
        ),
        ({"methods": {**BIAS["methods"], "report": {"name": "../r"}}}, "must be the name of a file"),
        (
            {"facet_dataset_uri": "s3://b/f", "dataset_type": "application/x-parquet"},
            "needs dataset_type text/csv",
        ),
        ({"dataset_type": "application/jsonlines"}, "features is missing"),
        ({"dataset_type": "application/json", "features": "f", "label": 0}, "must be JMESPath expressions"),
    ],
)
def test_a_wrong_bias_configuration_is_refused_by_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(JobError, match=said):
        parse({**BIAS, **change})


@pytest.mark.parametrize(
    ("shap", "said"),
    [
        ({"agg_method": "mean"}, "agg_method 'mean' is not one of mean_abs, median, mean_sq"),
        ({"num_samples": 0}, "num_samples must be at least 1"),
        ({"num_samples": "10"}, "num_samples must be a whole number, not '10'"),
        ({"use_logit": 1}, "use_logit must be true or false"),
        ({"baseline": []}, "baseline must be an S3 URI or a list of rows"),
        ({"baseline": [[1]], "num_clusters": 2}, "both baseline and num_clusters"),
        ({"text_config": {}}, "explanations of natural language are not played"),
        ({"image_config": {}}, "explanations of images are not played"),
    ],
)
def test_a_wrong_shap_configuration_is_refused_by_its_key(shap: dict[str, Any], said: str) -> None:
    with pytest.raises(JobError, match=said):
        parse({**SHAP, "methods": {"shap": shap}})


@pytest.mark.parametrize(
    ("predictor", "said"),
    [
        (None, "predictor is missing: methods.shap needs predictions"),
        ({"content_type": "image/png"}, "predictor.content_type 'image/png' is not one of"),
        (
            {"content_type": "application/jsonlines"},
            "content_template must have the placeholder .features once",
        ),
        ({"content_type": "application/json", "content_template": "$records"}, "record_template"),
        ({"content_template": {"a": "b"}}, "content_template must be a text"),
        ({"target_model": "m.tar.gz"}, "endpoints of several models are not played"),
        ({"time_series_predictor_config": {}}, "time series are not played"),
        ({"probabilty": 1}, r"predictor.probabilty is no key .* \(did you mean probability\?\)"),
    ],
)
def test_a_wrong_predictor_is_refused_by_its_key(predictor: Any, said: str) -> None:
    with pytest.raises(JobError, match=said):
        parse({**SHAP, "predictor": predictor})


def test_parquet_says_nothing_of_what_the_model_takes() -> None:
    with pytest.raises(JobError, match=r"predictor.content_type is missing"):
        parse({**SHAP, "dataset_type": "application/x-parquet"})


def test_partial_dependence_needs_features_or_shap() -> None:
    with pytest.raises(JobError, match=r"methods.pdp.features is missing"):
        parse({**SHAP, "methods": {"pdp": {"grid_resolution": 3}}})


@pytest.mark.parametrize("text", ["[]", "{", "nothing"])
async def test_a_configuration_that_is_no_object_is_refused(clarify_job: Any, text: str) -> None:
    clarify_job.write("processing/input/config/analysis_config.json", text)

    end = await clarify_job.run()

    assert end.code == 1
    assert "analysis configuration analysis_config.json" in end.message
    assert "Traceback" not in end.output


async def test_without_a_configuration_the_job_says_where_it_looked(clarify_job: Any) -> None:
    end = await clarify_job.run()

    assert end.code == 1
    assert "No analysis configuration" in end.message


async def test_inputs_lie_where_the_job_says(clarify_job: Any, tmp_path: Path) -> None:
    """The SDK's own samples put analysis_config where they like."""
    request = {
        "ProcessingInputs": [
            {"InputName": "dataset", "S3Input": {"LocalPath": "/opt/ml/processing/elsewhere"}},
            {
                "InputName": "analysis_config",
                "S3Input": {"LocalPath": "/opt/ml/processing/input/analysis_config"},
            },
        ],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "o", "S3Output": {"LocalPath": "/opt/ml/processing/o"}}]
        },
    }
    clarify_job.write("config/processingjobconfig.json", json.dumps(request))
    clarify_job.write("processing/input/analysis_config/my_config.json", json.dumps(BIAS))
    clarify_job.write("processing/elsewhere/data.csv", "1,1,0\n0,0,1\n1,0,0\n0,1,1\n")

    end = await clarify_job.run()

    assert end.code == 0, end.output
    assert (clarify_job.root / "processing/o/analysis.json").exists()
