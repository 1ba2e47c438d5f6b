"""Where the endpoint of a running engine is, told to this machine's other processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sagelocal.cloud import disk

_FILE = "endpoint.json"


def announce(home: Path, url: str) -> None:
    """Write ``endpoint.json`` into the state folder; the engine that comes last is the one that is found.

    Raises:
        MachineError: it cannot be written.
    """
    path = home / _FILE
    fresh = path.with_suffix(f".{os.getpid()}")
    with disk.faults(path):
        home.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
        fresh.replace(path)  # whoever reads sees a whole file


def withdraw(home: Path, url: str) -> None:
    """Remove the announcement, unless another engine has put its own in its place."""
    if announced(home) == url:
        (home / _FILE).unlink(missing_ok=True)


def announced(home: Path) -> str | None:
    """The URL that was announced last; nobody may answer there any more, when the engine was killed."""
    try:
        url = json.loads((home / _FILE).read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return url if isinstance(url, str) else None
