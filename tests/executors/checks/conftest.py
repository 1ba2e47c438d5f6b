"""Check steps for tests: the real processing executor around a container that is played by a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.cloud.invocations import Invocations
from sagelocal.cloud.registry import new_group
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor, Job, Outcome
from sagelocal_executors.checks.clarify import ClarifyCheckExecutor
from sagelocal_executors.checks.quality import QualityCheckExecutor
from sagelocal_executors.checks.shadow import Shadows
from sagelocal_executors.models import RegisterModelExecutor
from sagelocal_executors.processing import ProcessingExecutor

if TYPE_CHECKING:
    from tests.executors.conftest import Box, World

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
JOB = "pipelines-abcdefghijkl-Step-0123456789"
OUT = "/opt/ml/processing/output"
FILES = {"QualityCheck": ("statistics.json", "constraints.json"), "ClarifyCheck": ("analysis.json",)}


def kind_of(check_type: str) -> str:
    return "QualityCheck" if check_type.endswith("QUALITY") else "ClarifyCheck"


def an_input(name: str, uri: str, path: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "AppManaged": False, "S3Input": s3}


@dataclass
class Analyst:
    """What the job's container does: new baselines always, and a report when it was given a baseline to compare with."""

    violations: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int = 0
    baselines: dict[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, box: Box) -> int:
        self.env = box.spec.env
        if self.exit_code:
            box.say("no luck")
            return self.exit_code
        kind = "QualityCheck" if "quality" in box.spec.image else "ClarifyCheck"
        for file in FILES[kind]:
            box.write(f"{OUT}/{file}", json.dumps({"version": 0.0}))
        given = {name: path for name, path in self.env.items() if name.startswith("baseline_")}
        self.baselines = {name: box.read(path) for name, path in given.items()}
        if "baseline_constraints" in given:
            box.write(f"{OUT}/constraint_violations.json", json.dumps({"violations": self.violations}))
        return 0


@dataclass
class Desk:
    """One account with a check step to run."""

    world: World
    analyst: Analyst = field(default_factory=Analyst)
    stubbed: bool = False
    program: Any = None

    def job(self, check_type: str, **keys: Any) -> Job:
        """The step's job; `keys` are its keys, of which null is the default, and `arguments` changes its request."""
        kind = kind_of(check_type)
        name, image = ("quality_check_output", "quality:1")
        if kind == "ClarifyCheck":
            name, image = "analysis_result", "clarify:1"
        s3 = {"S3Uri": "s3://bucket/new", "LocalPath": OUT, "S3UploadMode": "EndOfJob"}
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        arguments = {
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": image},
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": name, "S3Output": s3}]},
            **keys.pop("arguments", {}),
        }
        extras = {"CheckType": check_type, **keys}
        return Job(EXECUTION, "Step", StepType(kind), 1, JOB, arguments, extras)

    async def run(self, check_type: str, **keys: Any) -> Outcome:
        job = self.job(check_type, **keys)
        return await self.executor(job.kind).run(job)

    def executor(self, kind: StepType, invocations: Invocations | None = None) -> Executor:
        processing = self.processing()
        parts = (processing, processing, self.world.catalog)
        if kind is StepType.QUALITY_CHECK:
            return QualityCheckExecutor(*parts)
        processing, tools, catalog = parts
        shadows = Shadows(tools, catalog, invocations or Invocations("000000000000"))
        return ClarifyCheckExecutor(processing, shadows)

    def processing(self) -> ProcessingExecutor:
        """The processing executor, which has the tools of the others as well."""
        plain = self.world.processing(self.program or self.analyst)
        return ProcessingExecutor(
            plain.containers,
            plain.objects,
            plain.logs,
            plain.partition,
            plain.folder,
            plain.clock,
            plain.grace,
            lambda _: self.stubbed,
        )

    def put_baseline(self, prefix: str) -> dict[str, str]:
        """Two files of a previous baseline; their URIs as a step's keys."""
        for name in ("statistics", "constraints"):
            self.world.put(f"{prefix}/{name}.json", f"{name} below {prefix}")
        return {
            "SuppliedBaselineStatistics": f"{prefix}/statistics.json",
            "SuppliedBaselineConstraints": f"{prefix}/constraints.json",
        }

    async def register(
        self, section: str, members: Mapping[str, str], group: str = "Group", status: str = "Approved"
    ) -> str:
        """Register a model package with baselines, as a RegisterModel step does; its ARN."""
        executor = RegisterModelExecutor(self.world.catalog, self.world.partition, self.world.clock)
        sources = {name: {"ContentType": "application/json", "S3Uri": uri} for name, uri in members.items()}
        arguments: dict[str, Any] = {
            "ModelPackageGroupName": group,
            "ModelApprovalStatus": status,
            "DriftCheckBaselines": {section: sources},
        }
        outcome = await executor.run(
            Job(EXECUTION, "Register", StepType.REGISTER_MODEL, 1, "pipelines-x-Register", arguments)
        )
        return str(outcome.properties["ModelPackageArn"])

    def create_group(self, name: str) -> None:
        self.world.catalog.put(new_group(self.world.partition, name, 1.0))

    def recorded(self) -> Entity | None:
        """The processing job that the check has left in the account."""
        return self.world.catalog.get(Kind.PROCESSING_JOB, JOB)


@pytest.fixture(name="desk")
def _desk(world: World) -> Desk:
    return Desk(world)


@pytest.fixture(name="desk_of")
def _desk_of(world: World) -> Callable[..., Desk]:
    return lambda **options: Desk(world, **options)
