"""How the hyperparameters of the next trial are chosen, one search per definition."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from sagelocal_executors.tuning.ranges import Categorical, Range, Values


class Search(Protocol):
    """What chooses; trials are known by their index, from 0, among those of the definition."""

    def ask(self, index: int) -> Values:
        """The hyperparameters of a new trial; indices come in order."""

    def again(self, index: int, values: Values) -> None:
        """Take in a trial that was asked for before this run; in the place of `ask`."""

    def learn(self, values: Values, objective: float) -> None:
        """Take in what a parent of a warm start has found, before anything is asked."""

    def report(self, index: int, value: float) -> bool:
        """Take in an intermediate value of the objective; whether the trial should be stopped now."""

    def tell(self, index: int, objective: float | None, *, stopped: bool) -> None:
        """Take in the end of a trial; `stopped` when it was stopped because of what `report` has said."""


class _Unmoved:
    """A search that chooses without regard to results."""

    def again(self, index: int, values: Values) -> None: ...

    def learn(self, values: Values, objective: float) -> None: ...

    def report(self, index: int, value: float) -> bool:  # noqa: ARG002 - the protocol's names
        return False

    def tell(self, index: int, objective: float | None, *, stopped: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class RandomSearch(_Unmoved):
    """Each trial a point of its own, which depends on nothing but the seed and the index."""

    ranges: Sequence[Range]
    seed: str

    def ask(self, index: int) -> Values:
        draw = random.Random(f"{self.seed}/{index}")  # noqa: S311 - nobody has to guess it
        return {each.name: each.at(draw.random()) for each in self.ranges}


@dataclass(frozen=True, slots=True)
class GridSearch(_Unmoved):
    """Every combination of the categories, in the order of an odometer."""

    ranges: Sequence[Categorical]

    def __len__(self) -> int:
        return prod(len(each.values) for each in self.ranges)

    def ask(self, index: int) -> Values:
        values: dict[str, str] = {}
        for each in reversed(self.ranges):
            index, place = divmod(index, len(each.values))
            values[each.name] = each.values[place]
        return {each.name: values[each.name] for each in self.ranges}
