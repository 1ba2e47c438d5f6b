"""Events as a bus carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sagelocal.names import Partition
from sagelocal.values import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """What somebody puts on a bus.

    Attributes:
        source: who says it, ``aws.sagemaker`` say.
        detail_type: what kind of thing it is.
        detail: what there is to say.
        resources: ARNs of what it is about.
        time: when it happened, in seconds since the epoch.
    """

    source: str
    detail_type: str
    detail: JsonObject
    time: float
    resources: Sequence[str] = ()


def envelope(event: Event, partition: Partition) -> dict[str, Json]:
    """The event as rules and targets see it, with an id of its own."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": event.detail_type,
        "source": event.source,
        "account": partition.account,
        "time": seconds(event.time),
        "region": partition.region,
        "resources": list(event.resources),
        "detail": event.detail,
    }


def seconds(moment: float) -> str:
    """A moment as events have it: ``2026-01-31T12:34:56Z``."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
