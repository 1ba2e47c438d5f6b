"""How good a regression's predictions are."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def metrics(truth: Floats, predicted: Floats) -> dict[str, float]:
    errors = truth - predicted
    mse = float(np.mean(errors**2))
    spread = float(np.mean((truth - truth.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(errors))),
        "mse": mse,
        "rmse": sqrt(mse),
        "r2": 1 - mse / spread if spread else nan,
    }
