"""Transform jobs (CreateTransformJob; semantics 02 §2.7, 08 §8.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sagelocal.cloud.catalog import Catalog
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.logs import StepLog
from sagelocal.values import JsonObject
from sagelocal_executors.channels import Item, Selection, Source
from sagelocal_executors.containers import ImageMissingError
from sagelocal_executors.describe import IN_PROGRESS, STOPPED, Ending, JobStatus, Timeline
from sagelocal_executors.faults import JobError, client_error, step_reason
from sagelocal_executors.serving import Served, served
from sagelocal_executors.serving_models import model_containers
from sagelocal_executors.tools import Tools
from sagelocal_executors.transform import stubbed
from sagelocal_executors.transform.asking import Asking
from sagelocal_executors.transform.assembling import Assembly
from sagelocal_executors.transform.batches import MEGABYTE, Cutting
from sagelocal_executors.transform.describe import STARTED, describe_transform, echo_transform
from sagelocal_executors.transform.instance import AHEAD, Instance
from sagelocal_executors.transform.join import Association, Stamp
from sagelocal_executors.transform.request import TransformRequest, parse_transform
from sagelocal_executors.transform.results import Capture, capture, upload_outputs
from sagelocal_executors.transform.rules import LARGEST_MB, association
from sagelocal_executors.transform.side_by_side import side_by_side
from sagelocal_executors.transform.sources import Sources
from sagelocal_executors.transform.strategy import Strategy, environment, strategy
from sagelocal_executors.transform.tally import Tally
from sagelocal_executors.trees import remove

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@dataclass(frozen=True, slots=True)
class TransformExecutor(Tools):
    """Runs a transform job: each object of the input through a served model, one chain of containers per instance.

    Built from what `Tools` lists.

    Attributes:
        catalog: where the models are.
        serve: starts the containers of one instance, as `serving.served`.
    """

    catalog: Catalog = field(kw_only=True)
    serve: Serve = field(default=served, kw_only=True)

    async def run(self, job: Job) -> Outcome:
        with self.logs.of(job, StepType.TRANSFORM) as log:
            try:
                request = parse_transform(job.arguments)
                associated = association(request)
                if not self.stubbed(job.step):
                    model_containers(self.catalog, request.model_name)
            except JobError as error:
                log.note(error.reason)
                return Failed(step_reason(error.reason), error.error)
            return await _Work(self, job, request, associated, log, Timeline(self.clock)).run()


@dataclass(frozen=True, slots=True)
class _Work:
    """One transform job on its way."""

    tools: TransformExecutor
    job: Job
    request: TransformRequest
    association: Association
    log: StepLog
    timeline: Timeline

    async def run(self) -> Outcome:
        self._enter("Starting")
        try:
            await self._to_the_end()
        except JobError as error:
            return self._failed(error)
        except ImageMissingError as error:
            return self._failed(client_error(str(error)))
        except asyncio.CancelledError:
            return Stopped(self._describe(STOPPED))
        finally:
            await asyncio.to_thread(remove, self._folder)
        return Succeeded(self._describe(Ending(JobStatus.COMPLETED)))

    def _failed(self, error: JobError) -> Failed:
        self.log.note(error.reason)
        answer = self._describe(Ending(JobStatus.FAILED, failure=error.reason))
        return Failed(step_reason(error.reason), error.error, answer)

    def _enter(self, status: str) -> None:
        self.timeline.enter(status, "")
        self.tools.on_progress(self.job, self._describe(IN_PROGRESS))

    def _describe(self, ending: Ending) -> JsonObject:
        echoed = echo_transform(self.job.arguments)
        return describe_transform(echoed, self.job.name, self._arn, self.timeline, ending)

    @property
    def _arn(self) -> str:
        return self.tools.partition.arn(f"transform-job/{self.job.name}")

    @property
    def _folder(self) -> Path:
        return self.tools.folder / self.job.name

    @property
    def _outputs(self) -> Path:
        return self._folder / "outputs"

    async def _to_the_end(self) -> None:
        data = self.request.transform_input.data_source.s3_data_source
        source = Source("TransformInput", data.s3_uri, "/", manifest=data.s3_data_type == "ManifestFile")
        selection = await self.tools.select(self.job, source, self.log)
        if self.tools.stubbed(self.job.step):
            self._start()
            await stubbed.play(
                self.tools, self.tools.catalog, self.job, self.request, selection.items, log=self.log
            )
        else:
            await self._transform(selection)

    def _start(self) -> None:
        if self.timeline.when(STARTED) is None:
            self._enter(STARTED)

    async def _transform(self, selection: Selection) -> None:
        """Transform all files; those that could be are kept, whatever became of the others."""
        count = self.request.transform_resources.instance_count
        shares = {f"algo-{number + 1}": selection.share(number, count).items for number in range(count)}
        busy = {name: items for name, items in shares.items() if items}
        if len(busy) < count:
            self.log.note(f"{count - len(busy)} of {count} instances have no file to transform: not started")
        sources = Sources(self.tools.objects, await self._store_folder(selection), self._folder / "inputs")
        tally = Tally(len(selection.items), self.log, self.tools.clock)
        self._outputs.mkdir(parents=True, exist_ok=True)
        try:
            await side_by_side(
                self._serve(name, items, sources, tally, alone=len(busy) == 1) for name, items in busy.items()
            )
        except JobError:
            await self._keep(tally)
            raise
        await self._keep(tally)
        if error := tally.error():
            raise error
        await self._capture(selection.items)

    async def _store_folder(self, selection: Selection) -> Path | None:
        return None if selection.folder is None else await self.tools.objects.folder(selection.folder)

    async def _serve(
        self, name: str, items: Sequence[Item], sources: Sources, tally: Tally, *, alone: bool
    ) -> None:
        """Transform the files of one instance with containers of its own."""
        serving = self.tools.serve(
            self.tools,
            self.tools.catalog,
            self.job,
            self.request.model_name,
            self.log,
            env=environment(self.request),
            instance=name,
            alone=alone,
        )
        async with serving as model:
            self._start()
            wished = strategy(self.request, model.parameters)
            chosen = wished.affordable()
            self.log.note(str(chosen))
            if chosen != wished:
                self.log.note(f"not {wished.concurrent} at once: all may have {LARGEST_MB} MB together")
            await self._instance(model, chosen, sources, tally).transform(items)

    def _instance(self, model: Served, chosen: Strategy, sources: Sources, tally: Tally) -> Instance:
        source = self.request.transform_input
        gate = asyncio.Semaphore(chosen.concurrent)
        records = self.association.reads_records or (chosen.single and source.split_type != "None")
        return Instance(
            asking=Asking(model, self.request, gate, self.tools.clock, self.log),
            cutting=Cutting(source.split_type, chosen.single, chosen.limit_mb * MEGABYTE, self.association),
            assembly=Assembly(
                self.association, self.request.transform_output.assemble_with == "Line", self._stamp
            ),
            sources=sources,
            tally=tally,
            concurrent=chosen.concurrent,
            streamed=chosen.megabytes == 0 and not records,
            gzipped=source.compression_type == "Gzip",
            folder=self._outputs,
            places=asyncio.Semaphore(chosen.concurrent * AHEAD),
        )

    def _stamp(self, item: Item) -> Stamp | None:
        asked = self.request.data_capture_config
        if asked is None or not asked.generate_inference_id:
            return None
        begun = datetime.fromtimestamp(self.timeline.begun, UTC)
        return Stamp(f"{self._arn}/{item.uri}", begun.strftime("%Y-%m-%dT%H:%M:%SZ"))

    async def _keep(self, tally: Tally) -> None:
        path = self.request.transform_output.s3_output_path
        if tally.outputs:
            self.log.note(await upload_outputs(self.tools.objects, tally.outputs, path))

    async def _capture(self, items: Sequence[Item]) -> None:
        asked = self.request.data_capture_config
        if asked is not None:
            scratch = self._folder / f"{self.job.name}.json"
            goal = Capture(asked.destination_s3_uri, self.timeline.begun, scratch)
            path = self.request.transform_output.s3_output_path
            self.log.note(await capture(self.tools.objects, items, path, goal))
