"""Containers that run nothing and leave what a stub file declares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from sagelocal.clock import Clock
from sagelocal.errors import MachineError, UsageError
from sagelocal.nearest import nearest
from sagelocal_executors.containers import Access, ContainerSpec, Exit, Mount
from sagelocal_executors.containers.stub_checks import check_files

try:
    import yaml
except ImportError:  # pyyaml is not among the base dependencies; JSON always works
    yaml = None  # type: ignore[assignment]  # a module otherwise

_CONFIG = "/opt/ml/config/processingjobconfig.json"
_FOLDERS = {"model": "/opt/ml/model", "transform": "/opt/ml/transform"}
"""The outputs of jobs that do not name theirs: a training job's model, a transform job's predictions."""
_REASONS = ("/opt/ml/output/failure", "/opt/ml/output/message")
"""Where a training and a processing container say why they failed (semantics 08 §8.1, §8.2)."""
PLACEHOLDER = "sagelocal-stub.txt"
_PLACEHOLDER_TEXT = "Written by sagelocal's stub runtime in the place of a real output.\n"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StubFailure(_Frozen):
    """Why a stubbed job fails: a sentence, and the error class that retry policies look at."""

    reason: str = "the stub says so"
    error: str = "AlgorithmError"


class Stub(_Frozen):
    """What stands in for one step's job.

    Attributes:
        exit_code: of the container; not 0 means failure.
        failure: given, the job fails for this reason; its exit code is 1 unless `exit_code` says otherwise.
        duration: seconds that the job takes, on the run's clock.
        outputs: where (an absolute container path, an output's name, or ``model``) to relative path to content: a text
            as it is, any other JSON value as JSON.
        values: what a Lambda or Callback step returns, by output name; a placeholder of its type for any other output.
        logs: lines that the container prints.
        metrics: final values by name.
        fail_times: only so many attempts fail; None: all, if `exit_code` or `failure` says that the job fails.
        properties: laid over the Describe answer.
        violations: what the job of a QualityCheck or ClarifyCheck step reports: a list as in constraint_violations.json,
            or true for one that is made up.
    """

    exit_code: int = Field(default=0, ge=0, le=255)
    failure: StubFailure | None = None
    duration: float = Field(default=0.0, ge=0)
    outputs: Mapping[str, Mapping[str, JsonValue]] = Field(default_factory=dict)
    values: Mapping[str, JsonValue] = Field(default_factory=dict)
    logs: tuple[str, ...] = ()
    metrics: Mapping[str, float] = Field(default_factory=dict)
    fail_times: int | None = Field(default=None, ge=0)
    properties: Mapping[str, JsonValue] = Field(default_factory=dict)
    violations: bool | tuple[Mapping[str, JsonValue], ...] = False

    def fails(self, attempt: int) -> bool:
        """Whether this attempt, 1 the first, fails."""
        if self.fail_times is not None:
            return attempt <= self.fail_times
        return bool(self.exit_code or self.failure)

    def code(self, attempt: int) -> int:
        return (self.exit_code or 1) if self.fails(attempt) else 0


class Stubs(_Frozen):
    """All stubs of a run: step name or pattern (as fnmatch) to stub."""

    steps: Mapping[str, Stub] = Field(default_factory=dict)

    def of(self, step: str) -> Stub:
        """The stub of exactly this name, else of the first pattern that matches, else one that just succeeds."""
        if step in self.steps:
            return self.steps[step]
        return next((stub for pattern, stub in self.steps.items() if fnmatchcase(step, pattern)), Stub())


def load_stubs(path: Path | str) -> Stubs:
    """Read a stub file, JSON or YAML: ``{"steps": {"Train*": {"exit_code": 1}}}``.

    Raises:
        UsageError: it cannot be read, or has an unknown or ill-typed key; the text names it and the nearest known one.
        MachineError: it is YAML and pyyaml is not installed.
    """
    path = Path(path)
    try:
        raw = _parsed(path, path.read_text(encoding="utf-8"))
        return Stubs.model_validate({} if raw is None else raw)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read: {error}"
        raise UsageError(message) from None
    except ValidationError as error:
        raise UsageError("\n".join(_explain(error, path))) from None


def _parsed(path: Path, text: str) -> Any:
    try:
        if path.suffix not in {".yaml", ".yml"}:
            return json.loads(text)
        if yaml is not None:
            return yaml.safe_load(text)
    except ValueError as error:
        message = f"{path}: is no JSON: {error}"
        raise UsageError(message) from None
    except yaml.YAMLError as error:
        message = f"{path}: is no YAML: {error}"
        raise UsageError(message) from None
    message = f"{path}: reading YAML needs pyyaml: `pip install pyyaml`, or write the stubs as JSON"
    raise MachineError(message)


def _explain(error: ValidationError, path: Path) -> Iterator[str]:
    known = [*Stub.model_fields, *StubFailure.model_fields, *Stubs.model_fields]
    for item in error.errors():
        key = ".".join(map(str, item["loc"]))
        near = nearest(str(item["loc"][-1]) if item["loc"] else "", known)
        unknown = item["type"] == "extra_forbidden"
        message = "unknown key" if unknown else item["msg"]
        hint = f" (did you mean {near!r}?)" if unknown and near else ""
        yield f"{path}: {key or 'the file'}: {message}{hint}"


class StubContainers:
    """Takes the time, prints the lines and writes the files that the stubs declare; placeholders where they are silent."""

    def __init__(self, stubs: Stubs, clock: Clock) -> None:
        self._stubs = stubs
        self._clock = clock

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit:
        """As `Containers.run`.

        Raises:
            UsageError: a stub names an output that the step does not have.
        """
        assert spec.listener is None, "nothing serves in a stubbed step"
        stub = self._stubs.of(spec.step)
        limit = spec.limits.seconds
        for line in stub.logs:
            on_line(line)
        for name, value in stub.metrics.items():
            on_line(f"{name}={value}")
        if limit is not None and stub.duration > limit:
            await self._clock.sleep(limit)
            return Exit(143, timed_out=True)
        if stub.duration:
            await self._clock.sleep(stub.duration)
        _write_outputs(spec, stub)
        if stub.fails(spec.attempt) and stub.failure:
            on_line(stub.failure.reason)
            _write_reason(spec, stub.failure.reason)
        return Exit(stub.code(spec.attempt))


def _write_outputs(spec: ContainerSpec, stub: Stub) -> None:
    places = _places(spec)
    for where, files in stub.outputs.items():
        folder = _host_path(spec, places.get(where, where))
        if folder is None:
            raise UsageError(_unknown_output(spec.step, where, [*places, *places.values()]))
        for name, content in files.items():
            _write(folder, name, content if isinstance(content, str) else json.dumps(content))
    if not stub.fails(spec.attempt):
        for path in places.values():
            folder = _host_path(spec, path)
            if folder is not None:
                _write_placeholders(folder, check_files(spec.env, stub.violations))


def _write_placeholders(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files that are not there; a text that says who wrote it where there would be none."""
    for name, text in files.items():
        if not (folder / name).exists():
            _write(folder, name, text)
    if not (folder.exists() and any(folder.iterdir())):
        _write(folder, PLACEHOLDER, _PLACEHOLDER_TEXT)


def _places(spec: ContainerSpec) -> dict[str, str]:
    """Output name to container path: of the processing job's own configuration, else of the folders it can have."""
    config = _host_path(spec, _CONFIG, tuple(Access))
    if config is not None and config.is_file():
        outputs = json.loads(config.read_text(encoding="utf-8")).get("ProcessingOutputConfig") or {}
        found = {item["OutputName"]: item.get("S3Output") for item in outputs.get("Outputs") or ()}
        return {name: output["LocalPath"] for name, output in found.items() if output}
    return {name: path for name, path in _FOLDERS.items() if _host_path(spec, path) is not None}


def _host_path(spec: ContainerSpec, path: str, accesses: tuple[Access, ...] = (Access.WRITE,)) -> Path | None:
    """Where the container's path lies on the host; None when no mount covers it."""
    inside = PurePosixPath(path)
    covering = [mount for mount in spec.mounts if inside.is_relative_to(mount.target)]
    if not covering or not inside.is_absolute():
        return None
    nearest: Mount = max(covering, key=lambda mount: len(PurePosixPath(mount.target).parts))
    if nearest.access not in accesses:
        return None
    return nearest.source / inside.relative_to(nearest.target)


def _write(folder: Path, name: str, text: str) -> None:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        message = f"A stub's file {name!r} must be a path below its output, without '..'"
        raise UsageError(message)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_reason(spec: ContainerSpec, reason: str) -> None:
    for place in _REASONS:
        path = _host_path(spec, place)
        if path is not None:
            _write(path.parent, path.name, reason)


def _unknown_output(step: str, where: str, known: list[str]) -> str:
    near = nearest(where, known)
    hint = f"did you mean {near!r}?" if near else f"it has {', '.join(known) or 'none'}"
    return f"The stub of step {step!r} names the output {where!r}, which the step does not have ({hint})"
