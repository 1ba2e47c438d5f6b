"""The settings of one call of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sagelocal.cli.faults import state_folder
from sagelocal.settings import Settings, configured_folder, load_settings


def settings_of(
    config: Path | None, home: Path | None, beside: Path | None = None, **overrides: Any
) -> Settings:
    """The settings of this call; `beside` is the folder to look for a configuration in when this one has none.

    Raises:
        UsageError: the configuration is wrong.
    """
    if home is not None:
        overrides["home"] = home.expanduser().absolute()
    settings = load_settings(configured_folder(beside), file=config, **overrides)
    state_folder.set(settings.home)
    return settings
