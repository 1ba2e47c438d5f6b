"""What the image sagemaker-clarify-processing does: measure bias, explain predictions, compare both with a baseline."""

from __future__ import annotations

from ml_contract import missing_package

try:
    import numpy  # noqa: F401 - asked for first, so that a missing package is one sentence instead of a traceback
    import polars  # noqa: F401 - likewise
except ImportError as error:
    raise missing_package(error.name or "polars", "checks") from None

from clarify.job import main

__all__ = ["main"]
