"""Every knob, read once, at the front door."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

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


class StepSettings(_Frozen):
    """What is special about one step; `runtime` overrides the run's."""

    runtime: Runtime | None = None


class Target(_Frozen):
    """Where calls to other AWS services go: ``embedded``, ``localstack`` or the URL of an endpoint."""

    endpoint: str = "embedded"


class Settings(_Frozen):
    """All settings of one run, resolved.

    Attributes:
        home: the state folder.
        region: of every ARN.
        account: of every ARN; twelve digits.
        runtime: what plays containers, unless a step says otherwise.
        python: the interpreter that the process runtime uses unless an image rule names one; None: the one running us.
        images: pattern of ImageUri (as fnmatch) to what stands in for it; the first match counts.
        s3: S3 URI of an object or prefix to the file or folder that is put there before a run.
        parameters: defaults for pipeline parameters, before those of the definition.
        steps: per step name, what is special about it.
        aws: where calls that we do not serve ourselves go.
        stop_grace: seconds between SIGTERM and SIGKILL (120 at SageMaker, semantics 08 §8.2).
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
    s3: Mapping[str, Path] = Field(default_factory=dict)
    parameters: Mapping[str, str | int | float | bool] = Field(default_factory=dict)
    steps: Mapping[str, StepSettings] = Field(default_factory=dict)
    aws: Target = Target()
    stop_grace: float = Field(default=120.0, ge=0)
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
            *StepSettings.model_fields,
            *Target.model_fields,
        ]
        message = "unknown setting" if item["type"] == "extra_forbidden" else item["msg"]
        unknown = str(item["loc"][-1]) if item["loc"] else ""
        yield f"{source or 'settings'}: {key}: {message}{did_you_mean(unknown, known)}"


def _absolute(settings: Settings, base: Path, base_home: Path) -> Settings:
    rules = {
        pattern: rule.model_copy(update={"python": _under(base, rule.python)}) if rule.python else rule
        for pattern, rule in settings.images.items()
    }
    return settings.model_copy(
        update={
            "home": _under(base_home, settings.home),
            "python": _under(base, settings.python) if settings.python else None,
            "images": rules,
            "s3": {uri: _under(base, path) for uri, path in settings.s3.items()},
        }
    )


def _under(base: Path, path: Path) -> Path:
    # absolute(), not resolve(): a virtual environment's interpreter is a link that must stay one.
    return (base / path.expanduser()).absolute()
