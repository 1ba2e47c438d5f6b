"""Whole jobs, as a container runtime starts them."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CONFIG: dict[str, Any] = {
    "dataset_type": "text/csv",
    "headers": ["y", "sex", "age", "job", "x"],
    "label": "y",
    "label_values_or_threshold": [1],
    "facet": [
        {"name_or_index": "sex"},
        {"name_or_index": "age", "value_or_threshold": [40]},
        {"name_or_index": "job", "value_or_threshold": [1, 3]},
    ],
    "group_variable": "job",
    "methods": {
        "pre_training_bias": {"methods": "all"},
        "post_training_bias": {"methods": "all"},
        "shap": {"baseline": [[0, 40, 2, 0.0]], "save_local_shap_values": True},
        "pdp": {"grid_resolution": 4},
        "report": {"name": "my report", "title": "Fair <b>& square</b>"},
    },
    "predictor": {"model_name": "m"},
}


def people(count: int = 200, seed: int = 3) -> Any:
    """Label, sex, age, job, x."""
    random = np.random.default_rng(seed)
    sex, job = random.integers(0, 2, count), random.integers(1, 4, count)
    age, x = random.integers(18, 80, count), random.normal(size=count).round(3)
    return np.column_stack([(x + 0.5 * sex > 0).astype(int), sex, age, job, x])


def table(rows: Any) -> str:
    return "".join(f"{y:.0f},{s:.0f},{a:.0f},{j:.0f},{x}\n" for y, s, a, j, x in rows)


def probability(features: Any) -> Any:
    return 1 / (1 + np.exp(-features[:, 3] - 0.3 * features[:, 0]))


async def test_everything_at_once(clarify_job: Any, csv_model: Any) -> None:
    rows = people()
    clarify_job.data(table(rows))

    end = await clarify_job.run_image(CONFIG, csv_model(probability))

    assert end.code == 0, end.output
    analysis = end.json()
    assert list(analysis) == [
        "version",
        "pre_training_bias_metrics",
        "post_training_bias_metrics",
        "explanations",
    ]
    assert sorted(path.name for path in (clarify_job.root / "processing/output").iterdir()) == [
        "analysis.json",
        "explanations_shap",
        "my report.html",
        "my report.ipynb",
    ]
    facets = analysis["post_training_bias_metrics"]["facets"]
    assert {name: [group["value_or_threshold"] for group in groups] for name, groups in facets.items()} == {
        "sex": ["0", "1"],
        "age": [f"(40, {rows[:, 2].max():.0f}]"],
        "job": ["1,3"],
    }
    assert analysis["pre_training_bias_metrics"]["label_value_or_threshold"] == "1"
    assert [metric["name"] for metric in facets["sex"][0]["metrics"]] == sorted(
        ["AD", "CDDPL", "DAR", "DCA", "DCR", "DI", "DPPL", "DRR", "FT", "GE", "RD", "SD", "TE"]
    )


async def test_metrics_are_those_of_the_rows(clarify_job: Any, csv_model: Any) -> None:
    """A few of each kind, counted here by hand; every formula has its own test."""
    rows = people()
    clarify_job.data(table(rows))

    end = await clarify_job.run(CONFIG, csv_model(probability))

    y, guess = rows[:, 0] == 1, probability(rows[:, 1:]) > 0.5
    for facet, group, sensitive in (
        ("sex", 0, rows[:, 1] == 0),
        ("sex", 1, rows[:, 1] == 1),
        ("age", 0, rows[:, 2] > 40),
        ("job", 0, np.isin(rows[:, 3], [1, 3])),
    ):
        before, after = end.metrics("pre_training", facet, group), end.metrics("post_training", facet, group)
        assert before["CI"] == pytest.approx((~sensitive).mean() - sensitive.mean(), abs=1e-9)
        assert before["DPL"] == pytest.approx(y[~sensitive].mean() - y[sensitive].mean(), abs=1e-9)
        assert after["DPPL"] == pytest.approx(guess[~sensitive].mean() - guess[sensitive].mean(), abs=1e-9)
        assert after["AD"] == pytest.approx(
            (y == guess)[~sensitive].mean() - (y == guess)[sensitive].mean(), abs=1e-9
        )


class Page(HTMLParser):
    """What a page refers to, and which tags it leaves open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [
            f"{name}={value}" for name, value in attrs if name in {"src", "href", "xlink:href"}
        ]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_the_report_is_one_page_that_needs_nothing_else(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(table(people()))

    end = await clarify_job.run(CONFIG, csv_model(probability))

    text = end.text("my report.html")
    page = Page(text)
    assert page.references == []
    assert page.open == []
    assert "url(" not in text
    assert "<script" not in text
    assert "Fair <b>& square</b>" in page.words
    for said in (
        "Disparate Impact (DI)",
        "sex: 0 against the others",
        "Expected value",
        "Partial dependence",
    ):
        assert said in page.words
    assert (
        text.count("<svg") == 2 * 4 + 1 + 4
    )  # both kinds of metrics of four groups, the attributions, four curves


async def test_names_of_the_data_are_escaped_in_the_report(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data('y,<script>x,"a&b"\n1,<i>,1\n0,<i>,2\n1,</svg>,3\n0,</svg>,4\n')
    config = {
        "dataset_type": "text/csv",
        "label": "y",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "<script>x"}],
        "methods": {"pre_training_bias": {"methods": "all"}},
    }

    end = await clarify_job.run(config)

    text = end.text("report.html")
    assert end.code == 0, end.output
    assert "<script" not in text
    assert "<i>" not in text
    assert "<script>x: <i> against the others" in Page(text).words


async def test_the_notebook_shows_the_same(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data(table(people()))

    end = await clarify_job.run(CONFIG, csv_model(probability))

    notebook = end.json("my report.ipynb")
    assert (notebook["nbformat"], len(notebook["cells"])) == (4, 2)
    shown = notebook["cells"][1]["outputs"][0]["data"]["text/html"]
    assert shown.partition("</style>")[2] in end.text("my report.html")


async def test_values_that_json_has_not_are_null_with_a_reason(clarify_job: Any) -> None:
    clarify_job.data("y,s,p\n1,0,1\n1,0,1\n0,0,0\n0,1,1\n0,1,0\n")
    config = {
        "dataset_type": "text/csv",
        "label": "y",
        "predicted_label": "p",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "s", "value_or_threshold": [1]}],
        "methods": {
            "post_training_bias": {"methods": ["CDDPL", "RD", "TE"]},
            "pre_training_bias": {"methods": ["KL"]},
        },
    }

    end = await clarify_job.run(config)

    assert end.code == 0, end.output
    json.loads(end.text("analysis.json"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    sections = end.json()
    found = {
        metric["name"]: metric
        for section in ("pre_training_bias_metrics", "post_training_bias_metrics")
        for metric in sections[section]["facets"]["s"][0]["metrics"]
    }
    assert {name: metric["value"] for name, metric in found.items()} == dict.fromkeys(found)
    assert {name: metric["error"] for name, metric in found.items()} == {
        "KL": "Infinite: a denominator of the metric is zero",
        "CDDPL": "Group variable is empty or not provided",
        "RD": "Undefined, 0/0: there are no positive labels in facet d",
        "TE": "Undefined, 0/0: there are no wrong predictions in facet a",
    }
    assert found["CDDPL"]["error"] in Page(end.text("report.html")).words


async def test_a_failure_is_the_jobs_exit_message(clarify_job: Any) -> None:
    end = await clarify_job.run_image({**CONFIG, "labl": "y"})

    assert end.code == 1
    assert end.message == "labl is no key of an analysis configuration (did you mean label?)"
    assert end.output == f"{end.message}\n"


async def test_a_missing_package_is_a_sentence(clarify_job: Any, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow/polars.py"
    shadow.parent.mkdir()
    shadow.write_text("raise ImportError(name='polars')")

    end = await clarify_job.run_image(CONFIG, PYTHONPATH=str(shadow.parent))

    assert end.code == 1
    assert "has no package 'polars'" in end.output
    assert "sagelocal[checks]" in end.output
    assert "Traceback" not in end.output


async def test_one_instance_of_several_does_the_work(clarify_job: Any) -> None:
    clarify_job.write(
        "config/resourceconfig.json", json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    )

    end = await clarify_job.run(CONFIG)

    assert end.code == 0
    assert not (clarify_job.root / "processing/output").exists()


@pytest.mark.parametrize("threshold", [0.5, [0.5], [[0.5]]])
async def test_the_sdks_data_bias_configuration_runs(clarify_job: Any, threshold: Any) -> None:
    clarify_job.data("1,0,3\n0,1,4\n1,1,5\n1,0,6\n")
    config = {
        "dataset_type": "text/csv",
        "headers": ["y", "a", "b"],
        "label": "y",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "a", "value_or_threshold": threshold}],
        "methods": {
            "pre_training_bias": {"methods": "all"},
            "report": {"name": "report", "title": "Analysis Report"},
        },
    }

    end = await clarify_job.run(config)

    assert end.metrics("pre_training", "a")["DPL"] == 0.5
    assert end.json()["pre_training_bias_metrics"]["facets"]["a"][0]["value_or_threshold"] == "(0.5, 1]"


async def test_the_sdks_explainability_configuration_runs(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data("1,0,3\n0,1,4\n1,1,5\n1,0,6\n")
    config = {
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
            "report": {"name": "report", "title": "Analysis Report"},
        },
        "predictor": {
            "instance_type": "ml.m5.large",
            "initial_instance_count": 1,
            "accept_type": "text/csv",
            "content_type": "text/csv",
        },
    }

    end = await clarify_job.run(config, csv_model(lambda rows: rows @ [3.0, 0.5]))

    overall = end.json()["explanations"]["kernel_shap"]["label0"]
    assert overall["global_shap_values"] == pytest.approx({"a": 3 / 2, "b": (1 + 2 + 3 + 4) / 8})
    assert overall["expected_value"] == pytest.approx(4)


async def test_the_value_of_a_facet_names_the_disadvantaged_group(clarify_job: Any) -> None:
    """As in AWS's sample on the census of 1994, where it is that of women: fewer than men, and worse off."""
    men, women = 20_380, 9_782
    clarify_job.data(
        "target,sex\n"
        + "0,1\n" * (men - 6_396)
        + "1,1\n" * 6_396
        + "0,0\n" * (women - 1_112)
        + "1,0\n" * 1_112
    )
    config = {
        "dataset_type": "text/csv",
        "label": "target",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "sex", "value_or_threshold": [0]}],
        "methods": {"pre_training_bias": {"methods": "all"}},
    }

    end = await clarify_job.run(config)

    metrics = end.metrics("pre_training", "sex")
    assert metrics["CI"] == pytest.approx((men - women) / (men + women), abs=1e-9)
    share = 6_396 / men - 1_112 / women
    assert metrics["DPL"] == pytest.approx(share, abs=1e-9)
    assert metrics["LP"] == pytest.approx(share * math.sqrt(2), abs=1e-9)
    assert [metrics["TVD"], metrics["KS"]] == pytest.approx([share, share], abs=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": "x"}, "features (dataset_type text/csv gives all columns to the model)"),
        ({"facet_headers": ["s"]}, "facet_headers (there is no facet_dataset_uri)"),
        (
            {"predicted_label_headers": ["p"]},
            "predicted_label_headers (there is no predicted_label_dataset_uri)",
        ),
        (
            {"predictor": {"content_template": "$features"}},
            "predictor.content_template (content_type is text/csv)",
        ),
        (
            {"predictor": {"record_template": "$features"}},
            "predictor.record_template (content_type is not application/json)",
        ),
    ],
)
async def test_keys_that_nothing_asks_for_are_said(
    clarify_job: Any, change: dict[str, Any], said: str
) -> None:
    clarify_job.data("y,s\n1,1\n0,0\n")
    config = {
        "dataset_type": "text/csv",
        "label": "y",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "s"}],
        "methods": {"pre_training_bias": {"methods": ["CI"]}},
    }

    end = await clarify_job.run({**config, **change})

    assert end.code == 0, end.output
    assert f"note: {said} has no effect here" in end.output


async def test_infinite_data_is_no_traceback(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data("y,x\n1,1.5\n0,inf\n")
    config = {
        "dataset_type": "text/csv",
        "label": "y",
        "methods": {"pdp": {"features": ["x"]}},
        "predictor": {"model_name": "m"},
    }

    end = await clarify_job.run(config, csv_model(lambda rows: rows[:, 0]))

    assert end.code == 1
    assert end.message == "Column 'x' of the dataset has an infinite number, first in row 1"


async def test_scores_beyond_all_numbers_are_no_traceback(clarify_job: Any, csv_model: Any) -> None:
    clarify_job.data("y,x\n1,1\n0,2\n")
    config = {
        "dataset_type": "text/csv",
        "label": "y",
        "methods": {"shap": {"baseline": [[0]], "agg_method": "mean_sq"}},
        "predictor": {"model_name": "m"},
    }

    with pytest.warns(RuntimeWarning, match="overflow"):
        end = await clarify_job.run(config, csv_model(lambda rows: rows[:, 0] * 1e200))

    assert end.code == 1
    assert end.message == "analysis.json would have an infinite number: the model's scores are too large"
