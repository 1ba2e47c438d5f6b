"""Which candidates a local search tries, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sagelocal.nearest import listed
from sagelocal.values import Json, JsonObject
from sagelocal_executors.faults import UnsupportedError, rejected

DEFAULT_CANDIDATES = 10
"""How many candidates there are unless MaxCandidates says otherwise; the last one is the ensemble."""
ENSEMBLE = "WeightedEnsemble"
XGBOOST = "xgboost"
_MEMBERS = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate before it is trained.

    Attributes:
        title: for a person, ``randomforest-2`` say; MODEL_NAME of the container that serves it.
        algorithm: as AutoMLAlgorithms names it; empty for an ensemble.
        parameters: of the learner.
        members: the trials that an ensemble consists of.
    """

    title: str
    algorithm: str = ""
    parameters: JsonObject | None = None
    members: tuple[Trial, ...] = ()

    @property
    def boosts(self) -> bool:
        """Whether it needs the XGBoost image."""
        return self.algorithm == XGBOOST or any(member.boosts for member in self.members)

    @property
    def hyperparameters(self) -> dict[str, Json]:
        """What its training job is told of it."""
        if self.members:
            return {"name": self.title, "members": [member.recipe for member in self.members]}
        return {"name": self.title, **self.recipe}

    @property
    def recipe(self) -> dict[str, Json]:
        return {"algorithm": self.algorithm, "parameters": self.parameters or {}}


_RECIPES: tuple[tuple[str, JsonObject], ...] = (
    ("linear-learner", {"regularization": 1.0}),
    (XGBOOST, {"n_estimators": 100, "max_depth": 4, "learning_rate": 0.1}),
    ("randomforest", {"n_estimators": 100}),
    ("extra-trees", {"n_estimators": 100}),
    (XGBOOST, {"n_estimators": 60, "max_depth": 6, "learning_rate": 0.3}),
    ("randomforest", {"n_estimators": 200, "min_samples_leaf": 5}),
    ("linear-learner", {"regularization": 10.0}),
    ("extra-trees", {"n_estimators": 200, "min_samples_leaf": 5}),
    (XGBOOST, {"n_estimators": 200, "max_depth": 3, "learning_rate": 0.05}),
)
"""Unlike learners first, so that few candidates are different ones."""

PLAYED = frozenset(algorithm for algorithm, _ in _RECIPES)
_ENSEMBLING = PLAYED | {"catboost", "fastai", "lightgbm", "nn-torch"}


def trials_of(wanted: Sequence[str], most: int | None) -> tuple[Trial, ...]:
    """The candidates to train one by one: of the wanted algorithms that are played here (none: of all), at most so many.

    From three candidates on, the last place is kept for an ensemble.

    Raises:
        JobError: none of the wanted algorithms is played here, or one is no algorithm of ensembling.
    """
    unknown = sorted(set(wanted) - _ENSEMBLING)
    if unknown:
        raise rejected(
            "CreateAutoMLJob", f"AutoMLAlgorithms: {unknown[0]!r} is not available in ENSEMBLING mode"
        )
    played = PLAYED & set(wanted) if wanted else PLAYED
    if not played:
        raise UnsupportedError(
            f"AutoML: of AutoMLAlgorithms {listed(wanted)} none is played locally; there are {listed(sorted(PLAYED))}"
        )
    count = most or DEFAULT_CANDIDATES
    titled = list(_titled(recipe for recipe in _RECIPES if recipe[0] in played))
    return tuple(titled[: count - 1 if count > 2 else count])


def not_played(wanted: Iterable[str]) -> list[str]:
    """Those of the wanted algorithms that candidates here cannot have."""
    return sorted(set(wanted) - PLAYED)


def _titled(recipes: Iterable[tuple[str, JsonObject]]) -> Iterable[Trial]:
    seen: dict[str, int] = {}
    for algorithm, parameters in recipes:
        seen[algorithm] = seen.get(algorithm, 0) + 1
        yield Trial(f"{algorithm}-{seen[algorithm]}", algorithm, parameters)


def ensemble_of(best_first: Sequence[Trial], most: int | None) -> Trial | None:
    """The ensemble of the best candidates; None when fewer than two succeeded, or there is no place for one."""
    if len(best_first) < 2 or (most is not None and most < 3):
        return None
    return Trial(ENSEMBLE, members=tuple(best_first[:_MEMBERS]))
