"""Reads a state folder without an engine."""

from __future__ import annotations

from sagelocal.database import open_database
from sagelocal.errors import UsageError
from sagelocal.logs import StepLogs
from sagelocal.names import Partition
from sagelocal.settings import Settings
from sagelocal.store.claims import Claims
from sagelocal.store.journal import Journal
from sagelocal.store.views import Views


def open_logs(settings: Settings) -> StepLogs:
    """The step logs of a state folder."""
    return StepLogs(settings.home / "logs")


def open_views(settings: Settings) -> Views:
    """The executions of a state folder; looking leaves no state behind."""
    path = settings.home / "state.db"
    if settings.home.exists() and not settings.home.is_dir():
        message = f"{settings.home} is no folder: name the state folder with --home or SAGELOCAL_HOME"
        raise UsageError(message)
    journal = Journal(open_database(path if path.exists() else ":memory:"))
    driven = Claims(settings.home / "claims").taken
    return Views(journal, Partition(settings.region, settings.account), open_logs(settings).where, driven)
