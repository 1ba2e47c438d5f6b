"""The Python that plays an image in the process runtime."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sagelocal.errors import MachineError
from sagelocal.settings import Settings
from sagelocal_executors.containers.waiting import unbroken

_SELF_PORTRAIT = """
import json, platform, site, sys
print(json.dumps({
    "version": platform.python_version(),
    "base": site.getuserbase(),
    "prefix": sys.prefix,
    "paths": [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.executable, site.getuserbase(), *sys.path],
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter, looked at once.

    Attributes:
        executable: as configured; the link of a virtual environment stays one.
        version: ``3.11.7``.
        user_base: where its user's packages lie (PYTHONUSERBASE).
        prefix: the folder of its environment, where pip installs.
        paths: every file and folder that it needs, none below another.
    """

    executable: Path
    version: str
    user_base: str
    prefix: Path
    paths: tuple[Path, ...]

    @property
    def short_version(self) -> str:
        return ".".join(self.version.split(".")[:2])


def chosen(settings: Settings, image: str) -> Path:
    """The interpreter for this image: of its rule, of the settings, or the one running us."""
    return settings.image_rule(image).python or settings.python or Path(sys.executable)


async def look_at(executable: Path) -> Interpreter:
    """Run the interpreter once to learn what it is.

    Raises:
        MachineError: it cannot be run.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(executable), "-c", _SELF_PORTRAIT),
            cwd="/",
            env={"HOME": os.environ.get("HOME", "/"), "PATH": os.defpath},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await _answer(process)
        portrait = json.loads(output)
    except (OSError, ValueError) as error:
        message = f"The Python {executable} cannot be run: {error}. Correct `python` in sagelocal.toml"
        raise MachineError(message) from None
    if process.returncode:
        message = f"The Python {executable} does not work: {errors.decode(errors='replace').strip()}"
        raise MachineError(message)
    named = {executable, *_absolute(portrait["paths"])}
    paths = _outermost(named | {path.resolve() for path in named})
    return Interpreter(executable, portrait["version"], portrait["base"], Path(portrait["prefix"]), paths)


async def _answer(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """What the process prints; a process that nobody waits for any more is ended, and its pipes are read to their ends."""
    try:
        return await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await unbroken(process.communicate())
        raise


def _outermost(paths: set[Path]) -> tuple[Path, ...]:
    """Those that lie below none of the others: a link inside a folder cannot be shown again once the folder is."""
    return tuple(sorted(path for path in paths if paths.isdisjoint(path.parents)))


def _absolute(paths: list[str]) -> Iterator[Path]:
    return (path for path in map(Path, paths) if path.is_absolute())
