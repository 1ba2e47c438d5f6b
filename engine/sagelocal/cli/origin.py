"""How an execution was started, kept with it so that ``resume`` needs to be told nothing again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sagelocal.cli.configuration import settings_of
from sagelocal.engine import open_views
from sagelocal.settings import Runtime, Settings, configured_folder, load_settings


@dataclass(frozen=True, slots=True)
class Origin:
    """The options of the command line, as absolute paths and words; empty: not given.

    Attributes:
        folder: where the configuration is looked for.
        config: the configuration file.
    """

    folder: str
    config: str = ""
    runtime: str = ""
    stubs: str = ""

    @property
    def kept(self) -> Mapping[str, str]:
        """As `Engine.start` keeps it."""
        return {key: value for key, value in asdict(self).items() if value}


def origin(beside: Path | None, config: Path | None, runtime: Runtime | None, stubs: Path | None) -> Origin:
    """The origin of an execution that starts now; `beside` is the folder of its source."""
    return Origin(
        str(configured_folder(beside).absolute()),
        str(config.absolute()) if config else "",
        runtime or "",
        str(stubs.absolute()) if stubs else "",
    )


def original(
    execution: str, config: Path | None, home: Path | None, runtime: Runtime | None, stubs: Path | None
) -> tuple[Settings, Path | None]:
    """The settings and the stub file with which to go on; what is given now wins over what was given then.

    Raises:
        NotFoundError: there is no such execution.
        UsageError: the configuration is wrong.
    """
    here = settings_of(config, home)
    kept = open_views(here).execution(execution).origin
    played = runtime or kept.get("runtime")
    stub_file = stubs or (Path(kept["stubs"]) if "stubs" in kept else None)
    if config or "folder" not in kept:
        return here.model_copy(update={"runtime": Runtime(played or here.runtime)}), stub_file
    file = Path(kept["config"]) if "config" in kept else None
    return load_settings(Path(kept["folder"]), file=file, home=here.home, runtime=played), stub_file
