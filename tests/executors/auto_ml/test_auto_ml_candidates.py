"""What the jobs of a local search do with their data, compared with computations of our own."""

from __future__ import annotations

import ast
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import sagelocal_executors.auto_ml
from sagelocal_executors.auto_ml.candidate import (
    ensemble,
    importance,
    insights,
    inspection,
    program,
    rows,
    scores,
    serving,
    splitting,
    tables,
)
from sagelocal_executors.auto_ml.candidate import model as models
from sagelocal_executors.auto_ml.candidate.features import look_at, matrix
from sagelocal_executors.auto_ml.candidate.question import BINARY, MULTICLASS, REGRESSION, DataError, Question

PACKAGE = Path(sagelocal_executors.auto_ml.__file__).parent / "candidate"
ABALONE = Path(__file__).parents[3] / "fixtures/abalone/data/abalone-dataset.csv"
NAMES = ["sex", "length", "diameter", "height", "whole", "shucked", "viscera", "shell", "rings"]


@pytest.fixture(name="abalones", scope="session")
def _abalones() -> pd.DataFrame:
    return pd.read_csv(ABALONE, names=NAMES)


class Job:
    """The folders of one training job, and the program run in them."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch

    def put(self, channel: str, name: str, content: str | bytes) -> None:
        path = self.root / "input/data" / channel / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def run(self, task: str, **parameters: Any) -> Path:
        """Returns the model's folder, emptied before."""
        model, results = self.root / "model", self.root / "output/data"
        for folder in (model, results):
            folder.mkdir(parents=True, exist_ok=True)
        for name, folder in {
            "SM_INPUT_DIR": self.root / "input",
            "SM_OUTPUT_DIR": self.root / "output",
            "SM_OUTPUT_DATA_DIR": results,
            "SM_MODEL_DIR": model,
        }.items():
            self.patch.setenv(name, str(folder))
        self.patch.setenv("SM_HPS", json.dumps({"task": task, "target": "y", "seed": 7, **parameters}))
        program.main()
        return model

    def train(self, problem: str, algorithm: str = "linear-learner", **parameters: Any) -> models.Model:
        recipe: dict[str, Any] = {"name": algorithm, "algorithm": algorithm, "parameters": {}}
        return models.load(self.run("train", problem_type=problem, **{**recipe, **parameters}))

    @property
    def failure(self) -> str:
        return (self.root / "output/failure").read_text()


@pytest.fixture(name="job")
def _job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    return Job(tmp_path, monkeypatch)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    lines = [line.partition("=") for line in capsys.readouterr().out.splitlines() if "=" in line]
    return {name: float(value) for name, _, value in lines}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_the_programs_run_where_nothing_of_ours_is_and_python_is_old(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    absolute = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    absolute |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }

    assert not any(str(name).startswith("sagelocal") for name in absolute)


def test_files_of_a_channel_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"y,a\n3,z\n"))
    (tmp_path / "a.csv").write_text("a,y\nx,1\n,2\n")
    (tmp_path / "_SUCCESS").write_text("")
    table = tables.read_channel(tmp_path)

    assert list(table.columns) == ["a", "y"]
    assert list(table["y"]) == ["1", "2", "3"]
    assert list(table["a"].isna()) == [False, True, False]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "there is no row of data in 0 files"),
        ({"a.csv": "a,y\n"}, "there is no row of data in 1 files"),
        ({"a.csv": "a,y\n1,2\n", "b.csv": "a,z\n1,2\n"}, "b.csv has the columns a, z"),
        ({"a.csv": 'a,y\n"1,2\n'}, "a.csv cannot be read"),
        ({"a.csv": b"a,y\n\xff,2\n"}, "a.csv cannot be read"),
        ({"a.parquet": b"PAR1 and so on"}, "a.parquet"),
    ],
)
def test_files_that_are_no_table_are_named(tmp_path: Path, files: dict[str, Any], reason: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(DataError, match=reason):
        tables.read_channel(tmp_path)


def test_a_missing_target_is_named_with_the_nearest_column(job: Job) -> None:
    job.put("training", "a.csv", "a,yy\n1,2\n")

    with pytest.raises(SystemExit):
        job.run("inspect")
    assert job.failure == (
        "TargetAttributeName: the data has no column 'y'; it has a, yy; did you mean 'yy'?"
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["1", "0", "1"], BINARY),
        (["yes", "no", "yes"], BINARY),
        (["0.5", "1.5", "0.5"], BINARY),
        (["a", "b", "c"] * 3, MULTICLASS),
        ([str(n % 10) for n in range(50)], MULTICLASS),
        ([str(n % 11) for n in range(50)], REGRESSION),
        (["1.5", "2", "3"], REGRESSION),
    ],
)
def test_the_problem_type_follows_from_the_target(values: list[str], problem: str) -> None:
    assert inspection.problem_of(pd.Series(values, name="y"))[0] == problem


@pytest.mark.parametrize(
    ("values", "reason"), [(["a"] * 9, "nothing to predict"), (list("abcdef"), "6 different texts")]
)
def test_a_target_that_suggests_nothing_is_refused(values: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        inspection.problem_of(pd.Series(values, name="y"))


def test_a_split_is_the_same_every_time_and_loses_no_row() -> None:
    truth = np.arange(101)
    kept, held_back = splitting.split(truth, 0.25, 3, stratified=False)
    again, _ = splitting.split(truth, 0.25, 3, stratified=False)
    other, _ = splitting.split(truth, 0.25, 4, stratified=False)

    assert list(kept) == list(again) != list(other)
    assert sorted([*kept, *held_back]) == list(truth)
    assert len(held_back) == 25


def test_every_class_gives_its_share_and_keeps_a_row() -> None:
    truth = np.array([0] * 50 + [1] * 10 + [2])
    kept, held_back = splitting.split(truth, 0.2, 0, stratified=True)

    assert np.bincount(truth[held_back], minlength=3).tolist() == [10, 2, 0]
    assert np.bincount(truth[kept]).tolist() == [40, 8, 1]


def test_rows_without_target_or_weight_do_not_count(job: Job) -> None:
    job.put("training", "a.csv", "a,y,w\n1,1,1\n2,,1\n3,0,\n4,0,-1\n5,1,x\n6,0,2\n7,1,0\n8,0,1\n")
    question = Question("y", weight="w", problem=BINARY, fraction=0.5)
    parts = rows.bring(question, job.root / "input/data")

    assert sorted([*parts.training.frame["a"], *parts.validation.frame["a"]]) == ["1", "6", "7", "8"]
    assert "w" not in parts.training.frame


def test_columns_are_told_by_the_rows_to_train_on() -> None:
    frame = pd.DataFrame(
        {
            "number": ["1", "2.5", None],
            "word": ["a", "b", "a"],
            "same": ["x", "x", "x"],
            "empty": [None, None, None],
        },
        dtype=object,
    )
    schema = look_at(frame)
    unseen = matrix(
        pd.DataFrame({"number": ["many"], "word": ["new"], "same": ["y"], "empty": ["z"]}), schema
    )

    assert schema.numeric == ("number",)
    assert schema.categories == {"word": ["a", "b"]}
    assert schema.dropped == {"same": "holds one value only", "empty": "is empty"}
    assert unseen["number"].isna().all()
    assert list(unseen["word"]) == ["new"]


def test_names_of_things_are_no_feature() -> None:
    frame = pd.DataFrame(
        {"id": [f"row {n}" for n in range(200)], "a": [str(n % 3) for n in range(200)]}, dtype=object
    )

    assert look_at(frame).dropped == {"id": "holds 200 different texts in 200 rows"}


def test_a_ridge_is_what_linear_algebra_says(
    job: Job, abalones: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    training, held_back = abalones[:300], abalones[300:400]
    for name, part in (("training", training), ("validation", held_back)):
        job.put(name, "a.csv", part.rename(columns={"rings": "y"}).to_csv(index=False))
    job.train(REGRESSION)
    numbers = [name for name in NAMES if name not in {"sex", "rings"}]

    def features(part: pd.DataFrame) -> Any:
        scaled = (part[numbers] - training[numbers].mean()) / training[numbers].std(ddof=0)
        return np.column_stack([scaled, *(part["sex"] == sex for sex in "FIM")]).astype(float)

    x, y = features(training), training["rings"].to_numpy(float)
    center, mean = x.mean(axis=0), y.mean()
    slope = np.linalg.solve((x - center).T @ (x - center) + np.eye(x.shape[1]), (x - center).T @ (y - mean))
    residual = held_back["rings"] - (mean + (features(held_back) - center) @ slope)
    found = printed(capsys)

    assert found["MSE"] == pytest.approx((residual**2).mean(), rel=1e-9)
    assert found["RMSE"] == pytest.approx(np.sqrt((residual**2).mean()), rel=1e-9)
    assert found["MAE"] == pytest.approx(residual.abs().mean(), rel=1e-9)
    assert found["R2"] == pytest.approx(
        1 - (residual**2).sum() / ((held_back["rings"] - held_back["rings"].mean()) ** 2).sum(), rel=1e-9
    )


@pytest.mark.parametrize("algorithm", ["linear-learner", "randomforest", "extra-trees", "xgboost"])
def test_a_candidate_is_the_same_every_time(
    job: Job, abalones: pd.DataFrame, algorithm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = abalones[:200].assign(y=abalones["rings"] > 9).drop(columns="rings")
    job.put("training", "a.csv", table.to_csv(index=False))
    trees = {} if algorithm == "linear-learner" else {"n_estimators": 10}
    found = []
    for _ in range(2):
        model = job.train(BINARY, algorithm, parameters=trees)
        found.append(
            (printed(capsys), model.scores(pd.read_csv(job.root / "input/data/training/a.csv", dtype=str)))
        )
        shutil.rmtree(job.root / "model")

    assert found[0][0] == found[1][0]
    assert (found[0][1] == found[1][1]).all()


def test_binary_metrics_are_those_of_the_definitions() -> None:
    truth = np.array([1, 1, 0, 0, 1, 0])
    positive = np.array([0.9, 0.4, 0.6, 0.1, 0.8, 0.3])
    found = scores.measured(BINARY, truth, np.column_stack([1 - positive, positive]))
    pairs = [(p, n) for p in positive[truth == 1] for n in positive[truth == 0]]

    assert found["Precision"] == found["Recall"] == found["F1"] == pytest.approx(2 / 3, abs=1e-12)
    assert found["Accuracy"] == found["BalancedAccuracy"] == pytest.approx(4 / 6, abs=1e-12)
    assert found["AUC"] == pytest.approx(sum(p > n for p, n in pairs) / len(pairs), abs=1e-12)
    assert found["LogLoss"] == pytest.approx(
        -np.mean(np.log(np.where(truth == 1, positive, 1 - positive))), abs=1e-12
    )


def test_macro_metrics_are_means_over_the_classes_that_weights_weigh() -> None:
    truth, likeliest = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 2])
    weights = np.array([1.0, 2.0, 1.0, 0.5, 1.0, 3.0])
    found = scores.measured(MULTICLASS, truth, np.eye(3)[likeliest] * 0.97 + 0.01, weights)
    recalls, precisions = [], []
    for label in range(3):
        hit = weights[(truth == label) & (likeliest == label)].sum()
        recalls.append(hit / weights[truth == label].sum())
        precisions.append(hit / weights[likeliest == label].sum())
    f1s = [2 * p * r / (p + r) for p, r in zip(precisions, recalls, strict=True)]

    assert found["RecallMacro"] == found["BalancedAccuracy"] == pytest.approx(np.mean(recalls), abs=1e-12)
    assert found["PrecisionMacro"] == pytest.approx(np.mean(precisions), abs=1e-12)
    assert found["F1macro"] == pytest.approx(np.mean(f1s), abs=1e-12)
    assert found["Accuracy"] == pytest.approx(weights[truth == likeliest].sum() / weights.sum(), abs=1e-12)


def test_weights_decide_what_is_learnt(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{n},{n % 2 if n < 30 else 0},{100 if n < 30 else 0}" for n in range(60)]
    job.put("training", "a.csv", "\n".join(["a,y,w", *lines]))
    job.put("validation", "a.csv", "a,y,w\n1,1,1\n2,0,1\n")
    weighted = job.train(REGRESSION, weight="w")
    alone = weighted.scores(pd.DataFrame({"a": ["15"]}))[0]

    assert alone == pytest.approx(0.5, abs=0.05)


def _members(*algorithms: str) -> list[dict[str, Any]]:
    return [
        {"algorithm": each, "parameters": {} if "linear" in each else {"n_estimators": 10}}
        for each in algorithms
    ]


def _line(job: Job) -> Question:
    """Data that a straight line explains, so that trees have nothing to add."""
    job.put("training", "a.csv", "a,y\n" + "\n".join(f"{n},{3 * n + n % 2 / 100}" for n in range(100)))
    return Question("y", problem=REGRESSION, objective="MSE", fraction=0.2)


def test_the_ensemble_listens_to_those_who_know(job: Job) -> None:
    question = _line(job)
    parts = rows.bring(question, job.root / "input/data")

    assert ensemble.weights_of(_members("randomforest", "linear-learner"), question, parts.training) == [
        0.0,
        1.0,
    ]


def test_an_ensemble_averages_its_members(job: Job, abalones: pd.DataFrame) -> None:
    job.put("training", "a.csv", abalones[:300].rename(columns={"rings": "y"}).to_csv(index=False))
    members = _members("linear-learner", "randomforest", "extra-trees")
    model = job.train(REGRESSION, objective="MSE", members=members)
    features = pd.read_csv(job.root / "input/data/training/a.csv", dtype=str).drop(columns="y")
    shares = [weight for weight, _ in model.members]
    said = [pipeline.predict(matrix(features, model.schema)) for _, pipeline in model.members]

    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert len(shares) > 1
    np.testing.assert_allclose(model.scores(features), np.average(said, axis=0, weights=shares), rtol=1e-12)


def test_a_feature_matters_as_much_as_its_loss_costs(job: Job) -> None:
    lines = [f"{n},{(n * 7919) % 101},{5 * n}" for n in range(100)]
    job.put("training", "a.csv", "\n".join(["a,noise,y", *lines]))
    question = Question("y", problem=REGRESSION, objective="MSE", fraction=0.2)
    parts = rows.bring(question, job.root / "input/data")
    model = job.train(REGRESSION, validation_fraction=0.2)
    found = importance.importances(model, question, parts.validation)

    assert found["a"] > 1000 * max(abs(found["noise"]), 1e-6)
    assert set(found) == {"a", "noise"}


def test_the_importance_report_does_not_say_shap(job: Job) -> None:
    question = _line(job)
    report = importance.analysis(
        job.train(REGRESSION), question, rows.bring(question, job.root / "input/data").validation
    )

    assert list(report["explanations"]) == ["permutation_importance"]
    assert report["explanations"]["permutation_importance"]["global_importance"]["a"] > 0
    assert "not Amazon SageMaker Autopilot" in report["generated_by"]


def _classified(job: Job, abalones: pd.DataFrame, problem: str) -> tuple[models.Model, rows.Rows]:
    """A model of old and young, or of the sexes, and the rows that it is judged by."""
    target = (
        abalones["sex"]
        if problem == MULTICLASS
        else (abalones["rings"] > 9).map({True: "old", False: "a child"})
    )
    table = abalones.drop(columns=["rings", "sex"]).assign(y=target)
    job.put("training", "a.csv", table[:300].to_csv(index=False))
    job.put("validation", "a.csv", table[300:600].to_csv(index=False))
    model = job.train(problem)
    return model, rows.bring(Question("y", problem=problem), job.root / "input/data").validation


def test_insights_into_two_classes_agree_with_scikit_learn(job: Job, abalones: pd.DataFrame) -> None:
    model, judged = _classified(job, abalones, BINARY)
    report = insights.statistics(model, judged, 0)["binary_classification_metrics"]
    probability = model.scores(judged.frame)[:, 1]
    predicted = (probability > 0.5).astype(int)
    (tn, fp), (fn, tp) = metrics.confusion_matrix(judged.truth, predicted)

    assert model.classes == ("a child", "old")
    assert report["confusion_matrix"] == {
        "a child": {"a child": tn, "old": fp},
        "old": {"a child": fn, "old": tp},
    }
    assert report["recall"]["value"] == pytest.approx(tp / (tp + fn), abs=1e-12)
    assert report["false_positive_rate"]["value"] == pytest.approx(fp / (fp + tn), abs=1e-12)
    assert report["f2"]["value"] == pytest.approx(5 * tp / (5 * tp + 4 * fn + fp), abs=1e-12)
    assert report["auc"]["value"] == pytest.approx(
        metrics.roc_auc_score(judged.truth, probability), abs=1e-12
    )
    assert 0 < report["auc"]["standard_deviation"] < 0.1
    assert report["receiver_operating_characteristic_curve"]["true_positive_rates"][-1] == 1.0


def test_insights_into_many_classes_are_weighted_by_their_size(job: Job, abalones: pd.DataFrame) -> None:
    model, judged = _classified(job, abalones, MULTICLASS)
    report = insights.statistics(model, judged, 0)["multiclass_classification_metrics"]
    predicted = model.scores(judged.frame).argmax(axis=1)
    most = np.bincount(judged.truth).argmax()
    sizes = np.bincount(judged.truth)
    recalls = [(predicted[judged.truth == label] == label).mean() for label in range(3)]

    assert report["weighted_recall"]["value"] == pytest.approx(np.average(recalls, weights=sizes), abs=1e-12)
    assert report["accuracy_best_constant_classifier"]["value"] == pytest.approx(
        (judged.truth == most).mean(), abs=1e-12
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_model_answers_with_the_keys_that_it_is_asked_for(
    job: Job, abalones: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, judged = _classified(job, abalones, MULTICLASS)
    loaded = serving.model_fn(str(job.root / "model"))
    body = judged.frame[:2].to_csv(index=False, header=False)
    probabilities = model.scores(judged.frame[:2])
    best = probabilities.argmax(axis=1)
    monkeypatch.setenv("SAGEMAKER_INFERENCE_OUTPUT", "predicted_label, probability,labels")
    answers = serving.predict_fn(serving.input_fn(body, "text/csv; charset=utf-8"), loaded)
    text, kind = serving.output_fn(answers, "text/csv")

    assert kind == "text/csv"
    label, probability = model.classes[best[0]], float(probabilities[0, best[0]])
    assert text.splitlines()[0] == f'{label},{probability},"[""F"", ""I"", ""M""]"'
    monkeypatch.delenv("SAGEMAKER_INFERENCE_OUTPUT")
    only = serving.predict_fn(serving.input_fn(body.encode(), "text/csv"), loaded)
    assert serving.output_fn(only, "*/*")[0] == "".join(f"{model.classes[each]}\n" for each in best)
    assert json.loads(serving.output_fn(answers, "application/json")[0])["predictions"][1]["labels"] == [
        "F",
        "I",
        "M",
    ]
    assert len(serving.output_fn(answers, "application/jsonlines")[0].splitlines()) == 2


def test_a_header_left_in_a_request_is_no_record(job: Job, abalones: pd.DataFrame) -> None:
    model, judged = _classified(job, abalones, BINARY)
    with_header = serving.input_fn(judged.frame[:3].to_csv(index=False), "text/csv")

    assert len(serving.predict_fn(with_header, model)) == 3


@pytest.fixture(name="model")
def _model(job: Job, abalones: pd.DataFrame) -> models.Model:
    return _classified(job, abalones, BINARY)[0]


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        ("1,2\n", "text/csv", "a record has 2 values; the model wants 7, without the target: length"),
        ('1,"2', "text/csv", "the request is no CSV"),
        ("{}", "application/json", "Content-Type 'application/json' is not supported"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    model: models.Model, body: str, kind: str, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        serving.predict_fn(serving.input_fn(body, kind), model)


def test_a_key_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match="'score' is not supported; there are predicted_label"):
        serving.wanted("predicted_label,score")


def test_an_answer_that_nobody_writes_is_refused() -> None:
    with pytest.raises(serving.UnsupportedFormatError, match="Accept 'image/png' is not supported"):
        serving.output_fn([], "image/png")


def test_a_validation_channel_with_new_classes_is_refused(job: Job) -> None:
    job.put("training", "a.csv", "a,y\n1,x\n2,z\n")
    job.put("validation", "a.csv", "a,y\n1,new\n")

    with pytest.raises(DataError, match=r"that the training channel lacks: \['new'\]"):
        rows.bring(Question("y", problem=MULTICLASS), job.root / "input/data")


def test_a_regression_of_words_is_refused(job: Job) -> None:
    job.put("training", "a.csv", "a,y\n1,2\n2,many\n")

    with pytest.raises(DataError, match="'many', which is no number"):
        rows.bring(Question("y", problem=REGRESSION), job.root / "input/data")
