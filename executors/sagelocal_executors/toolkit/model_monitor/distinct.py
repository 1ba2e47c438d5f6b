"""How many distinct values a stream has, in bounded memory (Bar-Yossef et al.: Counting Distinct Elements in a Data Stream)."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

EXACT = 2**20
"""Up to so many distinct values the count is exact; beyond, it is estimated with a standard error of 1 / sqrt(EXACT)."""

Hashes = NDArray[np.uint64]


class DistinctCount:
    """Keeps the smallest hashes: how densely they lie tells how many there are."""

    def __init__(self, exact: int = EXACT) -> None:
        self._exact = exact
        self._kept: Hashes = np.empty(0, np.uint64)
        self._fresh: list[Hashes] = []
        self._estimated = False

    def add(self, values: pl.Series) -> None:
        hashes = values.hash().unique()
        if self._estimated:
            hashes = hashes.filter(hashes < self._kept[-1])
        self._fresh.append(hashes.to_numpy())
        # Folding is a sort of everything kept, so only when that much has come together.
        if sum(map(len, self._fresh)) >= self._exact:
            self._fold()

    def _fold(self) -> None:
        kept = np.unique(np.concatenate([self._kept, *self._fresh]))
        self._estimated = self._estimated or len(kept) > self._exact
        self._kept, self._fresh = kept[: self._exact], []

    def count(self) -> float:
        self._fold()
        if not self._estimated:
            return float(len(self._kept))
        return float(round((len(self._kept) - 1) * 2.0**64 / float(self._kept[-1])))
