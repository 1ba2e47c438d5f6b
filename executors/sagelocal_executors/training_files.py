"""The files of a training job: what goes down before it starts, what goes up when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sagelocal.jobs import Job
from sagelocal.logs import StepLog
from sagelocal_executors import contract
from sagelocal_executors.archives import write_archive
from sagelocal_executors.channels import Selection, Source, bytes_text, fetch_all, select, stage
from sagelocal_executors.containers import ContainerSpec, Limits, Mount
from sagelocal_executors.contract import Host
from sagelocal_executors.outputs import Mirror, files_below, upload_all
from sagelocal_executors.pipes import Pipe
from sagelocal_executors.requests import TrainingRequest
from sagelocal_executors.tools import Launch, Tools
from sagelocal_executors.training_data import PlannedChannel, TrainingPlan
from sagelocal_executors.trees import Tree

_FAILURE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """Brings files to the containers of one training job, and away from them."""

    tools: Tools
    job: Job
    request: TrainingRequest
    plan: TrainingPlan
    log: StepLog

    @property
    def arn(self) -> str:
        return self.tools.partition.arn(f"training-job/{self.job.name}")

    @property
    def output(self) -> str:
        """Where S3 gets what the job leaves: ``<S3OutputPath>/<job>/output``."""
        return f"{self.request.output_data_config.s3_output_path.rstrip('/')}/{self.job.name}/output"

    @property
    def artifacts(self) -> str:
        """S3ModelArtifacts: the archive, or the folder for CompressionType NONE."""
        packed = self.request.output_data_config.compression_type == "GZIP"
        return f"{self.output}/model.tar.gz" if packed else f"{self.output}/model/"

    def tree(self, host: Host) -> Tree:
        return self.tools.tree(self.job, host)

    async def bring(self) -> tuple[list[ContainerSpec], list[Pipe]]:
        """Stage channels and checkpoints; returns the containers to run, and the pipes to feed meanwhile.

        Raises:
            JobError: a channel has no data.
        """
        channels = self.plan.channels
        selections = [await self.tools.select(self.job, planned.source, self.log) for planned in channels]
        mounts = {host: self._own_mounts(host) for host in self.plan.hosts}
        pipes: list[Pipe] = []
        for planned, selection in zip(self.plan.channels, selections, strict=True):
            for number, host in enumerate(planned.hosts):
                share = selection.share(number, len(planned.hosts)) if planned.source.sharded else selection
                if planned.piped:
                    pipes.append(await self._pipe(planned, share, host))
                else:
                    mounts[host].append(
                        await stage(self.tools.objects, planned.source, share, self.tree(host))
                    )
        for host in self.plan.hosts:
            await self._bring_checkpoints(host)
        return [self._spec(host, mounts[host]) for host in self.plan.hosts], pipes

    def _own_mounts(self, host: Host) -> list[Mount]:
        """The folders that every training container has, with its configuration."""
        tree, request = self.tree(host), self.request
        tree.folder(contract.OUTPUT_DATA)
        mounts = [tree.mount(contract.INPUT), tree.mount(contract.MODEL), tree.mount(contract.OUTPUT)]
        if request.checkpoint_config is not None:
            mounts.append(tree.mount(request.checkpoint_config.local_path))
        mode = request.algorithm_specification.training_input_mode
        tree.folder(contract.INPUT_DATA)
        files = {
            "hyperparameters.json": dict(request.hyper_parameters),
            "inputdataconfig.json": contract.input_data_config(request.input_data_config, mode),
            "resourceconfig.json": contract.resource_config(host, self.plan.hosts),
        }
        contract.write_config(tree.folder(contract.INPUT_CONFIG), files)
        return mounts

    async def _pipe(self, planned: PlannedChannel, selection: Selection, host: Host) -> Pipe:
        channel, base = planned.channel, self.tree(host).path(planned.source.target)
        kept = Tree(self.tree(host).root / "pipes" / channel.channel_name)
        await fetch_all(self.tools.objects, planned.source, selection.items, kept)
        pipe = Pipe(
            base,
            [kept.path(f"/{item.relative}") for item in selection.items],
            gunzip=channel.compression_type == "Gzip",
            record_io=channel.record_wrapper_type == "RecordIO",
        )
        pipe.open()
        return pipe

    async def _bring_checkpoints(self, host: Host) -> None:
        """Put the checkpoints of an earlier job where this one looks for them (there may be none)."""
        config = self.request.checkpoint_config
        if config is None:
            return
        prefix = f"{config.s3_uri.rstrip('/')}/"
        if not await self.tools.objects.list(prefix):
            return
        source = Source("checkpoints", prefix, config.local_path)
        selection = await select(self.tools.objects, source)
        await fetch_all(
            self.tools.objects, source, selection.items, Tree(self.tree(host).path(config.local_path))
        )
        self.log.note(f"checkpoints: {selection} from {config.s3_uri}")

    def _spec(self, host: Host, mounts: list[Mount]) -> ContainerSpec:
        launch = Launch(
            image=self.plan.image,
            entrypoint=self.plan.entrypoint,
            command=self.plan.command,
            env=contract.training_environment(
                self.job.name, self.arn, self.tools.partition.region, self.request.environment
            ),
            limits=Limits(self.request.stopping_condition.max_runtime_in_seconds, self.tools.grace),
            network=not self.request.enable_network_isolation,
        )
        return launch.spec(self.job, host, self.plan.hosts, mounts)

    def checkpoints(self) -> list[Mirror]:
        """What copies checkpoints to S3 while the job runs; those that came from there count as uploaded."""
        config = self.request.checkpoint_config
        if config is None:
            return []
        trees = [self.tree(host) for host in self.plan.hosts]
        mirrors = [
            Mirror(self.tools.objects, tree.path(config.local_path), config.s3_uri, tree.root / "copies")
            for tree in trees
        ]
        for mirror in mirrors:
            mirror.assume_sent()
        return mirrors

    def failure_text(self, host: str) -> str:
        """What the container wrote to /opt/ml/output/failure; empty when nothing."""
        number = [other.name for other in self.plan.hosts].index(host)
        file = self.tree(self.plan.hosts[number]).path(contract.FAILURE)
        if not file.is_file() or file.is_symlink():
            return ""
        return file.read_text(encoding="utf-8", errors="replace")[:_FAILURE_LENGTH].strip()

    def has_model(self) -> bool:
        return any(True for folder in self._folders(contract.MODEL) for _ in files_below(folder))

    async def take_away(self) -> None:
        """Upload the model and the output data of all hosts."""
        if self.request.output_data_config.compression_type == "NONE":
            for folder in self._folders(contract.MODEL):
                self.log.note(f"model: {await upload_all(self.tools.objects, folder, self.artifacts)}")
        else:
            await self._upload_archive(contract.MODEL, self.artifacts)
        if any(True for folder in self._folders(contract.OUTPUT_DATA) for _ in files_below(folder)):
            await self._upload_archive(contract.OUTPUT_DATA, f"{self.output}/output.tar.gz")

    async def _upload_archive(self, folder: str, uri: str) -> None:
        archive = self.tools.folder / self.job.name / Path(uri).name
        await asyncio.to_thread(write_archive, self._folders(folder), archive)
        size = archive.stat().st_size
        await self.tools.objects.upload(archive, uri)
        self.log.note(f"uploaded {uri}, {bytes_text(size)}")

    def _folders(self, folder: str) -> list[Path]:
        return [self.tree(host).path(folder) for host in self.plan.hosts]
