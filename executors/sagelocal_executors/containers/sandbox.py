"""How one job's sandbox looks from inside, as arguments for bubblewrap."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sagelocal_executors.containers import Access, ContainerSpec, Mount
from sagelocal_executors.containers.bubblewrap import Bubblewrap
from sagelocal_executors.containers.folders import private_copy
from sagelocal_executors.containers.interpreter import Interpreter
from sagelocal_executors.containers.labels import JOB_LABEL

_ML = "/opt/ml"
_BIN = "/opt/sagelocal/bin"
_HOME = "/tmp/home"  # noqa: S108 (inside the sandbox, where /tmp is the job's own)
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 (the same)
_DEVICES = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "JAVA_HOME", "TZ")
_CAPABILITIES = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
"""What Docker leaves to root, too; the rest (mounting, say) a job of root must not have."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One job's view of the machine.

    The machine's own files are there read-only. Private, and thrown away with `folder`: the root folder itself (it is
    the working directory, where scripts leave things), /opt (with /opt/ml exactly there), /tmp, /var/tmp, /dev/shm and
    HOME. Mounts go where the spec says.

    Attributes:
        folder: of the host; private to this job.
        visible: files and folders that must stay visible although they may lie below a private folder.
    """

    bubblewrap: Bubblewrap
    interpreter: Interpreter
    folder: Path
    visible: tuple[Path, ...] = ()

    def prepare(self, spec: ContainerSpec) -> list[str]:
        """Make the private folders; the arguments up to the command."""
        return [
            self.bubblewrap.program,
            *self._system(),
            *self._temporary(),
            *self._packages(),
            *self._names(spec),
            *self._interpreter_names(),
            *self._own_ml(spec),
            *(part for number, mount in enumerate(spec.mounts) for part in self._mount(number, mount)),
            *_isolation(spec),
        ]

    def environment(self, env: dict[str, str]) -> dict[str, str]:
        """`env` on a clean ground: nothing of the user's own environment but where libraries and devices are."""
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {
            **passed,
            "PATH": f"{_BIN}:{self.interpreter.executable.parent}:{_SYSTEM_PATH}",
            "HOME": _HOME,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUSERBASE": self.interpreter.user_base,
            **({"SAGELOCAL_PIP_TARGET": "environment"} if self.installs_apart else {}),
            **env,
        }

    def _system(self) -> Iterator[str]:
        opt = Path("/opt")
        yield from ("--bind", str(self._made("root")), "/")
        yield from _root_by_parts()
        if opt.is_dir() and self.bubblewrap.overlay:
            yield from ("--overlay-src", "/opt", "--tmp-overlay", "/opt")
        else:
            yield from ("--tmpfs", "/opt")
            children = sorted(opt.iterdir()) if opt.is_dir() else []
            yield from (part for child in children if child.name != "ml" for part in _shown(child))
        yield from ("--proc", "/proc") if self.bubblewrap.proc else ("--ro-bind", "/proc", "/proc")
        yield from ("--dev", "/dev")
        for device in (found for pattern in _DEVICES for found in Path("/").glob(pattern[1:])):
            yield from ("--dev-bind-try", str(device), str(device))

    def _temporary(self) -> Iterator[str]:
        for target in filter(os.path.isdir, _TEMPORARY):
            own = self._made(target)
            own.chmod(0o1777)
            yield from ("--bind", str(own), target)
        self._made(_HOME)
        for path in (*self.interpreter.paths, *self.visible):
            if _lies_below(path, _TEMPORARY) and path.exists():
                yield from _shown(path)
        # HOME is the job's own, but by its full path the user's would still be found.
        secrets = Path("~/.aws").expanduser()
        if secrets.is_dir():
            yield from ("--tmpfs", str(secrets))

    def _packages(self) -> Iterator[str]:
        """The interpreter's environment, in which pip may install for this job alone."""
        prefix = self.interpreter.prefix
        if self.installs_apart:
            upper, work = self._made("packages/upper"), self._made("packages/work")
            yield from ("--overlay-src", str(prefix), "--overlay", str(upper), str(work), str(prefix))

    @property
    def installs_apart(self) -> bool:
        """Whether pip can; the distribution's own environment is not for pip (PEP 668)."""
        prefix = self.interpreter.prefix
        return prefix.parent != Path("/") and self._can_overlay(prefix)

    def _names(self, spec: ContainerSpec) -> Iterator[str]:
        """The job's hosts on loopback addresses of its own: 127.x.y.1 and so on."""
        if not Path("/etc/hosts").exists():
            return
        number = zlib.crc32(spec.labels.get(JOB_LABEL, spec.name).encode())
        network = f"127.{64 + number % 128}.{number >> 8 & 255}"
        lines = [f"{network}.{place}\t{host}" for place, host in enumerate(spec.hosts, start=1)]
        own = self.folder / "hosts"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text("\n".join(["127.0.0.1\tlocalhost", "::1\tlocalhost", *lines, ""]), encoding="utf-8")
        yield from ("--ro-bind", str(own), "/etc/hosts")

    def _interpreter_names(self) -> Iterator[str]:
        """`python` and `python3` always mean the interpreter, also where its folder has others of that name."""
        executable = self.interpreter.executable
        own = self._made(_BIN)
        for name in ("python", "python3"):
            beside = executable.parent / name
            if not (beside.exists() and beside.samefile(executable)):
                # No link: a virtual environment is found by the path that its interpreter was called by.
                wrapper = own / name
                wrapper.write_text(f"#!/bin/sh\nexec '{executable}' \"$@\"\n", encoding="utf-8")
                wrapper.chmod(0o755)
        yield from ("--ro-bind", str(own), _BIN)

    def _own_ml(self, spec: ContainerSpec) -> Iterator[str]:
        if all(mount.target.rstrip("/") != _ML for mount in spec.mounts):
            yield from ("--bind", str(self._made(_ML)), _ML)

    def _mount(self, number: int, mount: Mount) -> Iterator[str]:
        source = mount.source.absolute()
        match mount.access:
            case Access.WRITE:
                yield from ("--bind", str(source), mount.target)
            case Access.READ:
                yield from ("--ro-bind", str(source), mount.target)
            case Access.OVERLAY if self._can_overlay(source):
                upper, work = self._made(f"/mounts/{number}/upper"), self._made(f"/mounts/{number}/work")
                yield from ("--overlay-src", str(source), "--overlay", str(upper), str(work), mount.target)
            case Access.OVERLAY:
                copy = private_copy(source, self.folder / "mounts" / str(number) / "copy")
                yield from ("--bind", str(copy), mount.target)

    def _can_overlay(self, source: Path) -> bool:
        # The kernel refuses an upper layer inside the lower one.
        return self.bubblewrap.overlay and source.is_dir() and source not in self.folder.absolute().parents

    def _made(self, inside: str) -> Path:
        path = self.folder / inside.lstrip("/")
        path.mkdir(parents=True, exist_ok=True)
        return path


def _root_by_parts() -> Iterator[str]:
    """The entries of the machine's root folder, each read-only."""
    for child in sorted(Path("/").iterdir()):
        if child.is_symlink():
            yield from ("--symlink", str(child.readlink()), str(child))
        elif child.name not in {"dev", "proc", "opt"}:
            yield from _shown(child)


def _shown(path: Path) -> tuple[str, str, str]:
    return "--ro-bind-try", str(path), str(path)


def _lies_below(path: Path, folders: tuple[str, ...]) -> bool:
    return any(Path(folder) in path.parents for folder in folders)


def _isolation(spec: ContainerSpec) -> Iterator[str]:
    yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", spec.hostname)
    yield from ("--die-with-parent", "--new-session", "--chdir", "/")
    # The hosts of one job meet on the loopback network, so those cannot each have their own.
    if not spec.network and len(spec.hosts) == 1:
        yield "--unshare-net"
    if os.geteuid() == 0:
        yield from ("--cap-drop", "ALL")
        yield from (part for name in _CAPABILITIES.split() for part in ("--cap-add", f"CAP_{name}"))


def command(spec: ContainerSpec, toolkit: Path, family: str, interpreter: Interpreter) -> list[str]:
    """What runs inside: the spec's entrypoint, or the toolkit in the place of the image's own."""
    arguments = list(spec.command or ())
    if spec.entrypoint is not None:
        program, *rest = spec.entrypoint or ("",)
        # An absolute path to a Python means the image's, which this interpreter plays.
        if re.fullmatch(r"(/.*/)?python(3(\.\d+)?)?", program):
            program = str(interpreter.executable)
        return [program, *rest, *arguments]
    verb = arguments.pop(0) if arguments[:1] in (["train"], ["serve"]) else "process"
    return [str(interpreter.executable), str(toolkit), family, verb, *arguments]
