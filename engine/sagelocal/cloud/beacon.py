"""Where the endpoints of running engines are, told to this machine's other processes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from sagelocal.cloud import disk

_FILE = "endpoint.json"


def announce(home: Path, url: str) -> None:
    """Write ``endpoint.json`` into the state folder; the engine that comes last is named first.

    Raises:
        MachineError: it cannot be written.
    """
    with disk.faults(home / _FILE):
        home.mkdir(parents=True, exist_ok=True)
        with _changing(home):
            # Whoever was killed could not withdraw.
            others = [each for each in _read(home) if each["url"] != url and _lives(each.get("pid"))]
            _write(home, [{"url": url, "pid": os.getpid()}, *others])


def withdraw(home: Path, url: str) -> None:
    """Take back an announcement; those of other engines stay."""
    if url not in announced(home):
        return
    with _changing(home):
        _write(home, [each for each in _read(home) if each["url"] != url])


def announced(home: Path) -> list[str]:
    """The URLs that engines have announced, the last first; nobody may answer at that of an engine that was killed."""
    return [each["url"] for each in _read(home)]


def _read(home: Path) -> list[dict[str, Any]]:
    try:
        first = json.loads((home / _FILE).read_text(encoding="utf-8"))
        found = [first, *first.pop("others", [])]
        return [each for each in found if isinstance(each["url"], str)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _write(home: Path, engines: list[dict[str, Any]]) -> None:
    path = home / _FILE
    if not engines:
        path.unlink(missing_ok=True)
        return
    first, *others = engines
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps({**first, **({"others": others} if others else {})}) + "\n", encoding="utf-8")
    fresh.replace(path)  # whoever reads sees a whole file


@contextmanager
def _changing(home: Path) -> Iterator[None]:
    """Let one engine at a time read and write."""
    with FileLock(home / "endpoint.lock"):
        yield


def _lives(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    if os.name == "nt":  # where signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
