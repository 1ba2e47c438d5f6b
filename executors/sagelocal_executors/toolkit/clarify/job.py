"""One analysis from beginning to end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml_contract import OUTPUT, JobError

from clarify import places, predicted, report
from clarify.bias import BiasAnalysis
from clarify.config import Config, parse, unused
from clarify.dataset import Dataset, load
from clarify.dependence import dependences
from clarify.drift import read_baseline, violations
from clarify.explanations import explain
from clarify.model import Model
from clarify.report import Results
from clarify.wording import listed

_MESSAGE_BYTES = 1024  # DescribeProcessingJob: ExitMessage


def main() -> int:
    """Do what the analysis configuration asks for; a failure is left as the job's exit message, too.

    Raises:
        JobError: the configuration, the data or the model does not allow it.
    """
    if not places.is_leader():
        print("the analysis runs on the first instance, which has all the data", flush=True)
        return 0
    try:
        _analyse()
    except JobError as error:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        text = str(error).encode()[:_MESSAGE_BYTES].decode(errors="ignore")
        (OUTPUT / "message").write_text(text, encoding="utf-8")
        raise
    return 0


def _analyse() -> None:
    config = parse(places.analysis_config())
    for key in unused(config):
        print(f"note: {key} has no effect here", flush=True)
    baseline = _baseline()
    dataset = load(config)
    folder = places.output_folder()
    with _model(config) as model:
        results = _results(config, dataset, model, folder)
    _write_json(folder / "analysis.json", results.json())
    if baseline is not None:
        results.violations = violations(baseline, results.sections, results.explained)
        _write_json(
            folder / "constraint_violations.json", {"version": "1.0", "violations": results.violations}
        )
    report.write(results, config.report, folder)
    _say_end(results)


def _baseline() -> Mapping[str, Any] | None:
    """The results of an earlier run, where this one is compared with one."""
    path = os.environ.get("baseline_constraints")  # noqa: SIM112 - the contract of Model Monitor's containers
    return read_baseline(Path(path)) if path else None


@contextmanager
def _model(config: Config) -> Iterator[Model | None]:
    """The model, if anything has to be asked of it."""
    needed = (
        config.shap
        or config.pdp
        or (config.bias and config.bias.post_training and not config.labels_are_given)
    )
    if not needed or config.predictor is None:
        yield None
        return
    model = Model(config.predictor)
    try:
        yield model
    finally:
        model.close()


def _results(config: Config, dataset: Dataset, model: Model | None, folder: Path) -> Results:
    if model and not dataset.features:
        raise JobError(
            f"No column of the dataset is left for the model; it has {listed(dataset.frame.columns)}"
        )
    results = Results(dataset.frame.height)
    if config.bias:
        _measure_bias(config, dataset, model, results)
    if config.shap and model:
        results.explained = explain(config, config.shap, dataset, model, folder)
    if config.pdp and model:
        results.dependences = dependences(config, config.pdp, dataset, model, results.explained)
    return results


def _measure_bias(config: Config, dataset: Dataset, model: Model | None, results: Results) -> None:
    assert config.bias is not None, "the caller has looked"
    analysis = BiasAnalysis(config.bias, dataset)
    if config.bias.pre_training:
        results.sections.append(analysis.pre_training())
    if config.bias.post_training:
        positive = (
            predicted.asked(model, dataset, config, analysis.positive)
            if model and not config.labels_are_given
            else predicted.given(dataset, analysis.positive)
        )
        results.sections.append(analysis.post_training(positive))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    try:
        text = json.dumps(content, indent=4, allow_nan=False)
    except ValueError:
        raise JobError(
            f"{path.name} would have an infinite number: the model's scores are too large"
        ) from None
    path.write_text(f"{text}\n", encoding="utf-8")


def _say_end(results: Results) -> None:
    found = [f"{len(section.measured)} groups in {section.name}" for section in results.sections]
    if results.explained is not None:
        found.append(f"explanations of {', '.join(results.explained.labels)}")
    if results.dependences:
        found.append(f"{len(results.dependences)} partial dependences")
    if results.violations is not None:
        found.append(f"{len(results.violations)} violations of the baseline")
    print(f"done: {'; '.join(found)}", flush=True)
