"""Clusters without machines: which steps of one wait, and when it is gone (semantics 07 §7.3)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sagelocal.clock import Clock, iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.values import JsonObject
from sagelocal_executors.emr.requests import ADD_STEPS, refused

MOST_PENDING = 256
"""Steps that may wait on one cluster (semantics 11)."""

_GONE = {"TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"}
_ECHOED = {"LogUri", "ReleaseLabel", "Applications", "Tags", "ServiceRole", "Configurations"}
"""What a RunJobFlow request and the description of its cluster have in common."""


class CancelledStepError(Exception):
    """A pending step was cancelled, because an earlier one failed; the text says so."""


@dataclass(slots=True)
class Cluster:
    """One cluster while an engine runs.

    Attributes:
        epoch: counts how often its pending steps were cancelled.
    """

    id: str
    name: str
    created: float
    configured: JsonObject
    concurrency: int
    turn: asyncio.Semaphore
    state: str = "STARTING"
    ready: float | None = None
    ended: float | None = None
    pending: int = 0
    running: int = 0
    epoch: int = 0
    reason: JsonObject = field(default_factory=dict)


class Clusters:
    """All clusters that steps name or make.

    Args:
        catalog: where each state is recorded.
        clock: for the times in the records.
        concurrency: steps that one cluster runs at a time, unless its configuration says otherwise; 1 at EMR.
    """

    def __init__(self, catalog: Catalog, clock: Clock, concurrency: int = 1) -> None:
        self._catalog = catalog
        self._clock = clock
        self._concurrency = concurrency
        self._known: dict[str, Cluster] = {}

    def named(self, cluster_id: str) -> Cluster:
        """The cluster of that id; at its first use it is there and ready.

        Raises:
            JobError: it was terminated.
        """
        cluster = self._known.get(cluster_id) or self._recorded(cluster_id)
        if cluster is None:
            cluster = self.start(cluster_id, cluster_id, {})
        if cluster.state in _GONE:
            raise refused(
                ADD_STEPS,
                f"A job flow that is shutting down, terminated, or finished may not be modified: cluster {cluster_id} is "
                f"{cluster.state}. Clusters of a ClusterConfig end with their step; name another ClusterId",
            )
        return cluster

    def start(self, cluster_id: str, name: str, config: JsonObject) -> Cluster:
        """A new cluster, through its start to where it waits for steps."""
        level = config.get("StepConcurrencyLevel")
        most = level if isinstance(level, int) and level > 0 else self._concurrency
        cluster = Cluster(cluster_id, name, self._clock.now(), config, most, asyncio.Semaphore(most))
        self._known[cluster_id] = cluster
        for state in ("STARTING", "BOOTSTRAPPING"):
            self._enter(cluster, state)
        cluster.ready = self._clock.now()
        self._enter(cluster, "WAITING")
        return cluster

    def submit(self, cluster: Cluster) -> int:
        """Add a step, which is pending then; returns the cluster's epoch.

        Raises:
            JobError: too many steps are pending.
        """
        if cluster.pending >= MOST_PENDING:
            # A throttle, because the documentation's advice is a retry policy, and steps of EMR know only Step.* ones.
            raise refused(
                ADD_STEPS,
                f"Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded: "
                f"{cluster.id} has {MOST_PENDING} pending steps",
                "Step.THROTTLING",
            )
        cluster.pending += 1
        return cluster.epoch

    @asynccontextmanager
    async def turn(self, cluster: Cluster, epoch: int) -> AsyncIterator[None]:
        """Wait as long as a step submitted at that epoch is pending; it runs inside.

        Raises:
            CancelledStepError: an earlier step took it away.
        """
        try:
            await cluster.turn.acquire()
        finally:
            cluster.pending -= 1
        try:
            if cluster.epoch != epoch:
                raise CancelledStepError(f"an earlier step of cluster {cluster.id} failed")
            cluster.running += 1
            self._enter(cluster, "RUNNING")
            try:
                yield
            finally:
                cluster.running -= 1
                if cluster.state == "RUNNING" and not cluster.running:
                    self._enter(cluster, "WAITING")
        finally:
            cluster.turn.release()

    def cancel_pending(self, cluster: Cluster) -> None:
        """Cancel all steps that wait for their turn (ActionOnFailure CANCEL_AND_WAIT)."""
        cluster.epoch += 1

    def terminate(self, cluster: Cluster, code: str, message: str) -> None:
        """End the cluster, and its pending steps with it."""
        self.cancel_pending(cluster)
        cluster.reason = {"Code": code, "Message": message}
        self._enter(cluster, "TERMINATING")
        cluster.ended = self._clock.now()
        self._enter(cluster, "TERMINATED_WITH_ERRORS" if code == "STEP_FAILURE" else "TERMINATED")

    def _enter(self, cluster: Cluster, state: str) -> None:
        cluster.state = state
        self._catalog.put(Entity(Kind.EMR_CLUSTER, cluster.id, cluster.created, describe(cluster)))

    def _recorded(self, cluster_id: str) -> Cluster | None:
        """The cluster as an earlier engine left it."""
        entity = self._catalog.get(Kind.EMR_CLUSTER, cluster_id)
        if entity is None:
            return None
        answer: Any = entity.describe
        most: int = answer["StepConcurrencyLevel"]
        cluster = Cluster(cluster_id, answer["Name"], entity.created, answer, most, asyncio.Semaphore(most))
        cluster.state = answer["Status"]["State"]
        self._known[cluster_id] = cluster
        return cluster


def describe(cluster: Cluster) -> JsonObject:
    """The Cluster of DescribeCluster (boto:emr)."""
    moments = {
        "CreationDateTime": cluster.created,
        "ReadyDateTime": cluster.ready,
        "EndDateTime": cluster.ended,
    }
    return {
        **{key: value for key, value in cluster.configured.items() if key in _ECHOED and value is not None},
        "Id": cluster.id,
        "Name": cluster.name,
        "StepConcurrencyLevel": cluster.concurrency,
        "Status": {
            "State": cluster.state,
            "StateChangeReason": cluster.reason,
            "Timeline": {name: iso(moment) for name, moment in moments.items() if moment is not None},
        },
    }


def token(text: str) -> str:
    """Thirteen capitals and digits, always the same for a text, as EMR's ids have them."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:13].decode()
