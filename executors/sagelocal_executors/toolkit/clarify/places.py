"""Where the job finds its configuration and data, and where its results go (AWS: Configure a SageMaker Clarify Processing Job)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ml_contract import ROOT, JobError

from clarify.wording import listed

_FILE = "analysis_config.json"
_DEFAULTS = {
    "analysis_config": "/opt/ml/processing/input/config",
    "dataset": "/opt/ml/processing/input/data",
    "analysis_result": "/opt/ml/processing/output",
}
"""The names that the inputs and the output must have, and where the SDK puts them."""


def analysis_config() -> dict[str, Any]:
    """The analysis configuration, wherever its input says that it lies.

    Raises:
        JobError: there is none, or it is no JSON object.
    """
    path = _config_file(_local("analysis_config"))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise JobError(f"The analysis configuration {path.name} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise JobError(f"The analysis configuration {path.name} must be a JSON object")
    return content


def _config_file(folder: Path) -> Path:
    there = data_files(folder)
    named = [path for path in there if path.name == _FILE]
    if not named and len(there) != 1:
        raise JobError(
            f"No analysis configuration: the input analysis_config must bring {_FILE} to {folder},"
            f" where there is {listed(path.name for path in there)}"
        )
    return (named or there)[0]


def dataset_files() -> list[Path]:
    return data_files(_local("dataset"))


def output_folder() -> Path:
    folder = _local("analysis_result")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def data_files(folder: Path) -> list[Path]:
    """Files at any depth; names that begin with a dot or underscore are marks of other tools, not data."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] not in "._")


def is_leader() -> bool:
    """Whether this is the instance that does the work: every one has all the data, and one answer is enough."""
    resources = _read("resourceconfig.json")
    hosts = resources.get("hosts") or [None]
    return bool(resources.get("current_host", hosts[0]) == hosts[0])


def _local(name: str) -> Path:
    """Where an input or the output lies: as the job's request says, else where the SDK puts it."""
    said = dict(_said(_read("processingjobconfig.json")))
    inside = PurePosixPath(said.get(name, _DEFAULTS[name]))
    return ROOT / inside.relative_to("/opt/ml") if inside.is_relative_to("/opt/ml") else Path(inside)


def _said(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in request.get("ProcessingInputs") or ():
        source = item.get("S3Input") or item.get("DatasetDefinition") or {}
        if source.get("LocalPath"):
            yield item["InputName"], source["LocalPath"]
    outputs = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    for output in outputs:
        path = (output.get("S3Output") or {}).get("LocalPath")
        if path and (len(outputs) == 1 or output.get("OutputName") == "analysis_result"):
            yield "analysis_result", path


def _read(name: str) -> dict[str, Any]:
    path = ROOT / "config" / name
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
