"""Rows held back from training, the same ones every time."""

from __future__ import annotations

from typing import Any

import numpy as np

from .question import DataError


def split(truth: Any, fraction: float, seed: int, *, stratified: bool) -> tuple[Any, Any]:
    """The positions of the rows to train on and of the rows to hold back, each ascending.

    Stratified, every class gives its share, rounded, and keeps at least one row to train on. The draw is numpy's
    RandomState, whose numbers are the same in all its versions: candidates in different images see the same split.

    Raises:
        DataError: one of the two parts would be empty.
    """
    draw = np.random.RandomState(seed)
    groups = [np.flatnonzero(truth == label) for label in np.unique(truth)] if stratified else None
    held_back = [_share(draw, group, fraction) for group in groups or [np.arange(len(truth))]]
    chosen = np.sort(np.concatenate(held_back))
    kept = np.setdiff1d(np.arange(len(truth)), chosen)
    if not len(chosen) or not len(kept):
        raise DataError(
            f"{len(truth)} rows are too few to hold {fraction:.0%} of them back: give more, or a validation channel"
        )
    return kept, chosen


def _share(draw: Any, group: Any, fraction: float) -> Any:
    count = min(round(fraction * len(group)), len(group) - 1)
    return draw.permutation(group)[:count]
