"""The settings of one call of the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sagelocal.cli.faults import state_folder
from sagelocal.settings import Settings, load_settings


def settings_of(
    config: Path | None, home: Path | None, beside: Path | None = None, **overrides: Any
) -> Settings:
    """The settings of this call; `beside` is the folder to look for a configuration in when this one has none.

    Raises:
        UsageError: the configuration is wrong.
    """
    here = Path.cwd()
    folder = beside if beside and not _configures(here) and _configures(beside) else here
    if home is not None:
        overrides["home"] = home.expanduser().absolute()
    settings = load_settings(folder, file=config, **overrides)
    state_folder.set(settings.home)
    return settings


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
