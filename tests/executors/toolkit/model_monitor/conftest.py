"""The model monitor's program, run on a folder that stands for a container's."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import sagelocal_executors

TOOLKIT = Path(sagelocal_executors.__file__).parent / "toolkit"
CSV = {"csv": {"header": True, "output_columns_position": "START"}}
Document = dict[str, Any]


class Monitor:
    """Writes data, runs an analysis of it in this process, reads the reports."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.source = root / "processing/input/baseline_dataset_input"
        self.output = root / "processing/output"
        self._monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(TOOLKIT)
        monkeypatch.setattr(importlib.import_module("ml_contract"), "OUTPUT", root / "output")
        monkeypatch.setattr(importlib.import_module("ml_contract"), "ROOT", root)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def json_lines(self, records: Sequence[object], name: str = "data.jsonl") -> Path:
        return self.write(name, "".join(json.dumps(record) + "\n" for record in records))

    def script(self, name: str, text: str) -> str:
        path = self.root / "processing/input/code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return f"/opt/ml/processing/input/code/{name}"

    def run(self, form: Mapping[str, object] = CSV, /, **variables: str) -> dict[str, Document]:
        """The reports by the names of their files, without `.json`."""
        environment = {
            "output_path": "/opt/ml/processing/output",
            "publish_cloudwatch_metrics": "Disabled",
            "dataset_format": json.dumps(form),
            "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
            **variables,
        }
        with self._monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            assert importlib.import_module("model_monitor").main() == 0
        return {path.stem: json.loads(path.read_text()) for path in self.output.glob("*.json")}

    def refusal(self, form: Mapping[str, object] = CSV, /, **variables: str) -> str:
        """What it says when it cannot do as told."""
        with pytest.raises(importlib.import_module("ml_contract").JobError) as refused:
            self.run(form, **variables)
        return str(refused.value).replace(f"{self.source}/", "")

    def baseline(self, reports: Mapping[str, Document], **changes: object) -> dict[str, str]:
        """Reports as a later run's baseline; `changes` replace members of the constraints."""
        folder = self.root / "processing/baseline"
        documents = {
            "statistics": reports["statistics"],
            "constraints": {**reports["constraints"], **changes},
        }
        for name, document in documents.items():
            path = folder / name / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))
        return {
            "baseline_statistics": "/opt/ml/processing/baseline/statistics/statistics.json",
            "baseline_constraints": "/opt/ml/processing/baseline/constraints",
        }


@pytest.fixture(name="monitor")
def _monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    pytest.importorskip("polars")
    return Monitor(tmp_path / "ml", monkeypatch)
