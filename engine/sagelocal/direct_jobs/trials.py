"""Trial components of jobs, kept as their records change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.cloud.experiments import Experiments
from sagelocal.cloud.job_records import PROCESSING, TRAINING, TRANSFORM, UNDER_WAY, JobKind
from sagelocal.direct_jobs.running import RunningJobs
from sagelocal.values import Json

_KINDS: Final[Mapping[Kind, JobKind]] = {kind.kind: kind for kind in (TRAINING, PROCESSING, TRANSFORM)}


@dataclass(slots=True)
class TrialComponents:
    """Records a job as a trial component when it is created, and again when it has ended.

    Attributes:
        running: says to which execution a job belongs.
        experiment_of: the PipelineExperimentConfig of an execution that runs, by its ARN.
    """

    experiments: Experiments
    running: RunningJobs
    experiment_of: Callable[[str], Mapping[str, Json]]
    _begun: set[tuple[Kind, str]] = field(default_factory=set)

    def recorded(self, entity: Entity) -> None:
        """A record of the catalog is new, or has changed."""
        kind = _KINDS.get(entity.kind)
        if kind is None:
            return
        key = entity.kind, entity.name
        if entity.describe[kind.status] not in UNDER_WAY:
            self._begun.discard(key)
        elif key in self._begun:
            return
        else:
            self._begun.add(key)
        job = self.running.job(kind.type, entity.name)
        config = self.experiment_of(job.execution) if job and job.execution.startswith("arn:") else {}
        self.experiments.note(kind, entity.describe, config)
