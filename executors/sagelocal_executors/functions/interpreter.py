"""The Python that runs functions, with AWS's runtime client in its reach."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sagelocal.errors import MachineError

_PARTS = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""The runtime client, and what it imports."""
_PORTRAIT = f"""
import json, sys
from importlib.util import find_spec
print(json.dumps([sys.version_info[:2], all(map(find_spec, {_PARTS[:2]!r}))]))
"""


@dataclass(frozen=True, slots=True)
class FunctionPython:
    """An interpreter that can run functions.

    Attributes:
        version: ``3.11``.
        borrowed: folder with our own runtime client, for an interpreter that has none; None: it has one.
    """

    executable: Path
    version: str
    borrowed: Path | None = None


async def function_python(executable: Path, scratch: Path) -> FunctionPython:
    """Look at an interpreter; `scratch` is where links to our runtime client may be laid.

    Raises:
        MachineError: it cannot be run, or has no runtime client and ours does not fit.
    """
    version, equipped = await _look_at(executable)
    if equipped:
        return FunctionPython(executable, version)
    if version != _ours():
        message = f"The Python {executable} ({version}) has no awslambdaric: `{executable} -m pip install awslambdaric`"
        raise MachineError(message)
    return FunctionPython(executable, version, _lend(scratch / f"runtime-client-{version}"))


def _ours() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


async def _look_at(executable: Path) -> tuple[str, bool]:
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(executable), "-c", _PORTRAIT),
            cwd="/",
            env={"PATH": os.defpath},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        (major, minor), equipped = json.loads(output)
    except OSError as error:
        message = f"The Python {executable} cannot be run: {error}. Correct `python` in sagelocal.toml"
        raise MachineError(message) from None
    except ValueError:
        message = f"The Python {executable} does not work: {errors.decode(errors='replace').strip()}"
        raise MachineError(message) from None
    return f"{major}.{minor}", bool(equipped)


def _lend(folder: Path) -> Path:
    """A folder with our runtime client alone: all else of our environment is no concern of a function."""
    for name in _PARTS:
        place = _place(name)
        if place is None:
            message = "Lambda functions need AWS's runtime client: `pip install 'sagelocal[lambda]'`"
            raise MachineError(message)
        link = folder / place.name
        folder.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.unlink(missing_ok=True)  # of an environment that has gone
            link.symlink_to(place)
    return folder


def _place(name: str) -> Path | None:
    found = find_spec(name)
    if found is None or found.origin is None:
        return None
    place = Path(found.origin)
    return place.parent if place.name == "__init__.py" else place
