"""How the model is asked, and how its answers are understood."""

from __future__ import annotations

import json
from typing import Any

import pytest

CONFIG: dict[str, Any] = {
    "dataset_type": "text/csv",
    "headers": ["y", "s", "x", "town"],
    "label": "y",
    "label_values_or_threshold": [1],
    "facet": [{"name_or_index": "s", "value_or_threshold": [1]}],
    "excluded_columns": ["s"],
    "methods": {"post_training_bias": {"methods": ["DPPL", "AD"]}},
    "predictor": {"model_name": "m", "instance_type": "ml.m5.large", "initial_instance_count": 1},
}
DATA = '1,0,5,rome\n1,0,6,"a, b"\n0,1,-7,oslo\n1,1,8,bonn\n'
ACCEPTED = [1, 1, 0, 1]  # what the model below predicts: whether x is positive
RESULT = {"AD": 0.0, "DPPL": 0.5}


def with_predictor(**members: Any) -> dict[str, Any]:
    return {**CONFIG, "predictor": {**CONFIG["predictor"], **members}}


def xs(body: bytes) -> list[int]:
    return [int(line.split(",")[0]) for line in body.decode().splitlines()]


async def test_rows_go_to_the_endpoint_as_csv_without_label_and_excluded_columns(
    clarify_job: Any, replying: Any
) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run(
        with_predictor(custom_attributes="c=1"),
        replying(lambda request: "\n".join(str(0.5 + x / 100) for x in xs(request.body))),
    )

    assert end.metrics("post_training", "s") == RESULT
    (request,) = clarify_job.asked
    assert request.path == "/endpoints/shadow/invocations"
    assert request.body.decode() == '5,rome\n6,"a, b"\n-7,oslo\n8,bonn'
    assert request.headers["content-type"] == request.headers["accept"] == "text/csv"
    assert request.headers["x-amzn-sagemaker-custom-attributes"] == "c=1"
    assert "/eu-west-1/sagemaker/aws4_request" in request.headers["authorization"]


ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "one score a line": ({}, "0.9\n0.8\n0.1\n0.7"),
    "all scores in one line": ({}, "0.9,0.8,0.1,0.7"),
    "label, score": ({"label": 0, "probability": 1}, "1,0.9\n1,0.8\n0,0.9\n1,0.7"),
    "label alone": ({"label": 0}, "1\n1\n0\n1"),
    "score, label": ({"label": 1}, "0.2,1\n0.2,1\n0.9,0\n0.2,1"),
    "lists as text": (
        {"label": 0, "probability": 1},
        "\n".join(f"\"['1', '0']\",\"[{p}, {1 - p}]\"" for p in (0.9, 0.8, 0.1, 0.7)),
    ),
    "scores of named labels": ({"label_headers": [0, 1]}, "0.1,0.9\n0.2,0.8\n0.9,0.1\n0.3,0.7"),
    "one score of a named label": ({"label_headers": [1]}, "0.9\n0.8\n0.1\n0.7"),
    "the SDK's text instead of a list": ({"label_headers": "1"}, "0.9\n0.8\n0.1\n0.7"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers_in_csv(clarify_job: Any, replying: Any, name: str) -> None:
    predictor, answer = ANSWERS[name]
    clarify_job.data(DATA)

    end = await clarify_job.run(with_predictor(**predictor), replying(lambda _: answer))

    assert end.code == 0, end.output
    assert end.metrics("post_training", "s") == RESULT


LINES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "label": ({"label": "out.label"}, [{"out": {"label": y}} for y in ACCEPTED]),
    "probability": ({"probability": "score"}, [{"score": 0.4 + y * 0.2} for y in ACCEPTED]),
    "probability called label": ({"label": "p"}, [{"p": 0.4 + y * 0.2} for y in ACCEPTED]),
    "labels with probabilities": (
        {"label": "names", "probability": "ps"},
        [{"names": ["1", "0"], "ps": [y, 1 - y]} for y in ACCEPTED],
    ),
    "bare numbers": ({}, [0.4 + y * 0.2 for y in ACCEPTED]),
}


@pytest.mark.parametrize("name", LINES)
async def test_answers_in_json_lines(clarify_job: Any, replying: Any, name: str) -> None:
    predictor, records = LINES[name]
    clarify_job.data(DATA)
    answer = "\n".join(map(json.dumps, records))

    end = await clarify_job.run(
        with_predictor(accept_type="application/jsonlines", **predictor), replying(lambda _: answer)
    )

    assert end.code == 0, end.output
    assert end.metrics("post_training", "s") == RESULT


DOCUMENTS: dict[str, tuple[dict[str, Any], Any]] = {
    "objects": ({"label": "predictions[*].label"}, {"predictions": [{"label": y} for y in ACCEPTED]}),
    "scores": ({"probability": "scores"}, {"scores": [0.4 + y * 0.2 for y in ACCEPTED]}),
    "a list": ({}, [0.4 + y * 0.2 for y in ACCEPTED]),
    "a matrix": ({"label_headers": [0, 1]}, [[1 - y, y] for y in ACCEPTED]),
    "labels and scores": (
        {"label": "p[*].n", "probability": "p[*].s"},
        {"p": [{"n": [0, 1], "s": [1 - y, y]} for y in ACCEPTED]},
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_answers_in_json(clarify_job: Any, replying: Any, name: str) -> None:
    predictor, document = DOCUMENTS[name]
    clarify_job.data(DATA)

    end = await clarify_job.run(
        with_predictor(accept_type="application/json", **predictor), replying(lambda _: json.dumps(document))
    )

    assert end.code == 0, end.output
    assert end.metrics("post_training", "s") == RESULT


async def test_records_in_json_lines_are_made_by_the_template(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(DATA)
    predictor = {
        "content_type": "application/jsonlines",
        "content_template": '{"data":{"features":$features}}',
        "label": "l",
    }

    end = await clarify_job.run(
        with_predictor(**predictor), replying(lambda _: "\n".join(f'{{"l": {y}}}' for y in ACCEPTED))
    )

    assert end.metrics("post_training", "s") == RESULT
    sent = [json.loads(line) for line in clarify_job.asked[0].body.splitlines()]
    assert sent[0] == {"data": {"features": [5, "rome"]}}


@pytest.mark.parametrize(
    ("content", "record", "expected"),
    [
        ('{"i": $records, "n": 1}', "$features", {"i": [[5, "rome"], [6, "a, b"]], "n": 1}),
        ("$records", "$features_kvp", [{"x": 5, "town": "rome"}, {"x": 6, "town": "a, b"}]),
        ("$records", '{"A": "${x}", "t": "${town}"}', [{"A": 5, "t": "rome"}, {"A": 6, "t": "a, b"}]),
        (
            "$records",
            "[$feature_names, $features]",
            [[["x", "town"], [5, "rome"]], [["x", "town"], [6, "a, b"]]],
        ),
    ],
)
async def test_json_documents_are_made_by_both_templates(
    clarify_job: Any, replying: Any, content: str, record: str, expected: Any
) -> None:
    clarify_job.data(DATA)
    predictor = {"content_type": "application/json", "content_template": content, "record_template": record}

    end = await clarify_job.run(with_predictor(**predictor), replying(lambda _: json.dumps(ACCEPTED)))

    assert end.code == 0, end.output
    sent = json.loads(clarify_job.asked[0].body)
    records = sent["i"] if isinstance(sent, dict) else sent
    assert records[:2] == (expected["i"] if isinstance(expected, dict) else expected)


async def test_a_template_for_one_record_sends_one_at_a_time(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(DATA)
    predictor = {
        "content_type": "application/json",
        "content_template": "$record",
        "record_template": "$features_kvp",
        "probability": "score",
    }

    end = await clarify_job.run(
        with_predictor(**predictor),
        replying(lambda request: json.dumps({"score": int(json.loads(request.body)["x"] > 0)})),
    )

    assert end.metrics("post_training", "s") == RESULT
    assert len(clarify_job.asked) == 4


async def test_a_model_that_takes_single_records_gets_single_records(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(DATA)

    def strict(request: Any) -> Any:
        found = xs(request.body)
        return str(int(found[0] > 0)) if len(found) == 1 else (424, '{"Message": "one, please"}')

    end = await clarify_job.run(CONFIG, replying(strict))

    assert end.metrics("post_training", "s") == RESULT
    assert "does not take 4 records at once (The model answered 424: one, please)" in end.output
    assert len(clarify_job.asked) == 5


async def test_large_data_is_sent_in_pieces(clarify_job: Any, csv_model: Any) -> None:
    rows = "".join(f"{i % 2},{i % 3 == 0:d},{i}\n" for i in range(12_000))
    clarify_job.data(rows)
    config = {**CONFIG, "headers": ["y", "s", "x"]}

    end = await clarify_job.run(config, csv_model(lambda features: features[:, 0] % 2))

    assert end.metrics("post_training", "s")["AD"] == 0
    assert len(clarify_job.asked) == 3


async def test_a_busy_endpoint_is_asked_again(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(DATA)
    first = iter([(503, "warming up")])

    end = await clarify_job.run(CONFIG, replying(lambda _: next(first, "0.9\n0.8\n0.1\n0.7")))

    assert end.metrics("post_training", "s") == RESULT
    assert len(clarify_job.asked) == 2


async def test_continuous_labels_are_compared_as_they_are(clarify_job: Any, replying: Any) -> None:
    clarify_job.data("1.5,0,1\n2.5,0,2\n3.5,1,3\n4.5,1,4\n")
    config = {**CONFIG, "headers": ["y", "s", "x"], "label_values_or_threshold": [2]}

    end = await clarify_job.run(config, replying(lambda _: "1.0\n2.1\n1.9\n7"))

    assert end.metrics("post_training", "s") == {"AD": 0.5, "DPPL": 0.0}
    assert end.json()["post_training_bias_metrics"]["label_value_or_threshold"] == "(2.0, 4.5]"


async def test_the_probability_threshold_counts(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run(
        {**CONFIG, "probability_threshold": 0.8}, replying(lambda _: "0.9,0.8,0.1,0.7")
    )

    assert end.metrics("post_training", "s")["DPPL"] == 0.5  # 0.8 itself is not above


async def test_predicted_labels_of_the_data_need_no_model(clarify_job: Any) -> None:
    clarify_job.data(
        "y,s,p\n" + "".join(f"{y},{s},{p}\n" for y, s, p in ((1, 0, 1), (1, 0, 1), (0, 1, 0), (1, 1, 1)))
    )
    config = {
        key: value for key, value in CONFIG.items() if key not in {"predictor", "headers", "excluded_columns"}
    }

    end = await clarify_job.run({**config, "predicted_label": "p"})

    assert end.metrics("post_training", "s") == RESULT


@pytest.mark.parametrize(
    ("predictor", "answer", "said"),
    [
        (
            {},
            (424, '{"OriginalMessage": "KeyError: \'x\'", "Message": "m"}'),
            "The model answered 424: KeyError: 'x'",
        ),
        ({}, (400, "no such endpoint"), "The model answered 400: no such endpoint"),
        ({}, "0.1\n0.2", "The model answered 2 predictions for 4 records; its answer begins '0.1"),
        ({}, "0.1\nnan\n0.2\n0.3", "The model's answer 1 is no finite number: (nan,)"),
        ({}, "yes\nno\nno\nyes", "say by predictor.label and predictor.probability which column is what"),
        ({}, "1,2\n1,2\n1,2\n1,2", "answers 2 scores for each record: set predictor.label_headers"),
        (
            {"label": 3},
            "1,2\n1,2\n1,2\n1,2",
            "predictor.label: the model's answer has no column 3: ['1', '2']",
        ),
        (
            {"label": "l"},
            "1,2\n1,2\n1,2\n1,2",
            "predictor.label must be the index of a column for answers in text/csv",
        ),
        ({"label_headers": ["a", "b", "c"]}, "1,2\n1,2\n1,2\n1,2", "answers 2 scores for 3 labels (a, b, c)"),
        (
            {"label": 0},
            "x\nx\nz\nz",
            "The predicted labels (x, z) are none of column 'y' (0, 1): set predictor.label_headers",
        ),
        (
            {"accept_type": "application/jsonlines"},
            '{"a": 1}\n' * 4,
            "predictor.probability is missing: the model answers objects with a",
        ),
        (
            {"accept_type": "application/jsonlines", "label": "b"},
            '{"a": 1}\n' * 4,
            "predictor.label 'b' finds nothing in the model's answer {\"a\": 1}",
        ),
        ({"accept_type": "application/json"}, "[1, 2", "The model's answer is no application/json that fits"),
        (
            {"accept_type": "application/json", "label": 0},
            "[1, 2, 3, 4]",
            "predictor.label must be a JMESPath for answers in JSON",
        ),
    ],
)
async def test_what_the_model_does_wrong_ends_the_job_in_words(
    clarify_job: Any, replying: Any, predictor: dict[str, Any], answer: Any, said: str
) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run(with_predictor(**predictor), replying(lambda _: answer))

    assert end.code == 1
    assert said in end.message
    assert "Traceback" not in end.output


async def test_without_an_endpoint_the_job_says_who_brings_one(clarify_job: Any) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run(CONFIG, None, SAGELOCAL_ENDPOINT_NAME="")

    assert "predictor: there is no endpoint to ask" in end.message


async def test_a_configured_endpoint_is_asked(clarify_job: Any, replying: Any) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run(
        {**CONFIG, "predictor": {"endpoint_name": "mine"}},
        replying(lambda _: "0.9,0.8,0.1,0.7"),
        SAGELOCAL_ENDPOINT_NAME="",
    )

    assert end.code == 0, end.output
    assert clarify_job.asked[0].path == "/endpoints/mine/invocations"


async def test_a_model_needs_a_column(clarify_job: Any) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run({**CONFIG, "excluded_columns": ["s", 2, "town"]})

    assert end.message == "No column of the dataset is left for the model; it has y, s, x, town"


async def test_network_isolation_is_a_reason(clarify_job: Any) -> None:
    clarify_job.data(DATA)

    end = await clarify_job.run(CONFIG, None, AWS_ENDPOINT_URL="")

    assert "cannot reach sagemaker: AWS_ENDPOINT_URL is not set (network isolation?)" in end.message
