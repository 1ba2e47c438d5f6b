"""One job of a local search: looks at the data, trains a candidate, or reports on the best one."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from . import ensemble, importance, insights
from .algorithms import fitted
from .features import look_at
from .inspection import inspected
from .model import FILE, Model, load
from .question import DataError, Question, question_of
from .rows import Parts, bring
from .scores import measured

_INFERENCE = "from candidate.serving import input_fn, model_fn, output_fn, predict_fn\n"


def main() -> None:
    """Do what the hyperparameter `task` says; what is wrong with the data becomes the job's FailureReason."""
    parameters = json.loads(os.environ["SM_HPS"])
    folders = Folders()
    try:
        TASKS[parameters["task"]](parameters, question_of(parameters), folders)
    except DataError as error:
        (folders.output / "failure").write_text(str(error), encoding="utf-8")
        sys.exit(str(error))


class Folders:
    """Where the job finds its data and leaves its results, by the variables of script mode."""

    def __init__(self) -> None:
        self.output = Path(os.environ["SM_OUTPUT_DIR"])
        self.data = Path(os.environ["SM_INPUT_DIR"]) / "data"
        self.results = Path(os.environ["SM_OUTPUT_DATA_DIR"])
        self.model = Path(os.environ["SM_MODEL_DIR"])

    def write(self, name: str, content: dict[str, Any]) -> None:
        (self.results / name).write_text(json.dumps(content, indent=2), encoding="utf-8")


def inspect(_parameters: dict[str, Any], question: Question, folders: Folders) -> None:
    facts = inspected(question, folders.data)
    _say(f"{facts['problem_type']}: {facts['reason']}")
    for name, reason in facts["dropped"].items():
        _say(f"column {name!r} is left out: it {reason}")
    folders.write("inspection.json", facts)


def train(parameters: dict[str, Any], question: Question, folders: Folders) -> None:
    """Train one candidate, and print every metric of the rows held back as ``<name>=<value>``."""
    parts = bring(question, folders.data)
    model = _model(parameters, question, parts)
    model.save(folders.model)
    _add_code(folders.model / "code")
    rows = parts.validation
    for name, value in measured(question.problem, rows.truth, model.scores(rows.frame), rows.weights).items():
        _say(f"{name}={value!r}")


def _model(parameters: dict[str, Any], question: Question, parts: Parts) -> Model:
    rows, schema = parts.training, look_at(parts.training.frame)
    members = parameters.get("members")
    if members:
        chosen = ensemble.members_of(members, question, schema, rows)
    else:
        only = fitted(parameters["algorithm"], parameters["parameters"], question, schema, rows)
        chosen = ((1.0, only),)
    return Model(parameters["name"], question.problem, parts.classes, schema, chosen)


def _add_code(folder: Path) -> None:
    """Put what serves the model beside it."""
    ours = Path(__file__).parent
    shutil.copytree(ours, folder / "candidate", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "inference.py").write_text(_INFERENCE, encoding="utf-8")


def report(_parameters: dict[str, Any], question: Question, folders: Folders) -> None:
    """Write the two reports on the model that the channel `model` holds."""
    with tempfile.TemporaryDirectory() as folder:
        model = _unpacked(folders.data / "model" / "model.tar.gz", Path(folder))
    rows = bring(question, folders.data).validation
    folders.write("statistics.json", insights.statistics(model, rows, question.seed))
    folders.write("analysis.json", importance.analysis(model, question, rows))


def _unpacked(archive: Path, folder: Path) -> Model:
    with tarfile.open(archive) as tar:
        packed = tar.extractfile(FILE)
        assert packed is not None
        (folder / FILE).write_bytes(packed.read())
    return load(folder)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


TASKS = {"inspect": inspect, "train": train, "report": report}
