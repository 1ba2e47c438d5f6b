"""The toolkit plays the built-in XGBoost algorithm."""

from __future__ import annotations

import pickle
import re
import signal
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures"
CSV = "text/csv"


@pytest.fixture(name="abalone")
def _abalone(container: Any) -> Any:
    """A container with train and validation channels as CSV, the train channel in two files."""
    rows = [
        line.split(",")
        for line in (FIXTURES / "abalone/data/abalone-dataset.csv").read_text().splitlines()[:600]
    ]
    lines = [",".join([row[8], *row[1:8]]) for row in rows]
    container.write("input/data/train/part-0.csv", "\n".join(lines[:200]) + "\n")
    container.write("input/data/train/more/part-1.csv", "\n".join(lines[200:400]))
    container.write("input/data/train/_SUCCESS", "")
    container.write("input/data/validation/part.csv", "\n".join(lines[400:]))
    container.config(
        "inputdataconfig.json", {"train": {"ContentType": CSV}, "validation": {"ContentType": "csv"}}
    )
    return container


def model(container: Any) -> Any:
    return pickle.loads((container.root / "model/xgboost-model").read_bytes())


def test_abalone_is_learned_and_the_model_is_what_evaluation_scripts_load(abalone: Any) -> None:
    import numpy as np
    import xgboost

    abalone.hyperparameters(objective="reg:linear", num_round="10", max_depth="3", eta="0.3", subsample="0.7")

    answer = abalone.run("xgboost", SAGELOCAL_FAMILY_VERSION="1.0-1")

    assert answer.returncode == 0, answer.stderr
    rounds = re.findall(r".*\[[0-9]+\].*#011validation-rmse:([-+]?[0-9]*\.?[0-9]+)", answer.stdout)
    assert len(rounds) == 10
    assert float(rounds[-1]) < 3 < float(rounds[0]) + 1
    assert "Train matrix has 400 rows and 7 columns" in answer.stdout
    assert model(abalone).predict(xgboost.DMatrix(np.zeros((2, 7)))).shape == (2,)


def test_from_image_1_3_on_the_model_is_the_boosters_own_file(abalone: Any) -> None:
    import xgboost

    abalone.hyperparameters(num_round="2")

    answer = abalone.run(
        "xgboost", SAGELOCAL_IMAGE="1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    )

    assert answer.returncode == 0, answer.stderr
    booster = xgboost.Booster()
    booster.load_model(bytearray((abalone.root / "model/xgboost-model").read_bytes()))
    assert booster.num_boosted_rounds() == 2


def test_libsvm_is_the_type_of_a_channel_without_one(container: Any) -> None:
    container.write("input/data/train/a", "".join(f"{n % 2} 0:{n % 2} 3:{n}\n" for n in range(40)))
    container.write("input/data/validation/b", "1 0:1 5:2\n0 3:1\n")
    container.config("inputdataconfig.json", {"train": {}, "validation": {"ContentType": "text/x-libsvm"}})
    container.hyperparameters(num_round="3", objective="binary:logistic", eval_metric="logloss,accuracy")

    answer = container.run("xgboost")

    assert answer.returncode == 0, answer.stderr
    assert "Train matrix has 40 rows and 6 columns" in answer.stdout
    last = answer.stdout.splitlines()[-2]
    assert re.match(
        r"\[2\]#011train-logloss:\S+#011train-accuracy:\S+#011validation-logloss:\S+#011validation-accuracy:\S+",
        last,
    )


def test_weights_stand_in_the_second_column_when_asked_for(abalone: Any) -> None:
    abalone.config("inputdataconfig.json", {"train": {"ContentType": "text/csv; label_size=1"}})
    abalone.hyperparameters(num_round="1", csv_weights="1")

    answer = abalone.run("xgboost")

    assert answer.returncode == 0, answer.stderr
    assert model(abalone).num_features() == 6


def test_an_empty_field_is_a_missing_value(container: Any) -> None:
    container.write("input/data/train/a.csv", "1,,3\n0,2,\n1,4,5\n")
    container.config("inputdataconfig.json", {"train": {"ContentType": CSV}})
    container.hyperparameters(num_round="1")

    answer = container.run("xgboost")

    assert answer.returncode == 0, answer.stderr
    assert "Train matrix has 3 rows and 2 columns" in answer.stdout


def test_the_tuners_objective_is_among_the_metrics(abalone: Any) -> None:
    abalone.hyperparameters(num_round="1", eval_metric="rmse", _tuning_objective_metric="validation:mae")

    assert "validation-mae:" in abalone.run("xgboost").stdout


def test_early_stopping_ends_the_rounds(abalone: Any) -> None:
    abalone.hyperparameters(num_round="500", early_stopping_rounds="1", eta="1", max_depth="8")

    answer = abalone.run("xgboost")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("#011train-rmse") < 500


def test_all_wrong_hyperparameters_are_told_at_once_with_near_names(abalone: Any) -> None:
    abalone.hyperparameters(max_dept="5", eta="fast", subsample="0")

    assert abalone.run("xgboost").returncode == 1
    assert abalone.failure.splitlines() == [
        "Missing required hyperparameter: num_round",
        "Extraneous hyperparameter found: max_dept; did you mean max_depth, max_delta_step?",
        "Hyperparameter eta: 'fast' is not valid: could not convert string to float: 'fast'",
        "Hyperparameter subsample: '0' is not valid: must be greater than 0",
    ]


def test_what_xgboost_refuses_is_the_failure_without_its_stack_trace(abalone: Any) -> None:
    abalone.hyperparameters(num_round="1", objective="reg:lnear")

    assert abalone.run("xgboost").returncode == 1
    assert "Unknown objective function: `reg:lnear`" in abalone.failure
    assert "Stack trace" not in abalone.failure


@pytest.mark.parametrize(
    ("text", "content_type", "told"),
    [
        ("rings,length\n5,0.4\n", CSV, "no header; it begins with 'rings,length"),
        (
            "5,0.4\n",
            None,
            "line 1: not libsvm (label index:value ...): '5,0.4'; for CSV, set the channel's ContentType",
        ),
        ("5\n6\n", CSV, "only 1 column(s)"),
        ("5,0.4\n", "image/png", "ContentType 'image/png' of channel train is not one of csv, text/csv"),
    ],
)
def test_data_of_another_kind_is_a_failure_that_says_what_is_wrong(
    container: Any, text: str, content_type: str | None, told: str
) -> None:
    container.write("input/data/train/a", text)
    container.config("inputdataconfig.json", {"train": {"ContentType": content_type} if content_type else {}})
    container.hyperparameters(num_round="1")

    assert container.run("xgboost").returncode == 1
    assert told in container.failure


def test_an_empty_or_missing_channel_is_named(container: Any) -> None:
    container.hyperparameters(num_round="1")
    container.run("xgboost")
    assert container.failure == "Missing required channel: train; there are: none"

    (container.root / "output/failure").unlink()
    container.config("inputdataconfig.json", {"train": {"ContentType": CSV}})
    container.run("xgboost")
    assert container.failure.startswith("No data in the train channel")


def test_an_interpreter_without_the_packages_is_told_to_install_them(abalone: Any, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = tmp_path / "bare/bin/python"
    abalone.hyperparameters(num_round="1")

    assert abalone.run("xgboost", python=python).returncode == 1
    assert f"{python} has no package" in abalone.failure
    assert "pip install 'sagelocal[xgboost]'" in abalone.failure
    assert "[images]" in abalone.failure


def test_of_several_hosts_the_first_trains_unless_each_has_only_a_part(abalone: Any) -> None:
    abalone.hyperparameters(num_round="1")
    abalone.config("resourceconfig.json", {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    assert abalone.run("xgboost").returncode == 0
    assert not (abalone.root / "model").exists()

    sharded = {"ContentType": CSV, "S3DistributionType": "ShardedByS3Key"}
    abalone.config("inputdataconfig.json", {"train": sharded})
    assert abalone.run("xgboost").returncode == 1
    assert "set InstanceCount to 1" in abalone.failure


@pytest.mark.parametrize("saved", ["true", "false"])
def test_a_stopped_training_ends_after_its_round_and_keeps_its_model_if_asked(
    abalone: Any, saved: str
) -> None:
    abalone.hyperparameters(num_round="1000000", save_model_on_termination=saved)
    with subprocess.Popen(
        abalone.command("xgboost"), env=abalone.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("[0]"):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait() == 0

    assert (abalone.root / "model/xgboost-model").exists() == (saved == "true")
