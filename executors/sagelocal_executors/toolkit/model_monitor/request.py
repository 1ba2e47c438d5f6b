"""What the job's author asks for: the container's environment variables, parsed once (semantics 08 §8.7)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ml_contract
from ml_contract import JobError

DATA_QUALITY = "DATA_QUALITY"
MODEL_QUALITY = "MODEL_QUALITY"
PROBLEMS = ("Regression", "BinaryClassification", "MulticlassClassification")
FORMATS = {"csv": "csv", "json": "json", "parquet": "parquet", "sagemakercapturejson": "capture"}
"""Lower-cased keys of ``dataset_format`` -> how we call the format."""


@dataclass(frozen=True)
class DatasetFormat:
    """How the records are written.

    Attributes:
        kind: one of the values of `FORMATS`.
        header: CSV only: the first record of each file has the names.
        lines: JSON only: one record a line, rather than one document a file.
        outputs_first: captured data only: the model's output comes before its input (``output_columns_position``).
    """

    kind: str
    header: bool = False
    lines: bool = True
    outputs_first: bool = True


@dataclass(frozen=True)
class Request:
    """One analysis; the attributes of model quality are as the author wrote them, empty when not given."""

    format: DatasetFormat
    source: Path
    output: Path
    analysis: str
    problem: str = ""
    inference: str = ""
    probability: str = ""
    ground_truth: str = ""
    threshold: float = 0.5
    preprocessor: Path | None = None
    postprocessor: Path | None = None
    baseline_statistics: Path | None = None
    baseline_constraints: Path | None = None
    publishes: bool = False


def read(environment: Mapping[str, str]) -> Request:
    """Raises JobError: for a variable that is missing or wrong."""
    analysis = environment.get("analysis_type") or DATA_QUALITY
    if analysis not in {DATA_QUALITY, MODEL_QUALITY}:
        raise JobError(
            f"Environment: analysis_type is {analysis!r}; it can be {DATA_QUALITY} or {MODEL_QUALITY}"
        )
    return Request(
        format=_format(_needed(environment, "dataset_format")),
        source=place(_needed(environment, "dataset_source")),
        output=place(_needed(environment, "output_path")),
        analysis=analysis,
        problem=_problem(environment) if analysis == MODEL_QUALITY else "",
        inference=environment.get("inference_attribute", ""),
        probability=environment.get("probability_attribute", ""),
        ground_truth=environment.get("ground_truth_attribute", ""),
        threshold=_threshold(environment),
        preprocessor=_file(environment, "record_preprocessor_script"),
        postprocessor=_file(environment, "post_analytics_processor_script"),
        baseline_statistics=_file(environment, "baseline_statistics", "statistics.json"),
        baseline_constraints=_file(environment, "baseline_constraints", "constraints.json"),
        publishes=environment.get("publish_cloudwatch_metrics", "").lower() == "enabled",
    )


def place(path: str) -> Path:
    """Where a container's path lies for us: below another root when ``SAGELOCAL_ML_ROOT`` names one."""
    try:
        return ml_contract.ROOT / Path(path).relative_to("/opt/ml")
    except ValueError:
        return Path(path)


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise JobError(f"Environment: {name} is missing; the image needs it to know what to analyze")
    return value


def _file(environment: Mapping[str, str], name: str, inside: str = "") -> Path | None:
    """The file that a variable names; `inside` is what to look for when it names a folder."""
    value = environment.get(name)
    if not value:
        return None
    path = place(value)
    path = path / inside if inside and path.is_dir() else path
    if not path.is_file():
        raise JobError(f"Environment: {name} is {value!r}, but there is no such file in the container")
    return path


def _format(text: str) -> DatasetFormat:
    try:
        content = json.loads(text)
        (name, options) = next(iter(content.items()))
        kind = FORMATS[name.lower()]
        options = {str(key).lower(): value for key, value in (options or {}).items()}
    except (ValueError, AttributeError, StopIteration, KeyError):
        raise JobError(
            f'Environment: dataset_format is {text!r}; it must be JSON like {{"csv": {{"header": true}}}},'
            ' {"json": {"lines": true}}, {"parquet": {}} or {"sagemakerCaptureJson": {}}'
        ) from None
    position = str(options.get("output_columns_position", "START")).upper()
    return DatasetFormat(
        kind,
        header=_truth(options.get("header", False)),
        lines=_truth(options.get("lines", options.get("line", True))),
        outputs_first=position != "END",
    )


def _truth(value: object) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def _problem(environment: Mapping[str, str]) -> str:
    problem = _needed(environment, "problem_type")
    if problem not in PROBLEMS:
        raise JobError(f"Environment: problem_type is {problem!r}; it can be {', '.join(PROBLEMS)}")
    return problem


def _threshold(environment: Mapping[str, str]) -> float:
    text = environment.get("probability_threshold_attribute") or "0.5"
    try:
        return float(text)
    except ValueError:
        raise JobError(
            f"Environment: probability_threshold_attribute is {text!r}, which is not a number"
        ) from None


def from_process() -> Request:
    """The request of the process we are."""
    return read(os.environ)
