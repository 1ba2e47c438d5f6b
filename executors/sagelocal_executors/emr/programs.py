"""How a step's command runs: on local Spark, or not at all."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sagelocal.clock import Clock
from sagelocal.cloud.objects import Objects
from sagelocal.errors import MachineError, NotFoundError, UsageError
from sagelocal.jobs import Job
from sagelocal.logs import StepLog
from sagelocal.settings import Runtime, Settings
from sagelocal_executors.containers import Access, Containers, ContainerSpec, Exit, Limits, Mount
from sagelocal_executors.containers.stub import Stub, Stubs
from sagelocal_executors.emr import spark, submit
from sagelocal_executors.emr.commands import STEP_FOLDER, Command
from sagelocal_executors.emr.lake import Lake
from sagelocal_executors.emr.spark import Spark
from sagelocal_executors.faults import client_error
from sagelocal_executors.trees import remove

IMAGE = "emr"
"""What a ContainerSpec of ours names as image; there is none, the process runtime plays it."""

_BIN = "/opt/sagelocal/emr"
# A shell of the sandbox, because only there the PATH to be extended is known.
_ON_PATH = ("sh", "-c", f'PATH="{_BIN}:$PATH:$SPARK_HOME/bin" exec "$@"', "step")
_WRAPPER = f'#!/bin/sh\nexec python3 {_BIN}/submit.py "$@"\n'
# Py4J puts Java's exception on the line after its own, behind a colon.
_ERROR = re.compile(r"(?:: )?(?:[\w.$]+\.)?\w*(?:Error|Exception)\b.*")
_NO_BUCKET = re.compile(r"Could not initialize target File System for URI : s3[an]?://([^/]+)/")
_NO_SPARK = (
    "pyspark is not installed for {python}: NOTHING WAS RUN, and the step ends as the mock is told. "
    "To really run it: pip install 'sagelocal[spark]', and have Java 17"
)
_NO_JAVA = (
    "Spark needs Java, and none was found by JAVA_HOME or on the PATH: install a Java runtime 17 (Debian, Ubuntu: "
    "apt-get install openjdk-17-jre-headless), or stub the step"
)


class End(StrEnum):
    """How a program ended, in EMR's words."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a program, why, and the class of its failure that retry policies look at."""

    end: End
    message: str = ""
    error: str = "AlgorithmError"


@dataclass(frozen=True, slots=True)
class Programs:
    """Runs the commands of steps.

    Attributes:
        containers: sandboxes with the interpreter `python`.
        lake: the buckets as folders.
        folder: where each job gets a working folder.
        stubs: what ends a step that is not really run; where they say nothing, the settings do.
    """

    containers: Containers
    objects: Objects
    lake: Lake
    settings: Settings
    folder: Path
    clock: Clock
    stubs: Stubs
    _found: dict[Path, Spark | None] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The interpreter whose pyspark is used."""
        return interpreter(self.settings)

    async def run(
        self, job: Job, build: Callable[[], Command], log: StepLog, seconds: float | None = None
    ) -> Ended:
        """Run the command that is built, if it is really run, to its end; `seconds` limit it.

        Raises:
            JobError: it cannot be begun.
            asyncio.CancelledError: it was stopped, as our task was.
        """
        if self.settings.runtime_of(job.step) is Runtime.STUB:
            log.place("stub")
            return await self._play(job, log)
        found = await self._spark()
        if found is None:
            log.place("emr mock · nothing is run")
            log.note(_NO_SPARK.format(python=self.python))
            return await self._play(job, log)
        log.place(f"process · spark {found.version}")
        try:
            return await self._really(job, build(), log, found, seconds)
        except (NotFoundError, UsageError) as error:
            raise client_error(str(error)) from None
        finally:
            await asyncio.to_thread(remove, self.folder / job.name)

    async def _spark(self) -> Spark | None:
        if self.python not in self._found:
            self._found[self.python] = await spark.find_spark(self.python)
        return self._found[self.python]

    async def _really(
        self, job: Job, command: Command, log: StepLog, found: Spark, seconds: float | None
    ) -> Ended:
        java = spark.find_java()
        if java is None:
            raise client_error(_NO_JAVA)
        folder = self.folder / job.name
        files = await self._fetched(command, await asyncio.to_thread(_made, folder / "step"))
        log.note(f"runs {' '.join(command.program)}")
        words = _Words(log)
        async with self.lake.folders(folder, command.mentioned) as buckets:
            configured = spark.configuration(buckets, command.defaults)
            await asyncio.to_thread(_write, folder / "spark", configured)
            mounts = (*_mounts(buckets), *self._own(folder), *files)
            env = spark.environment(found, java, self.python)
            limits = Limits(seconds, self.settings.stop_grace)
            try:
                exit_ = await self.containers.run(_spec(job, command, env, mounts, limits), words.hear)
            except MachineError as error:
                raise client_error(str(error)) from None
        return _judged(exit_, words.told, seconds)

    async def _fetched(self, command: Command, folder: Path) -> tuple[Mount, ...]:
        """Lay the files of the step out as EMR puts them on the primary node."""
        for name, uri in command.fetched.items():
            await self.objects.fetch(uri, folder / name)
            (folder / name).chmod(0o755)
        return (Mount(folder, STEP_FOLDER),)

    def _own(self, folder: Path) -> tuple[Mount, ...]:
        """The wrapper of spark-submit, and the configuration."""
        own = folder / "bin"
        _write(own, {"spark-submit": _WRAPPER, "submit.py": ""})
        (own / "spark-submit").chmod(0o755)
        return (
            Mount(own, _BIN, Access.READ),
            Mount(Path(submit.__file__), f"{_BIN}/submit.py", Access.READ),
            Mount(folder / "spark", spark.CONFIGURATION, Access.READ),
        )

    async def _play(self, job: Job, log: StepLog) -> Ended:
        """End as the step's stub says, else as the settings do, after the time that they say."""
        stub, emr = self.stubs.of(job.step), self.settings.emr
        for line in stub.logs:
            log.line(line)
        duration = stub.duration or emr.duration
        if duration:
            await self.clock.sleep(duration)
        for where, files in stub.outputs.items():
            await self._put(where, files, self.folder / job.name)
        if stub == Stub():
            ended = End(emr.outcome)
            return Ended(ended, "" if ended is End.COMPLETED else "the outcome of [emr] in the settings")
        if not stub.fails(job.attempt):
            return Ended(End.COMPLETED)
        if stub.failure:
            return Ended(End.FAILED, stub.failure.reason, stub.failure.error)
        return Ended(End.FAILED, f"exit code {stub.code(job.attempt)}")

    async def _put(self, where: str, files: Mapping[str, object], folder: Path) -> None:
        if not where.startswith("s3://"):
            message = f"The stub names the output {where!r}: a step of EMR has none but S3 URIs (s3://bucket/prefix)"
            raise client_error(message)
        for name, content in files.items():
            path = folder / "stub"
            _write(folder, {"stub": content if isinstance(content, str) else json.dumps(content)})
            await self.objects.upload(path, f"{where.rstrip('/')}/{name}")
        await asyncio.to_thread(remove, folder)


def interpreter(settings: Settings) -> Path:
    """The interpreter whose pyspark is used: of the settings for EMR, else the general one, else the one running us."""
    return settings.emr.python or settings.python or Path(sys.executable)


def _mounts(buckets: Mapping[str, Path]) -> list[Mount]:
    return [Mount(folder, f"{spark.BUCKETS}/{bucket}") for bucket, folder in buckets.items()]


def _spec(
    job: Job, command: Command, env: Mapping[str, str], mounts: tuple[Mount, ...], limits: Limits
) -> ContainerSpec:
    return ContainerSpec(
        name=f"{job.name}-emr",
        image=IMAGE,
        entrypoint=_ON_PATH,
        command=command.program,
        env=env,
        mounts=mounts,
        limits=limits,
        hostname="emr-1",
        hosts=("emr-1",),
        labels={"sagelocal.execution": job.execution, "sagelocal.step": job.step, "sagelocal.job": job.name},
        step=job.step,
        attempt=job.attempt,
    )


class _Words:
    """What a program prints: passed on to the log, with the line kept that says best why it failed."""

    def __init__(self, log: StepLog) -> None:
        self._log = log
        self._error = ""
        self._last = ""

    def hear(self, line: str) -> None:
        self._log.line(line)
        if _ERROR.match(line):
            self._error = line.strip(": \n")
        if line.strip():
            self._last = line.strip()

    @property
    def told(self) -> str:
        told = (self._error or self._last)[:700]
        unknown = _NO_BUCKET.search(told)
        if unknown is None:
            return told
        return f"{told} (bucket {unknown.group(1)!r} is not there: create it before the step, or name it in Args)"


def _judged(exit_: Exit, told: str, seconds: float | None) -> Ended:
    if exit_.timed_out:
        return Ended(End.FAILED, f"it ran longer than its limit of {seconds:g} seconds", "ClientError")
    if exit_.code == 0:
        return Ended(End.COMPLETED)
    memory = "out of memory: " if exit_.oom else ""
    return Ended(End.FAILED, f"{memory}{told}, exit code: {exit_.code}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(folder: Path, files: Mapping[str, str]) -> None:
    _made(folder)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
