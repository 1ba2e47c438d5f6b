"""What is known of a tuning job, in the catalogue, so that another engine can go on with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.values import JsonObject
from sagelocal_executors.tuning.trials import Trial, final_metric

ENDED = frozenset({"Completed", "Failed", "Stopped"})
"""The statuses of a tuning job that has ended."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The records of one tuning job: its own, and one per trial beside that of the training job."""

    catalog: Catalog
    name: str

    def job(self) -> JsonObject | None:
        """Its Describe answer; None when there is no such tuning job."""
        entity = self.catalog.get(Kind.TUNING_JOB, self.name)
        return entity.describe if entity else None

    def keep_job(self, describe: JsonObject, created: float) -> None:
        self.catalog.put(Entity(Kind.TUNING_JOB, self.name, created, describe))

    def keep(self, trial: Trial, summary: JsonObject) -> None:
        """Record the trial with its HyperParameterTrainingJobSummary.

        The training job comes last, as its status is what says that a trial has ended.
        """
        row: JsonObject = {
            "TrainingJobName": trial.name,
            "Definition": trial.definition,
            "Values": dict(trial.values),
            "Curve": list(trial.curve),
            "Abandoned": trial.abandoned,
            "HasModel": trial.has_model,
            "Summary": summary,
        }
        self.catalog.put(Entity(Kind.TUNING_TRIAL, self.name, trial.created, row, trial.number))
        self.catalog.put(Entity(Kind.TRAINING_JOB, trial.name, trial.created, trial.describe))

    def trials(self, metrics: Sequence[str]) -> list[Trial]:
        """All trials in the order of their numbers; `metrics` are the objectives of the definitions."""
        rows = sorted(self.catalog.list(Kind.TUNING_TRIAL, self.name), key=lambda entity: entity.version)
        return [self._trial(row, metrics) for row in rows]

    def _trial(self, entity: Entity, metrics: Sequence[str]) -> Trial:
        row = entity.describe
        name, definition, values, curve = (
            row["TrainingJobName"],
            row["Definition"],
            row["Values"],
            row["Curve"],
        )
        assert isinstance(name, str)
        assert isinstance(definition, int)
        assert isinstance(values, Mapping)
        assert isinstance(curve, list)
        training_job = self.catalog.get(Kind.TRAINING_JOB, name)
        describe = training_job.describe if training_job else {}
        return Trial(
            name=name,
            number=entity.version,
            definition=definition,
            values={key: str(value) for key, value in values.items()},
            created=entity.created,
            describe=describe,
            curve=[float(value) for value in curve],
            objective=final_metric(describe, metrics[definition]),
            abandoned=bool(row["Abandoned"]),
            has_model=bool(row["HasModel"]),
        )
