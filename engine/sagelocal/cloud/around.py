"""What the surroundings of SageMaker are built from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sagelocal.clock import Clock
from sagelocal.cloud.account.ecr_images import LocalImages
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.eventbridge.agenda import Agenda
from sagelocal.cloud.eventbridge.bus import Bus
from sagelocal.cloud.eventbridge.deliveries import Invoke, Start, Tell
from sagelocal.cloud.eventbridge.rules import Rules
from sagelocal.cloud.eventbridge.schedules import Schedules
from sagelocal.cloud.sqs import Queues
from sagelocal.names import Partition

_warn: Tell = logging.getLogger(__name__).warning


async def _no_images() -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Around:
    """What an engine hands in.

    Attributes:
        logs: folder of the logs of jobs and functions.
        start: starts an execution of a pipeline, by name or ARN, with parameters as texts.
        invoke: invokes a Lambda function, by ARN, on a payload; None: there are none here.
        queues: that targets may be; None: they are another endpoint's.
        images: the container images of this machine.
        tell: tells a person which delivery to a target has failed, and why.
    """

    catalog: Catalog
    partition: Partition
    clock: Clock
    logs: Path
    start: Start
    invoke: Invoke | None = None
    queues: Queues | None = None
    images: LocalImages = _no_images
    tell: Tell = _warn


@dataclass(frozen=True, slots=True)
class Events:
    """EventBridge's parts, which the services share."""

    rules: Rules
    schedules: Schedules
    bus: Bus
    agenda: Agenda
