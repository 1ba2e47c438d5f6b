"""What exists in the account: models, model packages, jobs, each with its Describe answer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sagelocal.database import explained, transaction
from sagelocal.values import JsonObject

_COLUMNS = "kind, name, version, created, describe"


class Kind(StrEnum):
    """The kinds of entities, in the words of their ARNs; a tuning trial and a direct job have none: they are notes on jobs."""

    PROCESSING_JOB = "processing-job"
    TRAINING_JOB = "training-job"
    TRANSFORM_JOB = "transform-job"
    TUNING_JOB = "hyper-parameter-tuning-job"
    TUNING_TRIAL = "tuning-trial"
    AUTO_ML_JOB = "automl-job"
    DIRECT_JOB = "direct-job"
    MODEL = "model"
    MODEL_PACKAGE_GROUP = "model-package-group"
    MODEL_PACKAGE = "model-package"
    ENDPOINT_CONFIG = "endpoint-config"
    ENDPOINT = "endpoint"
    INFERENCE_COMPONENT = "inference-component"
    EXPERIMENT = "experiment"
    TRIAL = "experiment-trial"
    TRIAL_COMPONENT = "experiment-trial-component"
    ARTIFACT = "artifact"
    ACTION = "action"
    CONTEXT = "context"
    ASSOCIATION = "association"
    FUNCTION = "function"
    EVENT_SOURCE_MAPPING = "event-source-mapping"
    EMR_CLUSTER = "emr-cluster"
    EMR_STEP = "emr-step"
    EMR_APPLICATION = "emr-serverless-application"
    EMR_JOB_RUN = "emr-serverless-job-run"
    ROLE = "role"
    POLICY = "policy"
    REPOSITORY = "repository"
    RULE = "rule"
    SCHEDULE = "schedule"
    SCHEDULE_GROUP = "schedule-group"


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that was created.

    Attributes:
        kind: what it is.
        name: its name, as it was given; a versioned model package has that of its group, a trial that of its tuning job.
        version: of a model package in a group and of a trial of a tuning job, from 1; 0 for all else.
        created: when, in seconds since the epoch.
        describe: the answer of its Describe operation.
    """

    kind: Kind
    name: str
    created: float
    describe: JsonObject
    version: int = 0


class Catalog:
    """The entities of the account, in the state file that `sagelocal.database.open_database` opens.

    Raises:
        MachineError: from every method, when the file cannot be read or written.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._listeners: list[Callable[[Entity], None]] = []

    def subscribe(self, listener: Callable[[Entity], None]) -> None:
        """Call `listener` with every entity that is recorded through this catalog from now on, after it is."""
        self._listeners.append(listener)

    def put(self, entity: Entity) -> None:
        """Record the entity, in place of an older one of its kind, name and version."""
        with explained("state.db"):
            self._connection.execute(
                f"INSERT OR REPLACE INTO entities ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - constants only
                _row(entity),
            )
        for listener in self._listeners:
            listener(entity)

    def get(self, kind: Kind, name: str, version: int = 0) -> Entity | None:
        """Look the entity up; None when there is none."""
        found = self._select("kind = ? AND name = ? AND version = ?", kind, name, version)
        return found[0] if found else None

    def list(self, kind: Kind, name: str | None = None) -> tuple[Entity, ...]:
        """All entities of a kind, oldest first; with `name`, the versions of that one."""
        if name is None:
            return self._select("kind = ?", kind)
        return self._select("kind = ? AND name = ?", kind, name)

    def delete(self, kind: Kind, name: str, version: int = 0) -> bool:
        """Forget the entity; False when there is none. The numbers of deleted versions are not given again."""
        with explained("state.db"):
            cursor = self._connection.execute(
                "DELETE FROM entities WHERE kind = ? AND name = ? AND version = ?", (kind, name, version)
            )
        return cursor.rowcount > 0

    def add_version(self, group: str, created: float, describe: Callable[[int], JsonObject]) -> Entity:
        """Record the next version of a model package group that exists, with the answer that `describe` gives it."""
        with transaction(self._connection) as connection:
            version = int(connection.execute(_NEXT_VERSION, (group,)).fetchone()[0])
            entity = Entity(Kind.MODEL_PACKAGE, group, created, describe(version), version)
            self.put(entity)
        return entity

    def _select(self, condition: str, *values: str | int) -> tuple[Entity, ...]:
        query = f"SELECT {_COLUMNS} FROM entities WHERE {condition} ORDER BY created, version, name"  # noqa: S608 - ditto
        with explained("state.db"):
            rows = self._connection.execute(query, values).fetchall()
        return tuple(
            Entity(Kind(kind), name, created, json.loads(describe), version)
            for kind, name, version, created, describe in rows
        )


# Counted in a row of its own, so that the number of a deleted version is not given again.
_NEXT_VERSION = """
    INSERT INTO entities (kind, name, version, created, describe) VALUES ('version-count', ?, 0, 0, '1')
    ON CONFLICT (kind, name, version) DO UPDATE SET describe = CAST(describe + 1 AS TEXT) RETURNING describe
"""


def _row(entity: Entity) -> tuple[str, str, int, float, str]:
    return entity.kind, entity.name, entity.version, entity.created, json.dumps(entity.describe)
