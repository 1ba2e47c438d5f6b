"""What it costs to hold a large data set against a baseline, as the image of QualityCheck steps does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tests.benchmarks.measure import Row

import sagelocal_executors

TOOLKIT = Path(sagelocal_executors.__file__).parent / "toolkit" / "main.py"
ROWS = 5_000_000
_PIECE = 250_000
_FLOOR = """
import sys, polars
names = polars.read_csv(sys.argv[1], n_rows=1).columns
frames = polars.scan_csv(sys.argv[1], schema=dict.fromkeys(names, polars.String)).collect_batches()
assert sum(frame.height for frame in frames)
"""


@dataclass(frozen=True)
class Run:
    """One process, from its start to its end."""

    seconds: float
    gib: float


def write_csv(path: Path, rows: int, *, drift: float = 0.0) -> None:
    """Twenty columns: five of whole numbers, nine of fractions (one with gaps), six of text (one of them unique)."""
    random = np.random.default_rng(17)
    with path.open("wb") as file:
        for start in range(0, rows, _PIECE):
            count = min(_PIECE, rows - start)
            _frame(random, start, count, drift).write_csv(file, include_header=start == 0, float_precision=4)


def _frame(random: np.random.Generator, start: int, count: int, drift: float) -> pl.DataFrame:
    whole = {f"whole_{index}": random.integers(0, 10 ** (index + 1), count) for index in range(5)}
    parts = {f"part_{index}": random.normal(index + drift, 1 + index, count) for index in range(8)}
    gaps = pl.Series(random.random(count)).set(pl.Series(random.random(count) < 0.1), None)
    texts = {f"text_{index}": _texts(random, 3 * 10**index, count) for index in range(4)}
    flags = pl.Series(["true", "false"]).gather(random.integers(0, 2, count))
    keys = pl.Series(range(start, start + count)).cast(pl.String)
    return pl.DataFrame({**whole, **parts, "gaps": gaps, **texts, "flag": flags, "key": "id-" + keys})


def _texts(random: np.random.Generator, distinct: int, count: int) -> pl.Series:
    return pl.Series([f"value-{index}" for index in range(distinct)]).gather(
        random.integers(0, distinct, count)
    )


def analyze(root: Path, **variables: str) -> Run:
    """Play the image on what lies in its input folder."""
    environment = {
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Disabled",
        "dataset_format": json.dumps({"csv": {"header": True, "output_columns_position": "START"}}),
        "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
        "SAGELOCAL_ML_ROOT": str(root),
        **variables,
    }
    return _measured([sys.executable, str(TOOLKIT), "model-monitor", "process"], environment)


def _measured(command: list[str], environment: dict[str, str]) -> Run:
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        if status:
            log.seek(0)
            message = f"{' '.join(command)}: {log.read().decode(errors='replace')[-500:]}"
            raise RuntimeError(message)
    return Run(seconds, usage.ru_maxrss * 1024 / 2**30)


def _data_quality(root: Path, rows: int) -> tuple[Run, Run, int]:
    """The check of drifted data against a baseline, reading the same file, and the violations found."""
    data = root / "processing/input/baseline_dataset_input/data.csv"
    data.parent.mkdir(parents=True)
    write_csv(data, rows)
    analyze(root)
    output = root / "processing/output"
    baseline = root / "processing/baseline"
    output.rename(baseline)
    write_csv(data, rows, drift=0.3)
    floor = _measured([sys.executable, "-c", _FLOOR, str(data)], {})
    ours = analyze(
        root,
        baseline_statistics="/opt/ml/processing/baseline/statistics.json",
        baseline_constraints="/opt/ml/processing/baseline/constraints.json",
    )
    report = json.loads((output / "constraint_violations.json").read_text(encoding="utf-8"))
    return ours, floor, len(report["violations"])


async def data_quality(rows: int = ROWS) -> AsyncIterator[Row]:
    """Data quality with a baseline, against reading the same file by the same library."""
    with tempfile.TemporaryDirectory() as folder:
        ours, floor, violations = await asyncio.to_thread(_data_quality, Path(folder), rows)
    what = f"data quality of {rows:,} rows of 20 columns, with a baseline"
    yield Row(
        what,
        ours.seconds,
        unit="s",
        floor=floor.seconds,
        promise="≤ 60 s",
        kept=ours.seconds <= 60,
        note=f"floor: reading the CSV; {violations} violations found",
    )
    yield Row(
        "memory of that",
        ours.gib,
        unit="GiB",
        floor=floor.gib,
        promise="≤ 4 GiB",
        kept=ours.gib <= 4,
    )
