"""What one measurement says, and how it is taken."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sagelocal.definition.steps import StepType
from sagelocal.engine import Engine
from sagelocal.jobs import Executor, Job, Outcome, Succeeded
from sagelocal.settings import Runtime, Settings
from sagelocal.values import Json, JsonObject

ROLE = "arn:aws:iam::000000000000:role/benchmark"


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        what: was measured.
        measured: in `unit`.
        floor: the least it could cost, measured in the same run; None when there is none.
        promise: in words.
        kept: whether the promise holds; None when the measurement could not be taken.
        note: why not, or more about it.
    """

    what: str
    measured: float | None = None
    unit: str = "ms"
    floor: float | None = None
    promise: str = ""
    kept: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.measured / self.floor if self.measured is not None and self.floor else None


class NoOp:
    """An executor that has nothing to do."""

    async def run(self, job: Job) -> Outcome:
        return Succeeded({"ModelName": job.name})


def processing(
    name: str,
    command: Sequence[str] = ("true",),
    *,
    after: Sequence[str] = (),
    inputs: Mapping[str, Json] | None = None,
    outputs: Mapping[str, str] | None = None,
    image: str = "benchmark:local",
) -> JsonObject:
    """A Processing step; inputs go below /opt/ml/processing/in, outputs come from /opt/ml/processing/out."""
    arguments: dict[str, Json] = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": list(command)},
        "RoleArn": ROLE,
    }
    if inputs:
        arguments["ProcessingInputs"] = [_input(key, uri) for key, uri in inputs.items()]
    if outputs:
        arguments["ProcessingOutputConfig"] = {"Outputs": [_output(key, uri) for key, uri in outputs.items()]}
    step: dict[str, Json] = {"Name": name, "Type": "Processing", "Arguments": arguments}
    return {**step, "DependsOn": list(after)} if after else step


def _input(name: str, uri: Json) -> JsonObject:
    where: JsonObject = {
        "S3Uri": uri,
        "LocalPath": f"/opt/ml/processing/in/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    return {"InputName": name, "AppManaged": False, "S3Input": where}


def _output(name: str, uri: str) -> JsonObject:
    where: JsonObject = {
        "S3Uri": uri,
        "LocalPath": f"/opt/ml/processing/out/{name}",
        "S3UploadMode": "EndOfJob",
    }
    return {"OutputName": name, "AppManaged": False, "S3Output": where}


def definition(steps: Sequence[JsonObject]) -> str:
    return json.dumps(
        {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)},
        separators=(",", ":"),
    )


def _no_op(index: int, after: int | None = None) -> JsonObject:
    """The smallest step there is: 10,000 of them must stay below the 1 MiB that a definition may have."""
    step: dict[str, Json] = {"Name": f"s{index}", "Type": "Model", "Arguments": {}}
    return step if after is None else {**step, "DependsOn": [f"s{after}"]}


def fan_out(steps: int) -> str:
    return definition([_no_op(index) for index in range(steps)])


def chain(steps: int) -> str:
    return definition([_no_op(index, index - 1 if index else None) for index in range(steps)])


def engine(home: Path, runtime: Runtime, *, no_op: bool = False) -> Engine:
    executors: dict[StepType, Executor] | None = {StepType.MODEL: NoOp()} if no_op else None
    return Engine(Settings(home=home, runtime=runtime, stop_grace=1), executors=executors)


async def run(house: Engine, pipeline: str, *, max_parallel: int | None = None) -> float:
    """Run a pipeline that exists to its end; seconds."""
    begin = time.perf_counter()
    view = await house.wait(await house.start(pipeline, max_parallel=max_parallel))
    taken = time.perf_counter() - begin
    if view.status != "Succeeded":
        message = f"{pipeline}: {view.status}: {view.failure_reason}; " + "; ".join(
            f"{step.name}: {step.failure_reason}" for step in view.steps if step.failure_reason
        )
        raise RuntimeError(message)
    return taken


async def interleaved(
    rounds: int, one: Callable[[], Awaitable[float]], other: Callable[[], Awaitable[float]]
) -> tuple[float, float]:
    """The medians of two measurements taken by turns, so that a busy machine slows both."""
    taken = [(await one(), await other()) for _ in range(rounds)]
    return median(first for first, _ in taken), median(second for _, second in taken)
