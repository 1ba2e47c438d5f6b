"""The built-in XGBoost algorithm serves what it has trained, in the formats of AWS's image."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

JSON, CSV, LIBSVM, LINES = "application/json", "text/csv", "text/libsvm", "application/jsonlines"
FEATURES, LABELS = load_diabetes(return_X_y=True)
ROWS = FEATURES[:9].astype(np.float32)


def boosted(features: Any, labels: Any, rounds: int = 5, **parameters: Any) -> Any:
    return xgboost.train({"max_depth": 3, **parameters}, xgboost.DMatrix(features, labels), rounds)


def csv(rows: Any, delimiter: str = ",") -> str:
    return "".join(delimiter.join(str(value) for value in row) + "\n" for row in rows.tolist())


def libsvm(rows: Any, label: str = "") -> str:
    lines = (" ".join(f"{n}:{value}" for n, value in enumerate(row) if value) for row in rows.tolist())
    return "\n".join(label + line for line in lines)


def lines(predictions: Any) -> str:
    return "".join(f"{each}\n" for each in predictions.tolist())


def saved(container: Any, booster: Any, name: str = "xgboost-model") -> None:
    (container.root / "model").mkdir(exist_ok=True)
    (container.root / "model" / name).write_bytes(bytes(booster.save_raw("ubj")))


@pytest.fixture(name="diabetes")
def _diabetes(container: Any) -> Any:
    """A booster, saved into the container."""
    booster = boosted(FEATURES, LABELS)
    saved(container, booster)
    return booster


def test_csv_and_libsvm_are_predicted_as_xgboost_itself_does(diabetes: Any, serve: Any) -> None:
    serving = serve("xgboost")
    sparse = np.where(abs(ROWS) < 0.04, 0, ROWS)
    missing = np.where(sparse == 0, np.nan, sparse)
    expected = lines(diabetes.predict(xgboost.DMatrix(ROWS)))

    assert serving.predicted(csv(ROWS), CSV) == expected
    assert serving.predicted(csv(ROWS, ";").replace("\n", "\r\n"), "text/csv; charset=utf-8") == expected
    for body in (libsvm(sparse), libsvm(sparse, "3.5 ")):
        assert serving.predicted(body, LIBSVM) == lines(diabetes.predict(xgboost.DMatrix(missing)))


def test_answers_are_csv_whose_every_line_ends(diabetes: Any, serve: Any) -> None:
    answer = serve("xgboost").invoke(csv(ROWS[:2]).strip(), CSV)

    assert answer.headers["content-type"] == CSV
    assert answer.text.count("\n") == 2
    assert answer.text.endswith("\n")


def test_an_empty_field_is_a_missing_value_even_alone_on_its_line(container: Any, serve: Any) -> None:
    wide, narrow = boosted(FEATURES, LABELS), boosted(FEATURES[:, 2:3], LABELS)
    saved(container, wide)
    holes = ROWS.copy()
    holes[2, 0] = holes[4, 9] = np.nan
    column = np.array([[0.02], [np.nan], [-0.01]], np.float32)

    assert serve("xgboost").predicted(csv(holes).replace("nan", ""), CSV) == lines(
        wide.predict(xgboost.DMatrix(holes))
    )
    saved(container, narrow)
    assert serve("xgboost").predicted("0.02\n\n-0.01\n", CSV) == lines(
        narrow.predict(xgboost.DMatrix(column))
    )


@pytest.mark.parametrize("content_type", [None, "application/octet-stream"])
def test_the_format_of_data_without_a_content_type_is_guessed(
    diabetes: Any, serve: Any, content_type: str | None
) -> None:
    serving = serve("xgboost")
    expected = lines(diabetes.predict(xgboost.DMatrix(ROWS)))

    assert serving.predicted(csv(ROWS), content_type) == expected
    assert serving.predicted(libsvm(ROWS), content_type) == expected
    assert serving.predicted(libsvm(ROWS, "1 "), content_type) == expected


@pytest.mark.parametrize("form", ["pickle", "ubj", "json"])
def test_a_model_is_loaded_in_each_format_that_images_leave(
    container: Any, serve: Any, form: str, diabetes: Any
) -> None:
    data = pickle.dumps(diabetes) if form == "pickle" else bytes(diabetes.save_raw(form))
    (container.root / "model/xgboost-model").write_bytes(data)

    assert serve("xgboost").predicted(csv(ROWS), CSV) == lines(diabetes.predict(xgboost.DMatrix(ROWS)))


def test_a_pickled_estimator_is_served_by_its_booster(container: Any, serve: Any) -> None:
    estimator = xgboost.XGBRegressor(n_estimators=3).fit(FEATURES, LABELS)
    (container.root / "model").mkdir()
    (container.root / "model/model.pkl").write_bytes(pickle.dumps(estimator))

    assert serve("xgboost").predicted(csv(ROWS), CSV) == lines(estimator.predict(ROWS))


def test_several_boosters_answer_with_their_mean(container: Any, serve: Any) -> None:
    folds = [boosted(FEATURES[n::2], LABELS[n::2]) for n in range(2)]
    for number, booster in enumerate(folds):
        saved(container, booster, f"xgboost-model-{number}")
    each = [booster.predict(xgboost.DMatrix(ROWS)) for booster in folds]

    answer = serve("xgboost").predicted(csv(ROWS), CSV)

    assert [float(word) for word in answer.split()] == pytest.approx(np.mean(each, axis=0), abs=1e-5)


def test_training_that_stopped_early_predicts_up_to_its_best_round(container: Any, serve: Any) -> None:
    train, validation = (
        xgboost.DMatrix(FEATURES[:200], LABELS[:200]),
        xgboost.DMatrix(FEATURES[200:], LABELS[200:]),
    )
    booster = xgboost.train(
        {"max_depth": 8, "eta": 1},
        train,
        50,
        evals=[(validation, "validation")],
        early_stopping_rounds=3,
        verbose_eval=False,
    )
    saved(container, booster)
    best = booster.predict(xgboost.DMatrix(ROWS), iteration_range=(0, booster.best_iteration + 1))
    assert booster.num_boosted_rounds() > booster.best_iteration + 1

    assert serve("xgboost").predicted(csv(ROWS), CSV) == lines(best)


def test_the_answer_is_in_the_type_that_is_accepted(diabetes: Any, serve: Any) -> None:
    serving = serve("xgboost")
    expected = diabetes.predict(xgboost.DMatrix(ROWS)).tolist()
    scores = [{"score": each} for each in expected]

    assert json.loads(serving.predicted(csv(ROWS), CSV, JSON)) == {"predictions": scores}
    answer = serving.invoke(csv(ROWS), CSV, f"image/png, {LINES};q=0.9")
    assert [json.loads(line) for line in answer.text.splitlines()] == scores
    assert answer.headers["content-type"] == LINES
    refused = serving.invoke(csv(ROWS), CSV, "image/png")
    assert refused.status_code == 406
    assert "Accept type image/png is not supported" in refused.text
    by_default = serve("xgboost", SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=JSON)
    assert json.loads(by_default.predicted(csv(ROWS), CSV)) == {"predictions": scores}


def test_probabilities_of_classes_stand_side_by_side_and_in_brackets_in_batch_transform(
    container: Any, serve: Any
) -> None:
    features, labels = load_iris(return_X_y=True)
    booster = boosted(features, labels, objective="multi:softprob", num_class=3)
    saved(container, booster)
    expected = booster.predict(xgboost.DMatrix(features[::30]))

    online, batch = serve("xgboost"), serve("xgboost", SAGEMAKER_BATCH="true")

    assert online.predicted(csv(features[::30]), CSV) == csv(expected)
    assert batch.predicted(csv(features[::30]), CSV) == "".join(f"{row}\n" for row in expected.tolist())
    assert batch.predicted(csv(features[::30]), CSV, JSON) == batch.predicted(csv(features[::30]), CSV)


def test_a_wrong_number_of_columns_is_told_with_both_numbers(diabetes: Any, serve: Any) -> None:
    serving = serve("xgboost")
    labelled = np.column_stack([np.ones(9), ROWS])

    for body, content_type, words in (
        (csv(labelled), CSV, "csv inference data 11 is not consistent with feature size of trained model 10"),
        (
            csv(ROWS[:, :8]),
            CSV,
            "csv inference data 8 is not consistent with feature size of trained model 10",
        ),
        ("1 0:1 12:1", LIBSVM, "libsvm inference data 13 is larger than feature size of trained model 10"),
    ):
        answer = serving.invoke(body, content_type)
        assert answer.status_code == 400
        assert f"Unable to evaluate payload provided: Feature size of {words}" in answer.text


def test_csv_may_lack_the_last_column_as_at_aws(diabetes: Any, serve: Any) -> None:
    serving = serve("xgboost")
    lacking = np.column_stack([ROWS[:, :9], np.full(9, np.nan)])

    assert serving.predicted(csv(ROWS[:, :9]), CSV) == lines(diabetes.predict(xgboost.DMatrix(lacking)))
    assert "9 columns of 10: the last is taken to be missing" in serving.log


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (
            "age,sex\n1,2\n",
            CSV,
            "please ensure data is in csv format: could not convert string to float: 'age'",
        ),
        ("1,2\n1,2,3\n", CSV, "the rows have different numbers of columns: 2, 3"),
        ("1,2\n", LIBSVM, "please ensure data is in libsvm format: no word is index:value"),
        ("0:1 one:2\n", LIBSVM, "please ensure data is in libsvm format"),
        ("[[1, 2]]", JSON, "application/json is not an accepted ContentType: csv, text/csv, libsvm"),
        (b"\xff\xfe1,2", CSV, "please ensure data is in csv format"),
    ],
)
def test_what_is_not_in_its_format_is_an_unsupported_media_type(
    diabetes: Any, serve: Any, body: str | bytes, content_type: str, words: str
) -> None:
    answer = serve("xgboost").invoke(body, content_type)

    assert answer.status_code == 415
    assert words in answer.text


def test_nothing_is_answered_with_no_content(diabetes: Any, serve: Any) -> None:
    answer = serve("xgboost").invoke(b"", CSV)

    assert (answer.status_code, answer.content) == (204, b"")


def test_execution_parameters_are_the_images(diabetes: Any, serve: Any) -> None:
    parameters = serve("xgboost").http.get("/execution-parameters").json()

    assert parameters.pop("MaxConcurrentTransforms") >= 1
    assert parameters == {"BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}


def test_selected_facets_of_a_binary_classification(container: Any, serve: Any) -> None:
    features, labels = load_breast_cancer(return_X_y=True)
    booster = boosted(features, labels, objective="binary:logistic")
    saved(container, booster)
    probabilities = booster.predict(xgboost.DMatrix(features[::60])).tolist()
    serving = serve(
        "xgboost", SAGEMAKER_INFERENCE_OUTPUT="predicted_label, probabilities,labels,predicted_score"
    )

    rows = json.loads(serving.predicted(csv(features[::60]), CSV, JSON))["predictions"]

    assert [row["predicted_label"] for row in rows] == [int(each > 0.5) for each in probabilities]
    assert [row["probabilities"] for row in rows] == [[1 - each, each] for each in probabilities]
    assert rows[0]["labels"] == [0, 1]
    assert np.isnan(rows[0]["predicted_score"])
    first = f'{int(probabilities[0] > 0.5)},"{[1 - probabilities[0], probabilities[0]]}","[0, 1]",nan'
    assert serving.predicted(csv(features[:1]), CSV) == first
    assert serving.predicted(csv(features[::60]), CSV, LINES).count("\n") == len(rows)


def test_selected_facets_of_classes_and_of_a_regression(container: Any, serve: Any) -> None:
    features, labels = load_iris(return_X_y=True)
    classes = boosted(features, labels, objective="multi:softprob", num_class=3)
    saved(container, classes)
    serving = serve(
        "xgboost", SAGEMAKER_INFERENCE_OUTPUT="probability,predicted_label,labels", SAGEMAKER_BATCH="true"
    )
    expected = classes.predict(xgboost.DMatrix(features[::30]))

    assert serving.predicted(csv(features[::30]), CSV) == "".join(
        f'{max(row)},{row.index(max(row))},"[0, 1, 2]"\n' for row in expected.tolist()
    )
    saved(container, boosted(FEATURES, LABELS))
    regression = serve("xgboost", SAGEMAKER_INFERENCE_OUTPUT="predicted_score")
    assert json.loads(regression.predicted(csv(ROWS), CSV, LINES).splitlines()[0])["predicted_score"] > 0


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "Unable to load model: there is no file in"),
        ({"xgboost-model": b"garbage"}, "is neither a pickle"),
        ({"xgboost-model": pickle.dumps([1])}, "holds a list, no booster of XGBoost"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_container(
    container: Any, files: dict[str, bytes], words: str
) -> None:
    (container.root / "model").mkdir()
    for name, data in files.items():
        (container.root / "model" / name).write_bytes(data)

    done = container.run("xgboost", "serve", SAGEMAKER_BIND_TO_PORT="18081")

    assert done.returncode == 1
    assert words in container.failure


@pytest.mark.parametrize("version", ["1.0-1", "1.7-1"])
def test_what_the_algorithm_has_trained_is_served(container: Any, serve: Any, version: str) -> None:
    container.write("input/data/train/a.csv", csv(np.column_stack([LABELS, FEATURES])))
    container.config("inputdataconfig.json", {"train": {"ContentType": CSV}})
    container.hyperparameters(num_round="5", max_depth="3", objective="reg:squarederror")
    trained = container.run("xgboost", SAGELOCAL_FAMILY_VERSION=version)
    assert trained.returncode == 0, trained.stderr

    expected = boosted(FEATURES.astype(np.float32), LABELS.astype(np.float32), objective="reg:squarederror")
    answer = serve("xgboost", SAGELOCAL_FAMILY_VERSION=version).predicted(csv(ROWS), None)

    assert answer == lines(expected.predict(xgboost.DMatrix(ROWS)))


def test_without_xgboost_the_interpreter_is_named_with_what_to_install(
    container: Any, tmp_path: Path
) -> None:
    (tmp_path / "xgboost.py").write_text("raise ImportError('none', name='xgboost')")

    done = container.run("xgboost", "serve", PYTHONPATH=str(tmp_path), SAGEMAKER_BIND_TO_PORT="18082")

    assert done.returncode == 1
    assert "has no package 'xgboost'" in container.failure
    assert "sagelocal[xgboost]" in container.failure
