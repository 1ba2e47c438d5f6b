"""The training jobs that an AutoML job starts, in script mode with the programs of `candidate`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sagelocal.clock import Clock
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.objects import Objects
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor, Job, Outcome, Succeeded
from sagelocal.values import Json, JsonObject
from sagelocal_executors.archives import write_archive
from sagelocal_executors.auto_ml.requests import AutoMLRequest, Channel
from sagelocal_executors.describe import JobStatus

SEED = 20_231
"""Of all draws: the same data gives the same candidates."""
INSTANCE = "ml.m5.large"
_PROGRAM = "train.py"
_CALLS = "from candidate.program import main\n\nmain()\n"
_BASE_LENGTH = 44


@dataclass(frozen=True, slots=True)
class Children:
    """Starts the training jobs of one AutoML job, and reads what they leave.

    Attributes:
        training: runs them.
        area: the S3 prefix that the AutoML job has for itself.
        folder: a working folder of its own.
    """

    training: Executor
    objects: Objects
    catalog: Catalog
    clock: Clock
    job: Job
    request: AutoMLRequest
    area: str
    folder: Path

    @property
    def output(self) -> str:
        """Below which each job has its results."""
        return f"{self.area}/sagemaker-automl-candidates"

    async def ship_code(self) -> None:
        """Put the programs where the jobs look for them."""
        archive = self.folder / "sourcedir.tar.gz"
        await asyncio.to_thread(_pack, archive)
        await self.objects.upload(archive, self._code)

    @property
    def _code(self) -> str:
        return f"{self.output}/source/sourcedir.tar.gz"

    def name(self, label: str) -> str:
        """``<AutoML job>-<label>-<8 hex>``, the same whenever this job is run again."""
        identity = f"{self.job.execution}/{self.job.step}/{self.job.attempt}/{label}"
        base = self.job.name[:_BASE_LENGTH].rstrip("-")
        return f"{base}-{label}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    async def run(
        self,
        label: str,
        image: str,
        parameters: Mapping[str, Json],
        *,
        metrics: Iterable[str] = (),
        model: str | None = None,
    ) -> Outcome:
        """Run one training job to its end; one that an engine that was killed has completed is not run again.

        Args:
            label: tells it from the others in its name.
            image: its TrainingImage.
            parameters: what it is told, by name.
            metrics: what it prints.
            model: the model.tar.gz that it is to look at.
        """
        child = replace(
            self.job,
            kind=StepType.TRAINING,
            name=self.name(label),
            arguments=self._arguments(image, parameters, metrics, model),
            extras={},
            child=True,
        )
        kept = self.catalog.get(Kind.TRAINING_JOB, child.name)
        if kept is not None and kept.describe.get("TrainingJobStatus") == JobStatus.COMPLETED:
            return Succeeded(kept.describe)
        begun = self.clock.now()
        outcome = await self.training.run(child)
        if outcome.properties:  # else it was refused before it was created
            self.catalog.put(Entity(Kind.TRAINING_JOB, child.name, begun, outcome.properties))
        return outcome

    def _arguments(
        self, image: str, parameters: Mapping[str, Json], metrics: Iterable[str], model: str | None
    ) -> JsonObject:
        """CreateTrainingJob."""
        ours = {"sagemaker_program": _PROGRAM, "sagemaker_submit_directory": self._code}
        limit = self.request.criteria.max_runtime_per_training_job_in_seconds
        channels = [_channel(each) for each in self.request.input_data_config]
        return {
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": name, "Regex": rf"^{name}=([-+.\deE]+)$"} for name in metrics],
            },
            "HyperParameters": {
                name: json.dumps(value) for name, value in {**ours, **self._question, **parameters}.items()
            },
            "InputDataConfig": [*channels, *([_source("model", model)] if model else [])],
            "OutputDataConfig": {"S3OutputPath": self.output},
            "ResourceConfig": {"InstanceType": INSTANCE, "InstanceCount": 1, "VolumeSizeInGB": 30},
            **({"StoppingCondition": {"MaxRuntimeInSeconds": limit}} if limit else {}),
            **{key: value for key, value in self.job.arguments.items() if key in {"RoleArn", "Tags"}},
        }

    @property
    def _question(self) -> dict[str, Json]:
        channel = self.request.training
        return {
            "target": channel.target_attribute_name,
            "weight": channel.sample_weight_attribute_name,
            "validation_fraction": self.request.config.data_split_config.validation_fraction,
            "seed": SEED,
        }

    async def results(self, describe: JsonObject) -> dict[str, bytes]:
        """The files of a completed job's output.tar.gz."""
        archive = self.folder / f"{describe['TrainingJobName']}.tar.gz"
        await self.objects.fetch(f"{artifacts(describe).rpartition('/')[0]}/output.tar.gz", archive)
        return await asyncio.to_thread(_unpacked, archive)


def artifacts(describe: JsonObject) -> str:
    """S3ModelArtifacts of a training job."""
    found = describe["ModelArtifacts"]
    assert isinstance(found, Mapping)
    return str(found["S3ModelArtifacts"])


def _channel(channel: Channel) -> JsonObject:
    source = channel.data_source.s3_data_source
    return _source(channel.channel_type, source.s3_uri, source.s3_data_type)


def _source(name: str, uri: str, kind: str = "S3Prefix") -> JsonObject:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _pack(archive: Path) -> None:
    tree = archive.parent / "source"
    ours = Path(__file__).parent / "candidate"
    shutil.copytree(
        ours, tree / "candidate", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    (tree / _PROGRAM).write_text(_CALLS, encoding="utf-8")
    write_archive([tree], archive)


def _unpacked(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in files.items() if file}
