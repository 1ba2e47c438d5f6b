"""Processing jobs (CreateProcessingJob; semantics 02 §2.2, 08 §8.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog
from sagelocal.values import JsonObject
from sagelocal_executors import contract
from sagelocal_executors.channels import Selection, Source, overlaps, stage, unsupported
from sagelocal_executors.containers import ContainerSpec, Exit, ImageMissingError, Limits, Mount
from sagelocal_executors.contract import Host
from sagelocal_executors.describe import (
    IN_PROGRESS,
    STOPPED,
    Ending,
    JobStatus,
    Timeline,
    describe_processing,
    echo_processing,
)
from sagelocal_executors.faults import JobError, UnsupportedError, client_error, rejected, step_reason
from sagelocal_executors.hosts import Output, failure_reason, run_together
from sagelocal_executors.outputs import Mirror, upload_all
from sagelocal_executors.property_files import read_property_files
from sagelocal_executors.requests import (
    ProcessingInput,
    ProcessingRequest,
    S3Input,
    S3Output,
    parse_processing,
)
from sagelocal_executors.tools import Launch, Tools
from sagelocal_executors.trees import reclaim, remove

_MESSAGE_BYTES = 1024
_FAST_FILE = "Value 'FastFile' for 'ProcessingS3InputMode' failed to satisfy enum value set: [Pipe, File]"


@dataclass(frozen=True, slots=True)
class ProcessingExecutor(Tools):
    """Runs a processing job: inputs down, one container per instance, outputs up.

    Built from what `Tools` lists.
    """

    async def run(self, job: Job) -> Outcome:
        with self.logs.of(job, StepType.PROCESSING) as log:
            try:
                request = parse_processing(job.arguments)
                plan = plan_processing(request, stubbed=self.stubbed(job.step))
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            return await _Work(self, job, request, plan, log, Timeline(self.clock)).run()


@dataclass(frozen=True, slots=True)
class ProcessingPlan:
    """What comes from where, and goes where: per output, its name, container folder, S3 URI and upload mode."""

    sources: tuple[Source, ...]
    outputs: Mapping[str, S3Output]


def plan_processing(request: ProcessingRequest, *, stubbed: bool = False) -> ProcessingPlan:
    """Check what this machine can do of a request, and lay it out; a stubbed step does without what it cannot.

    Raises:
        JobError: something in it is wrong, or not supported locally.
    """
    outputs = dict(_outputs(request, stubbed=stubbed))
    inputs = list(_inputs(request, stubbed=stubbed))
    taken = [item.local_path or "" for item in outputs.values()]
    places = [s3.local_path or "" for _, s3 in inputs]
    sources = tuple(
        Source(
            label=f"input {item.input_name!r}",
            uri=s3.s3_uri,
            target=s3.local_path or "",
            manifest=s3.s3_data_type == "ManifestFile",
            sharded=s3.s3_data_distribution_type == "ShardedByS3Key",
            mergeable=overlaps(s3.local_path or "", taken) or places.count(s3.local_path or "") > 1,
        )
        for item, s3 in inputs
    )
    return ProcessingPlan(sources, outputs)


def _outputs(request: ProcessingRequest, *, stubbed: bool) -> Iterator[tuple[str, S3Output]]:
    for output in request.processing_output_config.outputs:
        label = f"output {output.output_name!r}"
        if output.feature_store_output is not None and not stubbed:
            raise UnsupportedError(
                f"{label}: FeatureStoreOutput is not supported locally; give an S3Output, or stub the step"
            )
        if output.s3_output is not None:
            _check_place(label, output.s3_output.local_path)
            yield output.output_name, output.s3_output


def _inputs(request: ProcessingRequest, *, stubbed: bool) -> Iterator[tuple[ProcessingInput, S3Input]]:
    for item in request.processing_inputs:
        try:
            yield item, _s3_input(item)
        except UnsupportedError:
            if not stubbed:
                raise


def _s3_input(item: ProcessingInput) -> S3Input:
    label = f"input {item.input_name!r}"
    if item.s3_input is None:
        raise unsupported(label, "DatasetDefinition" if item.dataset_definition is not None else "no S3Input")
    if item.s3_input.s3_input_mode == "FastFile":
        raise rejected("CreateProcessingJob", _FAST_FILE)
    if item.s3_input.s3_input_mode != "File":
        raise unsupported(label, f"S3InputMode {item.s3_input.s3_input_mode!r}")
    _check_place(label, item.s3_input.local_path)
    return item.s3_input


def _check_place(label: str, local_path: str | None) -> None:
    if local_path is None or not overlaps(local_path, [contract.PROCESSING]) or ".." in local_path.split("/"):
        raise rejected(
            "CreateProcessingJob", f"{label}: LocalPath {local_path!r} is not below {contract.PROCESSING}"
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """One processing job on its way."""

    tools: Tools
    job: Job
    request: ProcessingRequest
    plan: ProcessingPlan
    log: StepLog
    timeline: Timeline

    async def run(self) -> Outcome:
        self._enter("Starting")
        try:
            ending = await self._to_the_end()
        except JobError as error:
            return self._failed(error)
        except ImageMissingError as error:
            return self._failed(client_error(str(error)))
        except asyncio.CancelledError:
            return Stopped(self._describe(STOPPED))
        finally:
            await asyncio.to_thread(remove, self.tools.folder / self.job.name)
        outputs = {name: output.s3_uri for name, output in self.plan.outputs.items()}
        files = await read_property_files(self.tools.objects, self.job.property_files, outputs)
        return Succeeded(self._describe(ending), files)

    def _failed(self, error: JobError) -> Failed:
        self.log.note(error.reason)
        ending = Ending(JobStatus.FAILED, failure=error.reason, message=error.message)
        return Failed(step_reason(error.reason), error.error, self._describe(ending))

    def _enter(self, status: str) -> None:
        self.timeline.enter(status, "")
        self.tools.on_progress(self.job, self._describe(IN_PROGRESS))

    def _describe(self, ending: Ending) -> JsonObject:
        echoed = echo_processing(self.job.arguments)
        return describe_processing(echoed, self.job.name, self._arn, self.timeline, ending)

    @property
    def _arn(self) -> str:
        return self.tools.partition.arn(f"processing-job/{self.job.name}")

    async def _to_the_end(self) -> Ending:
        hosts = contract.processing_hosts(self.request)
        selections = [await self.tools.select(self.job, source, self.log) for source in self.plan.sources]
        specs = [await self._prepare(host, hosts, selections) for host in hosts]
        mirrors = [mirror for host in hosts for mirror in self._mirrors(host)]
        output = Output(self.log)
        self._enter("Processing")
        try:
            spec, end = await run_together(
                self.tools.containers, specs, output, [mirror.run(self.tools.clock) for mirror in mirrors]
            )
        finally:
            await asyncio.to_thread(reclaim, self.tools.folder / self.job.name)
            for mirror in mirrors:
                await mirror.sync()
        message = self._exit_message(hosts)
        self._judge(end, output.last_line(spec.hostname), message)
        for host in hosts:
            await self._upload(host)
        return Ending(JobStatus.COMPLETED, message=message)

    async def _prepare(
        self, host: Host, hosts: tuple[Host, ...], selections: list[Selection]
    ) -> ContainerSpec:
        """Lay out what the host's container sees."""
        tree = self.tools.tree(self.job, host)
        config, application = contract.PROCESSING_CONFIG, self.request.app_specification
        mounts: list[Mount] = [tree.mount(config), tree.mount(contract.OUTPUT)]
        mounts += [tree.mount(output.local_path or "") for output in self.plan.outputs.values()]
        for source, selection in zip(self.plan.sources, selections, strict=True):
            share = selection.share(hosts.index(host), len(hosts)) if source.sharded else selection
            mounts.append(await stage(self.tools.objects, source, share, tree))
        files = {
            "processingjobconfig.json": contract.processing_job_config(
                self.job.name, self._arn, echo_processing(self.job.arguments)
            ),
            "resourceconfig.json": contract.resource_config(host, hosts),
        }
        contract.write_config(tree.path(config), files)
        launch = Launch(
            image=application.image_uri,
            entrypoint=application.container_entrypoint,
            command=application.container_arguments,
            env=contract.processing_environment(
                self.job.name, self._arn, self.tools.partition.region, self.request.environment
            ),
            limits=Limits(self.request.stopping_condition.max_runtime_in_seconds, self.tools.grace),
            network=not self.request.network_config.enable_network_isolation,
        )
        return launch.spec(self.job, host, hosts, mounts)

    def _mirrors(self, host: Host) -> list[Mirror]:
        """What copies while the job runs."""
        tree = self.tools.tree(self.job, host)
        return [
            Mirror(
                self.tools.objects,
                tree.path(output.local_path or ""),
                output.s3_uri,
                tree.root / f"copies-{name}",
            )
            for name, output in self.plan.outputs.items()
            if output.s3_upload_mode == "Continuous"
        ]

    def _exit_message(self, hosts: tuple[Host, ...]) -> str | None:
        """What the containers wrote to /opt/ml/output/message: all together, then cut; None when nothing."""
        files = [self.tools.tree(self.job, host).path(contract.MESSAGE) for host in hosts]
        written = b"".join(file.read_bytes() for file in files if file.is_file() and not file.is_symlink())
        try:
            text = written.decode()
        except UnicodeDecodeError as error:
            raise client_error(f"{contract.MESSAGE} is not UTF-8: {error}") from None
        return text.encode()[:_MESSAGE_BYTES].decode(errors="ignore") if text else None

    def _judge(self, end: Exit, last_line: str, message: str | None) -> None:
        """Raise a JobError unless the job completed."""
        seconds = self.request.stopping_condition.max_runtime_in_seconds
        if end.timed_out:
            raise JobError(
                f"ClientError: the job exceeded its MaxRuntimeInSeconds of {seconds}", message=message
            )
        if end.code != 0:
            raise JobError(failure_reason(end, last_line), "AlgorithmError", message=message)

    async def _upload(self, host: Host) -> None:
        """Move the outputs of one host to S3; an output inside another goes to both."""
        tree = self.tools.tree(self.job, host)
        places = [output.local_path or "" for output in self.plan.outputs.values()]
        for number, (name, output) in enumerate(self.plan.outputs.items()):
            if output.s3_upload_mode == "Continuous":
                continue
            place = places[number]
            folder = tree.path(place)
            others = places[:number] + places[number + 1 :]
            if overlaps(place, others) or any(overlaps(other, [place]) for other in others):
                await Mirror(self.tools.objects, folder, output.s3_uri, tree.root / f"copies-{name}").sync()
                told = f"uploaded to {output.s3_uri}"
            else:
                told = await upload_all(self.tools.objects, folder, output.s3_uri)
            self.log.note(f"output {name!r}: {told}")
