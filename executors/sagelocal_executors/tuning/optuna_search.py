"""Bayesian and Hyperband search, by optuna.

TPE, not a Gaussian process: it takes categories as they are and parallel trials (by a constant liar), and needs numpy alone,
where optuna's Gaussian process needs PyTorch. Everything numeric is sampled in the unit interval and mapped by its range.
Each proposal has a sampler of its own, seeded by the index, so that it depends on the results so far alone and a killed
search goes on as it would have.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sagelocal_executors.faults import client_error
from sagelocal_executors.tuning.ranges import Categorical, Range, Values

if TYPE_CHECKING:
    import optuna

_REDUCTION = 3
"""Of Hyperband: of so many trials, one goes on (Li et al. recommend 3 or 4; optuna's own default)."""
_FEWEST_AT_RANDOM, _MOST_AT_RANDOM, _SHARE_AT_RANDOM = 3, 10, 4


class OptunaSearch:
    """Learns from the trials so far.

    Args:
        name: of the study; Hyperband's brackets are drawn from it.
        ranges: what is tuned.
        seed: what every choice is derived from.
        maximize: whether a higher objective is better.
        jobs: how many trials are planned: a quarter of them, 3 to 10, is drawn at random.
        resources: Hyperband's MinResource and MaxResource; None lets every trial run to its end.

    Raises:
        JobError: optuna is not installed.
    """

    def __init__(
        self,
        name: str,
        ranges: Sequence[Range],
        seed: str,
        *,
        maximize: bool,
        jobs: int,
        resources: tuple[int, int] | None = None,
    ) -> None:
        self._optuna: Any = _quiet(name)
        self._ranges = ranges
        self._seed = seed
        self._at_random = max(_FEWEST_AT_RANDOM, min(_MOST_AT_RANDOM, jobs // _SHARE_AT_RANDOM))
        self._resources = resources
        self._trials: dict[int, optuna.Trial] = {}
        self._steps: Counter[int] = Counter()
        self._space = {each.name: self._distribution(each) for each in ranges}
        self._study: optuna.Study = self._optuna.create_study(
            study_name=name, direction="maximize" if maximize else "minimize", pruner=self._pruner()
        )

    def ask(self, index: int) -> Values:
        trial = self._next(index)
        return {each.name: _text(each, trial.params[each.name]) for each in self._ranges}

    def again(self, index: int, values: Values) -> None:
        self._study.enqueue_trial(self._places(values) or {})
        self._next(index)

    def learn(self, values: Values, objective: float) -> None:
        places = self._places(values)
        if places is not None:
            self._study.add_trial(
                self._optuna.trial.create_trial(params=places, distributions=self._space, value=objective)
            )

    def report(self, index: int, value: float) -> bool:
        trial = self._trials[index]
        self._steps[index] += 1
        step = self._steps[index]
        trial.report(value, step)
        if self._resources is None:
            return False
        last = self._resources[1]
        # At MaxResource a job ends by itself; to stop it there would cost the model that it is about to save.
        return step > last or (step < last and trial.should_prune())

    def tell(self, index: int, objective: float | None, *, stopped: bool) -> None:
        states = self._optuna.trial.TrialState
        trial = self._trials[index]
        if objective is None:
            self._study.tell(trial, state=states.FAIL)
        elif stopped:
            self._study.tell(trial, state=states.PRUNED)
        else:
            self._study.tell(trial, objective)

    def _next(self, index: int) -> optuna.Trial:
        with _calm():
            self._study.sampler = self._optuna.samplers.TPESampler(
                seed=_number(f"{self._seed}/{index}"),
                n_startup_trials=self._at_random,
                multivariate=True,
                constant_liar=True,
            )
            trial = self._trials[index] = self._study.ask(fixed_distributions=self._space)
        return trial

    def _pruner(self) -> Any:
        if self._resources is None:
            return self._optuna.pruners.NopPruner()
        low, high = self._resources
        return self._optuna.pruners.HyperbandPruner(
            min_resource=low, max_resource=high, reduction_factor=_REDUCTION
        )

    def _distribution(self, each: Range) -> Any:
        distributions = self._optuna.distributions
        if isinstance(each, Categorical):
            return distributions.CategoricalDistribution(list(each.values))
        return distributions.FloatDistribution(0.0, 1.0)

    def _places(self, values: Values) -> dict[str, Any] | None:
        """The point of the study for these hyperparameters; None when one is outside of its range."""
        places = {each.name: _place(each, values.get(each.name)) for each in self._ranges}
        return None if None in places.values() else places


def _text(each: Range, place: Any) -> str:
    return str(place) if isinstance(each, Categorical) else each.at(float(place))


def _place(each: Range, text: str | None) -> str | float | None:
    share = None if text is None else each.share(text)
    return text if isinstance(each, Categorical) and share is not None else share


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4])


def _quiet(name: str) -> ModuleType:
    """Import optuna without the lines that it prints by itself."""
    try:
        # Imported here: it takes longer than all of us, and only two of the four strategies need it.
        import optuna  # noqa: PLC0415 - start-up time, and it need not be installed
    except ImportError:
        raise client_error(
            f"the tuning job {name} needs optuna for its strategy: pip install 'sagelocal[tuning]' "
            "(Random and Grid do without)"
        ) from None
    optuna.logging.disable_default_handler()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def _calm() -> Iterator[None]:
    """Without optuna's warnings that a part of it may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
