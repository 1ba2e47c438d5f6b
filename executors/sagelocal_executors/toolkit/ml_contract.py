"""Where a SageMaker container looks for things, and how it says that it failed (semantics 08 §8.1, §8.2)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(os.environ.get("SAGELOCAL_ML_ROOT", "/opt/ml"))
CODE = ROOT / "code"
MODEL = ROOT / "model"
INPUT = ROOT / "input"
CONFIG = INPUT / "config"
DATA = INPUT / "data"
OUTPUT = ROOT / "output"
OUTPUT_DATA = OUTPUT / "data"
OUTPUT_INTERMEDIATE = OUTPUT / "intermediate"
FAILURE = OUTPUT / "failure"


class JobError(Exception):
    """The job cannot go on; the text is for the person who wrote it, and becomes the job's FailureReason."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def read_config(name: str) -> dict[str, Any]:
    """One of the JSON objects in ``/opt/ml/input/config``; empty when the file is not there."""
    path = CONFIG / name
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise JobError(f"{path} holds no JSON object")
    return content


def fail(error: JobError) -> NoReturn:
    """Write the failure file, say it in the log, and end.

    A file that the job's own program wrote is left alone: it knows better why it failed.
    """
    print(error, file=sys.stderr, flush=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    if not FAILURE.exists():
        FAILURE.write_text(str(error), encoding="utf-8")
    sys.exit(error.code)


def missing_package(package: str, extra: str) -> JobError:
    """What to say when the interpreter lacks a package that the image family brings along."""
    return JobError(
        f"{sys.executable} has no package {package!r}, which this image brings along. Install it there"
        f" (pip install 'sagelocal[{extra}]'), or name an interpreter that has it: in sagelocal.toml,"
        f' [images] "<pattern of the ImageUri>" = {{ python = "path/to/python" }}'
    )
