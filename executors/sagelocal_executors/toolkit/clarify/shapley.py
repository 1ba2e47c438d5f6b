"""Shapley values by the weighted least squares of Kernel SHAP (Lundberg and Lee 2017, theorem 2).

Not by the library ``shap``, whose kernel explainer gives the same values: one choice of coalitions serves all records
here, so that their rows fill whole requests and one matrix solves them all, repeatably and without a second of imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Coalitions:
    """Which features a coalition has: one row each, none of them empty or full, with the weights of the kernel."""

    members: Mask
    weights: Numbers
    exact: bool


def default_samples(features: int) -> int:
    """How many coalitions are enough where nobody says: the rule of the library ``shap``."""
    return 2 * features + 2048


def coalitions(features: int, samples: int, seed: int) -> Coalitions:
    """All coalitions where there are no more than `samples`; else the heaviest ones and a random choice of the rest.

    Sizes are taken from the outside in, as small and large coalitions weigh most. Random coalitions come with their
    complements, which halves the variance.
    """
    kernel = {size: (features - 1) / (size * (features - size)) for size in range(1, features)}
    chosen: dict[tuple[int, ...], float] = {}
    rest = dict(kernel)
    for size in range(1, features // 2 + 1):
        pair = {size, features - size}
        if len(chosen) + sum(comb(features, each) for each in pair) > samples:
            break
        for each in pair:
            weight = rest.pop(each) / comb(features, each)
            chosen.update(dict.fromkeys(combinations(range(features), each), weight))
    if rest:
        chosen.update(_sampled(features, rest, max(samples - len(chosen), 2), seed))
    members = np.zeros((len(chosen), features), dtype=bool)
    for row, coalition in enumerate(chosen):
        members[row, list(coalition)] = True
    return Coalitions(members, np.array(list(chosen.values())), not rest)


def _sampled(
    features: int, kernel: dict[int, float], samples: int, seed: int
) -> dict[tuple[int, ...], float]:
    """Distinct coalitions of the given sizes, which share these sizes' weight by how often they were drawn."""
    drawn: dict[tuple[int, ...], int] = {}
    for coalition in _draws(features, kernel, 4 * samples, seed):
        if coalition not in drawn and len(drawn) >= samples - 1:
            break
        for each in (coalition, tuple(sorted(set(range(features)) - set(coalition)))):
            drawn[each] = drawn.get(each, 0) + 1
    share = sum(kernel.values()) / sum(drawn.values())
    return {coalition: times * share for coalition, times in drawn.items()}


def _draws(features: int, kernel: dict[int, float], most: int, seed: int) -> Iterator[tuple[int, ...]]:
    random = np.random.default_rng(seed)
    weights = np.array(list(kernel.values()))
    for size in random.choice(list(kernel), size=most, p=weights / weights.sum()):
        yield tuple(sorted(random.choice(features, size=size, replace=False).tolist()))


def attributions(chosen: Coalitions, values: Numbers, empty: Numbers, full: Numbers) -> Numbers:
    """What each feature adds to the prediction of each record.

    Args:
        chosen: the coalitions.
        values: of each record (axis 0) with only the features of each coalition (axis 1), for each output (axis 2).
        empty: without any feature, for each output.
        full: of each record, for each output.

    Returns:
        For each record and output (axes 0 and 1) one number for each feature (axis 2); they add up to full - empty.
    """
    gain = full - empty
    if chosen.members.shape[1] == 1:
        return gain[:, :, None]
    # The sum is known, so the last feature's share is what the others leave.
    last = chosen.members[:, -1].astype(float)
    others = chosen.members[:, :-1] - last[:, None]
    roots = np.sqrt(chosen.weights)
    solver = np.linalg.pinv(others * roots[:, None]) * roots
    rest = np.moveaxis(values - empty, 1, 2) - gain[:, :, None] * last
    solved = rest @ solver.T
    return np.concatenate([solved, gain[:, :, None] - solved.sum(axis=2, keepdims=True)], axis=2)
