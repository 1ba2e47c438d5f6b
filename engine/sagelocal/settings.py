"""Every knob, read once, at the front door."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sagelocal.errors import UsageError
from sagelocal.nearest import did_you_mean


class Runtime(StrEnum):
    """What plays the containers of a job."""

    AUTO = "auto"
    DOCKER = "docker"
    PROCESS = "process"
    STUB = "stub"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Rule = TypeVar("Rule", bound=_Frozen)


class ImageRule(_Frozen):
    """What stands in for the images that match a pattern.

    Attributes:
        docker: the image of the local Docker daemon to run instead.
        python: the interpreter for the process runtime; relative paths count from the configuration file.
        family: the image family that the toolkit plays: ``sklearn``, ``xgboost`` or ``generic``.
    """

    docker: str | None = None
    python: Path | None = None
    family: str | None = None


class FunctionRule(_Frozen):
    """Which code runs as the Lambda functions that match a pattern; a bare text is short for its `code`.

    Attributes:
        code: a Python file, a folder or a zip, relative to the configuration file; ``code:handler`` names the handler, too.
            None: the code that CreateFunction was given.
        handler: ``module.function``; for a Python file the function alone will do.
        python: the interpreter; None: that of the settings.
        docker: an image with a Lambda runtime (``public.ecr.aws/lambda/nodejs:20``) that runs the code instead.
        timeout: in seconds.
        memory: in MB.
        environment: the function's variables, over those that it was created with.
        queues: names or URLs of the queues whose messages the function is given as events.
        batch: the most messages of one event.
    """

    code: Path | None = None
    handler: str | None = None
    python: Path | None = None
    docker: str | None = None
    timeout: float | None = Field(default=None, gt=0, le=900)
    memory: int | None = Field(default=None, ge=1, le=10240)
    environment: Mapping[str, str] = Field(default_factory=dict)
    queues: tuple[str, ...] = ()
    batch: int = Field(default=10, ge=1, le=10)

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        given = {"code": value} if isinstance(value, str | Path) else value
        if not isinstance(given, dict) or not isinstance(given.get("code"), str | Path):
            return given
        code, colon, handler = str(given["code"]).rpartition(":")
        return {"handler": handler, **given, "code": code} if colon else given


class StepSettings(_Frozen):
    """What is special about one step; `runtime` overrides the run's."""

    runtime: Runtime | None = None


class EmrSettings(_Frozen):
    """How steps of EMR and EMR Serverless run.

    Attributes:
        python: the interpreter whose pyspark runs them; None: that of the settings.
        outcome: how a step ends when there is no pyspark and no stub for it.
        duration: seconds that it takes then, on the run's clock.
        step_concurrency: steps that one cluster runs at a time, unless its ClusterConfig says otherwise (1 at EMR).
    """

    python: Path | None = None
    outcome: Literal["COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"] = "COMPLETED"
    duration: float = Field(default=0.0, ge=0)
    step_concurrency: int = Field(default=1, ge=1, le=256)


class Quotas(_Frozen):
    """What is refused with ResourceLimitExceeded when there is more of it; None: nothing is.

    Attributes:
        pipelines: of the account (500 at SageMaker, semantics 11).
        executions: that one engine runs at the same time (20 at SageMaker).
    """

    pipelines: int | None = Field(default=None, ge=0)
    executions: int | None = Field(default=None, ge=0)


class Target(_Frozen):
    """Where calls to other AWS services go: ``embedded``, ``localstack`` or the URL of an endpoint."""

    endpoint: str = "embedded"

    @property
    def embedded(self) -> bool:
        """Whether our own endpoint serves them."""
        return self.endpoint == "embedded"


class Settings(_Frozen):
    """All settings of one run, resolved.

    Attributes:
        home: the state folder.
        region: of every ARN.
        account: of every ARN; twelve digits.
        runtime: what plays containers, unless a step says otherwise.
        python: the interpreter that the process runtime uses unless an image rule names one; None: the one running us.
        images: pattern of ImageUri (as fnmatch) to what stands in for it; the first match counts.
        functions: pattern of ARN or name (as fnmatch) to the code of the Lambda function; the first match counts.
        emr: how steps of EMR run, or end without running.
        s3: S3 URI of an object or prefix to the file or folder that is put there before a run.
        parameters: defaults for pipeline parameters, before those of the definition.
        steps: per step name, what is special about it.
        aws: where calls that we do not serve ourselves go.
        quotas: of the account; without them everything may be had.
        stop_grace: seconds between SIGTERM and SIGKILL (120 at SageMaker, semantics 08 §8.2).
        callback_expiry: seconds that a Callback step waits for its answer (7 days; semantics 13, U4).
        lower_case_pipeline_name: render ``Execution.PipelineName`` in lower case (semantics 13, U24).
        start_after_failure: start steps of unrelated branches after a step has failed (semantics 13, U2).
        create_model_package_groups: let RegisterModel create a missing group (semantics 13, U16).
    """

    home: Path = Path(".sagelocal")
    region: str = "us-east-1"
    account: str = Field(default="000000000000", pattern=r"^\d{12}$")
    runtime: Runtime = Runtime.AUTO
    python: Path | None = None
    images: Mapping[str, ImageRule] = Field(default_factory=dict)
    functions: Mapping[str, FunctionRule] = Field(default_factory=dict)
    emr: EmrSettings = EmrSettings()
    s3: Mapping[str, Path] = Field(default_factory=dict)
    parameters: Mapping[str, str | int | float | bool] = Field(default_factory=dict)
    steps: Mapping[str, StepSettings] = Field(default_factory=dict)
    aws: Target = Target()
    quotas: Quotas = Quotas()
    stop_grace: float = Field(default=120.0, ge=0)
    callback_expiry: float = Field(default=7 * 86_400.0, gt=0)
    lower_case_pipeline_name: bool = False
    start_after_failure: bool = False
    create_model_package_groups: bool = True

    @field_validator("s3")
    @classmethod
    def _s3_uris(cls, value: Mapping[str, Path]) -> Mapping[str, Path]:
        for uri in value:
            if not uri.startswith("s3://"):
                message = f"{uri!r} is not an S3 URI: write s3://bucket/key"
                raise ValueError(message)
        return value

    @field_validator("functions")
    @classmethod
    def _fed_functions(cls, value: Mapping[str, FunctionRule]) -> Mapping[str, FunctionRule]:
        for name, rule in value.items():
            if rule.queues and set("*?[") & set(name):
                message = f"{name!r} has queues, but is a pattern: name the one function that they feed"
                raise ValueError(message)
        return value

    def image_rule(self, image: str) -> ImageRule:
        """The first rule whose pattern matches the ImageUri; an empty one when none does."""
        return next(
            (rule for pattern, rule in self.images.items() if fnmatchcase(image, pattern)), ImageRule()
        )

    def runtime_of(self, step: str) -> Runtime:
        """The runtime asked for this step."""
        special = self.steps.get(step)
        return special.runtime if special and special.runtime else self.runtime


def load_settings(
    folder: Path, environ: Mapping[str, str] | None = None, *, file: Path | None = None, **overrides: Any
) -> Settings:
    """Read ``sagelocal.toml`` or ``[tool.sagelocal]`` of ``pyproject.toml`` in `folder`, then the environment.

    `overrides` (None means: not given) win over ``SAGELOCAL_HOME``, which wins over the file. Relative paths in a file
    count from its folder.

    Raises:
        UsageError: the file cannot be read, or has an unknown or ill-typed key; the text names file and key.
    """
    environ = os.environ if environ is None else environ
    source, raw = _read(folder, file)
    base = source.parent if source else folder
    # Only a home that the file names counts from the file: otherwise the state lies where the user works.
    base_home = base if "home" in raw and "SAGELOCAL_HOME" not in environ else Path.cwd()
    if "SAGELOCAL_HOME" in environ:
        raw = {**raw, "home": environ["SAGELOCAL_HOME"]}
    raw = {**raw, **{key: value for key, value in overrides.items() if value is not None}}
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise UsageError("\n".join(_explain(error, source))) from None
    return _absolute(settings, base, base_home)


def configured_folder(beside: Path | None = None) -> Path:
    """The folder to look for a configuration in: the working folder, unless only `beside` has one."""
    here = Path.cwd()
    return beside if beside and not _configures(here) and _configures(beside) else here


def _configures(folder: Path) -> bool:
    """Whether `load_settings` would find a file there, be it a broken one."""
    if (folder / "sagelocal.toml").exists():
        return True
    try:
        return "sagelocal" in tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get(
            "tool", {}
        )
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _read(folder: Path, file: Path | None) -> tuple[Path | None, dict[str, Any]]:
    """The configuration file and its table; ``(None, {})`` when there is none."""
    candidates = (
        [(file, "")]
        if file
        else [(folder / "sagelocal.toml", ""), (folder / "pyproject.toml", "tool.sagelocal")]
    )
    for path, table in candidates:
        if path is None or not (path.exists() or file):
            continue
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            message = f"{path}: cannot be read: {error}"
            raise UsageError(message) from None
        if not table:
            return path.absolute(), content
        found = content.get("tool", {}).get("sagelocal")
        if found is not None:
            return path.absolute(), found
    return None, {}


def _explain(error: ValidationError, source: Path | None) -> Iterator[str]:
    for item in error.errors():
        key = ".".join(map(str, item["loc"]))
        known = [
            *Settings.model_fields,
            *ImageRule.model_fields,
            *FunctionRule.model_fields,
            *StepSettings.model_fields,
            *EmrSettings.model_fields,
            *Target.model_fields,
        ]
        place = f"{source or 'settings'}: {key}"
        if item["type"] == "extra_forbidden":
            yield f"{place}: unknown setting{did_you_mean(str(item['loc'][-1]), known)}"
        else:
            yield f"{place}: {item['msg'].removeprefix('Value error, ')}"


def _absolute(settings: Settings, base: Path, base_home: Path) -> Settings:
    images = {pattern: _placed(base, rule, "python") for pattern, rule in settings.images.items()}
    functions = {
        pattern: _placed(base, rule, "code", "python") for pattern, rule in settings.functions.items()
    }
    return settings.model_copy(
        update={
            "home": _under(base_home, settings.home),
            "python": _under(base, settings.python) if settings.python else None,
            "images": images,
            "functions": functions,
            "emr": _placed(base, settings.emr, "python"),
            "s3": {uri: _under(base, path) for uri, path in settings.s3.items()},
        }
    )


def _placed(base: Path, rule: Rule, *members: str) -> Rule:
    """The rule with these members, where it has them, as absolute paths."""
    given = {member: getattr(rule, member) for member in members}
    return rule.model_copy(update={member: _under(base, path) for member, path in given.items() if path})


def _under(base: Path, path: Path) -> Path:
    # absolute(), not resolve(): a virtual environment's interpreter is a link that must stay one.
    return (base / path.expanduser()).absolute()
