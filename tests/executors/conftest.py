"""A small account for executors: a real store, real logs, and containers played by a function."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import botocore.loaders
import pytest
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from sagelocal.clock import SystemClock
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.objects import LocalObjects
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.database import open_database
from sagelocal.definition.steps import PropertyFile, StepType
from sagelocal.jobs import Job, Outcome
from sagelocal.logs import StepLogs
from sagelocal.names import Partition, S3Uri
from sagelocal.values import JsonObject
from sagelocal_executors.containers import Access, ContainerSpec, Exit
from sagelocal_executors.processing import ProcessingExecutor
from sagelocal_executors.training import TrainingExecutor

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
ROLE = "arn:aws:iam::000000000000:role/any"


@dataclass(frozen=True)
class Box:
    """What a program sees of its container: paths as inside, through the mounts."""

    spec: ContainerSpec
    say: Callable[[str], None]

    def path(self, inside: str) -> Path:
        inner = PurePosixPath(inside)
        for mount in reversed(self.spec.mounts):
            if inner.is_relative_to(mount.target):
                return mount.source / inner.relative_to(mount.target)
        raise FileNotFoundError(inside)

    def read(self, inside: str) -> str:
        return self.path(inside).read_text()

    def json(self, inside: str) -> Any:
        return json.loads(self.read(inside))

    def files(self, inside: str) -> list[str]:
        root = self.path(inside)
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

    def write(self, inside: str, data: str) -> None:
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        self.path(inside).write_text(data)

    def overlaid(self, inside: str) -> bool:
        return any(mount.target == inside and mount.access is Access.OVERLAY for mount in self.spec.mounts)


Ended = int | Exit | None
Program = Callable[[Box], Ended | Awaitable[Ended]]


@dataclass
class PlayedContainers:
    """A container runtime that runs nothing but a Python function."""

    program: Program
    specs: list[ContainerSpec] = field(default_factory=list)

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit:
        self.specs.append(spec)
        await asyncio.sleep(0)
        end = self.program(Box(spec, on_line))
        if inspect.isawaitable(end):
            end = await end
        return end if isinstance(end, Exit) else Exit(end or 0)


class World:
    """One account on this machine."""

    def __init__(self, root: Path) -> None:
        self.jobs = root / "jobs"
        self.store = ObjectStore(root / "s3")
        self.objects = LocalObjects(self.store)
        self.logs = StepLogs(root / "logs")
        self.partition = Partition("us-east-1", "000000000000")
        self.clock = SystemClock()
        self.catalog = Catalog(open_database(":memory:"))

    def put(self, uri: str, data: str = "x") -> None:
        self.store.put_bytes(S3Uri.parse(uri), data.encode())

    def get(self, uri: str) -> bytes:
        path = self.store.file(S3Uri.parse(uri))
        assert path is not None, f"{uri} is not among {self.keys('s3://bucket/')}"
        return path.read_bytes()

    def keys(self, prefix: str) -> list[str]:
        return [info.uri.key for info in self.store.list(S3Uri.parse(prefix))]

    def log(self) -> str:
        return "\n".join(self.logs.tail(EXECUTION, "Step", 1000))

    def processing(self, program: Any) -> ProcessingExecutor:
        executor: ProcessingExecutor = self._build(ProcessingExecutor, program)
        return executor

    def training(self, program: Any) -> TrainingExecutor:
        executor: TrainingExecutor = self._build(TrainingExecutor, program)
        return executor

    def _build(self, executor: Callable[..., Any], program: Any) -> Any:
        containers = program if hasattr(program, "run") else PlayedContainers(program)
        return executor(containers, self.objects, self.logs, self.partition, self.jobs, self.clock, 5.0)

    def processing_job(self, **arguments: Any) -> Job:
        return processing_job(**arguments)

    def training_job(self, **arguments: Any) -> Job:
        return training_job(**arguments)

    async def process(self, program: Program, *files: PropertyFile, **arguments: Any) -> Outcome:
        return await self.processing(program).run(processing_job(*files, **arguments))

    async def train(self, program: Program, **arguments: Any) -> Outcome:
        return await self.training(program).run(training_job(**arguments))


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def job(kind: StepType, arguments: JsonObject, *files: PropertyFile) -> Job:
    return Job(
        EXECUTION, "Step", kind, 1, "pipelines-abcdefghijkl-Step-0123456789", arguments, property_files=files
    )


def processing_job(*files: PropertyFile, **arguments: Any) -> Job:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    base: dict[str, Any] = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": "image:1", "ContainerEntrypoint": ["python3", "code.py"]},
        "RoleArn": ROLE,
    }
    return job(StepType.PROCESSING, {**base, **arguments}, *files)


def training_job(**arguments: Any) -> Job:
    base: dict[str, Any] = {
        "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "RoleArn": ROLE,
    }
    return job(StepType.TRAINING, {**base, **arguments})


@cache
def _service(name: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.Loader().load_service_model(name, "service-2"))


def _check(shape_name: str, value: Mapping[str, Any], service: str = "sagemaker") -> None:
    """Assert that the value has the API's shape: required and known members, types, enumerations."""
    shape = _service(service).shape_for(shape_name)
    report = ParamValidator().validate(json.loads(json.dumps(value)), shape)
    assert not report.has_errors(), report.generate_report()
    _check_enums(value, shape)


def _check_enums(value: Any, shape: Any) -> None:
    if isinstance(shape, Shape) and shape.type_name == "structure":
        for name, member in value.items():
            _check_enums(member, shape.members[name])  # type: ignore[attr-defined]  # botocore: StructureShape
    elif shape.type_name == "list":
        for item in value:
            _check_enums(item, shape.member)
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum


@pytest.fixture(name="check_shape", scope="session")
def _check_shape() -> Callable[[str, Mapping[str, Any]], None]:
    return _check


@pytest.fixture(name="check_emr", scope="session")
def _check_emr() -> Callable[[str, Mapping[str, Any]], None]:
    return lambda name, value: _check(name, value, "emr")


@pytest.fixture(name="check_serverless", scope="session")
def _check_serverless() -> Callable[[str, Mapping[str, Any]], None]:
    return lambda name, value: _check(name, value, "emr-serverless")
