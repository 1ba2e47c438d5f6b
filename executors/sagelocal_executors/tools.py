"""What the executors of container jobs work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sagelocal.clock import Clock
from sagelocal.cloud.objects import Objects
from sagelocal.jobs import Job
from sagelocal.logs import StepLog, StepLogs
from sagelocal.names import Partition
from sagelocal.values import JsonObject
from sagelocal_executors.channels import Selection, Source, select
from sagelocal_executors.containers import Containers, ContainerSpec, Limits, Listener, Mount
from sagelocal_executors.contract import Host
from sagelocal_executors.faults import JobError
from sagelocal_executors.trees import Tree, outer_first

OnProgress = Callable[[Job, JsonObject], None]


def _never(_: str) -> bool:
    return False


def _nobody(_job: Job, _describe: JsonObject) -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """The shared services of one executor.

    Attributes:
        folder: where each job gets a working folder.
        grace: seconds between SIGTERM and SIGKILL.
        stubbed: whether a step, by its name, is played by a stub: what it lacks then does not matter.
        on_progress: told the Describe answer of a job when it has been created, and whenever it enters another status.
    """

    containers: Containers
    objects: Objects
    logs: StepLogs
    partition: Partition
    folder: Path
    clock: Clock
    grace: float
    stubbed: Callable[[str], bool] = _never
    on_progress: OnProgress = _nobody

    def tree(self, job: Job, host: Host) -> Tree:
        """The mirror of what that host's container sees."""
        return Tree(self.folder / job.name / host.name)

    async def select(self, job: Job, source: Source, log: StepLog) -> Selection:
        """Find the objects of one input, and say so in the log.

        Raises:
            JobError: there are none, and the step is not stubbed.
        """
        try:
            selection = await select(self.objects, source)
        except JobError as error:
            if not self.stubbed(job.step):
                raise
            log.note(f"goes on without: {error.reason}")
            return Selection(())
        log.note(f"{source.label}: {selection} from {source.uri}")
        return selection


@dataclass(frozen=True, slots=True)
class Launch:
    """What all containers of a job have in common, as ContainerSpec has it."""

    image: str
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    env: Mapping[str, str]
    limits: Limits
    network: bool
    listener: Listener | None = None

    def spec(self, job: Job, host: Host, hosts: tuple[Host, ...], mounts: list[Mount]) -> ContainerSpec:
        """The container of one host."""
        return ContainerSpec(
            name=f"{job.name}-{host.name}",
            image=self.image,
            entrypoint=self.entrypoint,
            command=self.command,
            env=self.env,
            mounts=outer_first(mounts),
            limits=self.limits,
            hostname=host.name,
            hosts=tuple(other.name for other in hosts),
            labels={
                "sagelocal.execution": job.execution,
                "sagelocal.step": job.step,
                "sagelocal.job": job.name,
            },
            step=job.step,
            attempt=job.attempt,
            network=self.network,
            listener=self.listener,
        )
