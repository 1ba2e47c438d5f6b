"""The course of a tuning job: what has happened, and what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import ceil

from sagelocal_executors.tuning.criteria import Progress, completion, falls_behind, progress
from sagelocal_executors.tuning.optuna_search import OptunaSearch
from sagelocal_executors.tuning.plan import Definition, TuningPlan
from sagelocal_executors.tuning.ranges import Categorical
from sagelocal_executors.tuning.search import GridSearch, RandomSearch, Search
from sagelocal_executors.tuning.trials import COMPLETED, STOPPED, Trial, best, ranked, trial_name
from sagelocal_executors.tuning.warm_start import Parent, lessons

GIVE_UP_AFTER = 5
"""Training jobs without an objective, none with one, after which no more are started: what the service is seen to do."""
_LOOK = "Please take a look at the training job failures to get more details."


def search_of(plan: TuningPlan, definition: Definition, *, stubbed: bool = False) -> Search:
    """What chooses the hyperparameters of a definition's trials; a stubbed step learns nothing from its trials.

    Raises:
        JobError: the strategy needs optuna, which is not installed.
    """
    seed = f"{plan.seed}/{definition.name}"
    match plan.strategy:
        case "Grid":
            return GridSearch([each for each in definition.ranges if isinstance(each, Categorical)])
        case "Bayesian" | "Hyperband" if not stubbed:
            return OptunaSearch(
                f"{plan.name}/{definition.name}",
                definition.ranges,
                seed,
                maximize=plan.maximize,
                jobs=ceil(plan.jobs / len(plan.definitions)),
                resources=definition.resources if plan.strategy == "Hyperband" else None,
            )
        case _:
            return RandomSearch(definition.ranges, seed)


class Course:
    """Decides which trial comes next, which is stopped early and when it is enough; runs nothing itself.

    Args:
        plan: what to do.
        parents: tuning jobs to learn from.
        before: the trials of an earlier run of the same tuning job: the ended are kept, the others come again.
        stubbed: whether the step is played by a stub, whose numbers mean nothing.

    Raises:
        JobError: the strategy needs optuna, which is not installed.
    """

    def __init__(
        self,
        plan: TuningPlan,
        parents: Iterable[Parent] = (),
        before: Sequence[Trial] = (),
        *,
        stubbed: bool = False,
    ) -> None:
        self.plan = plan
        self.trials: list[Trial] = []
        self.closed: str | None = None
        self._stubbed = stubbed
        self._again: deque[Trial] = deque()
        self._searches = [search_of(plan, each, stubbed=stubbed) for each in plan.definitions]
        self._learn(tuple(parents))
        self._remember(before)

    def next(self) -> Trial | None:
        """The trial to start now; None when none is."""
        if self.closed or self.hopeless:
            return None
        if self._again:
            return self._again.popleft()
        if len(self.trials) >= self.plan.jobs:
            return None
        number = len(self.trials) + 1
        definition, index = self._place(number)
        values = self._searches[definition].ask(index)
        trial = Trial(trial_name(self.plan.name, number), number, definition, values)
        self.trials.append(trial)
        return trial

    def value(self, trial: Trial, value: float) -> str:
        """Take in a value of the objective that a running trial has printed; why to stop it now, empty to let it run."""
        trial.curve.append(value)
        definition, index = self._place(trial.number)
        epoch = len(trial.curve)
        if self._searches[definition].report(index, value):
            return _by_hyperband(value, epoch, self.plan.definitions[definition].resources[1])
        if self._stubbed or not self.plan.early_stopping:
            return ""
        earlier = [
            other.curve
            for other in self.trials
            if other.objective is not None and other.definition == definition
        ]
        behind = falls_behind(trial.curve, earlier, maximize=self.plan.maximize)
        return f"early stopping: {value:g} at epoch {epoch} is worse than the median so far" if behind else ""

    def ended(self, trial: Trial) -> None:
        """Take in the end of a trial."""
        self._tell(trial)
        if self.closed is None:
            self.closed = completion(
                self.plan.request.config.tuning_job_completion_criteria,
                self.progress,
                maximize=self.plan.maximize,
                until_convergence=self.plan.until_convergence,
            )

    def close(self, reason: str) -> None:
        """Start no more trials."""
        self.closed = self.closed or reason

    @property
    def over(self) -> list[Trial]:
        """The trials that have ended, without those that were stopped with the tuning job."""
        return [trial for trial in self.trials if trial.ended and not trial.abandoned]

    @property
    def ranked(self) -> list[Trial]:
        """All trials, best first."""
        return ranked(self.trials, maximize=self.plan.maximize)

    @property
    def best(self) -> Trial | None:
        return best(self.trials, maximize=self.plan.maximize)

    @property
    def progress(self) -> Progress:
        ended = sorted(
            (trial for trial in self.over if trial.objective is not None),
            key=lambda trial: (trial.end_time, trial.number),
        )
        return progress(
            ((trial.objective, trial.end_time) for trial in ended if trial.objective is not None),
            maximize=self.plan.maximize,
        )

    @property
    def hopeless(self) -> bool:
        """Whether enough has been tried without any objective."""
        return len(self.over) >= GIVE_UP_AFTER and self.best is None

    def failure(self) -> str:
        """Why the tuning job fails, as the service says it; empty when it has found something."""
        over = self.over
        if self.best is not None:
            return ""
        if not over:
            return f"No training job has ended: {self.closed or 'none was started'}"
        if any(trial.status == COMPLETED for trial in over):
            return (
                f"No objective metrics found after running {len(over)} training jobs. Please ensure that the custom "
                "algorithm is emitting the objective metric as defined by the regular expression provided."
            )
        first = next((trial for trial in over if "FailureReason" in trial.describe), over[0])
        told = f" {first.name}: {first.describe.get('FailureReason', first.status)}"
        if len(over) >= GIVE_UP_AFTER:
            return f"No training job succeeded after {len(over)} attempts. {_LOOK}{told}"
        return f"All training jobs failed. {_LOOK}{told}"

    def _place(self, number: int) -> tuple[int, int]:
        """Of which definition the trial is, and its index there: in turns; a grid finishes one after the other."""
        if self.plan.strategy != "Grid":
            index, definition = divmod(number - 1, len(self._searches))
            return definition, index
        index = number - 1
        for definition, search in enumerate(self._searches):
            assert isinstance(search, GridSearch)
            if index < len(search):
                return definition, index
            index -= len(search)
        raise AssertionError(number)

    def _learn(self, parents: tuple[Parent, ...]) -> None:
        for definition, search in zip(self.plan.definitions, self._searches, strict=True):
            for values, objective in lessons(definition, parents):
                search.learn(values, objective)

    def _remember(self, before: Sequence[Trial]) -> None:
        for trial in before:
            definition, index = self._place(trial.number)
            self._searches[definition].again(index, trial.values)
            self.trials.append(trial)
            if not trial.ended or trial.abandoned:
                trial.curve.clear()
                trial.objective, trial.abandoned, trial.describe = None, False, {}
                self._again.append(trial)
        for trial in sorted(self.over, key=lambda trial: (trial.end_time, trial.number)):
            definition, index = self._place(trial.number)
            for value in trial.curve:
                self._searches[definition].report(index, value)
            self.ended(trial)

    def _tell(self, trial: Trial) -> None:
        definition, index = self._place(trial.number)
        early = trial.status == STOPPED
        self._searches[definition].tell(index, trial.objective, stopped=early)


def _by_hyperband(value: float, epoch: int, last: int) -> str:
    if epoch > last:
        return f"Hyperband: epoch {epoch} is beyond MaxResource, {last}"
    return f"Hyperband: {value:g} at epoch {epoch} is not among the best"
