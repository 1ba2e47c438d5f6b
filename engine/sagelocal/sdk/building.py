"""Builds a pipeline of the SageMaker SDK, whose calls to AWS arrive at our own endpoint."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sagelocal.api import SERVICES
from sagelocal.engine import Engine
from sagelocal.errors import MachineError, SagelocalError, UsageError
from sagelocal.nearest import did_you_mean, listed
from sagelocal.sdk.environment import environment
from sagelocal.settings import Settings
from sagelocal.source import Code, Source, given

_PROGRAM: Final = Path(__file__).with_name("program.py")
_SDK: Final = "sagemaker"
_LOOK: Final = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({_SDK!r}) is None)"
_ACTIVATED: Final = ("VIRTUAL_ENV", "CONDA_PREFIX")
_QUIET: Final = {"SAGEMAKER_SUPPRESS_V2_WARNING": "1"}
"""Version 2 of the SDK says a dozen times that there is a version 3, which whoever checks a pipeline knows."""
_WITH_JSON: Final = "save what `.definition()` returns as JSON and give that file"
_HINTS: Final[Mapping[str, str]] = {
    "ProfileNotFound": "the pipeline is built for this machine, where there are no AWS profiles: leave the profile to the environment",
    "NoCredentialsError": "the pipeline is built with credentials of this machine: leave them to the environment",
}
"""Per type of an error that the author's code raises, what to do about it."""


async def build(code: Code, settings: Settings, port: int | None = None) -> Source:
    """Build the pipeline of `code`; whatever is uploaded meanwhile lands in the state folder of `settings`.

    It happens in a process of its own, in the interpreter of `interpreter`. `port` of 127.0.0.1 is where our endpoint is
    meanwhile; None: any.

    Raises:
        UsageError: there is no such module or pipeline, or the author's code fails; then its traceback is in the text.
        MachineError: the SDK is not installed.
        DefinitionError: what the pipeline gives is not JSON.
    """
    python = await asyncio.to_thread(interpreter, settings)
    with tempfile.TemporaryDirectory(prefix="sagelocal-") as folder:
        answer = Path(folder, "answer.json")
        arguments = [str(answer), settings.region, code.module, *([code.name] if code.name else [])]
        async with Engine(settings, services=SERVICES, port=port or 0) as engine:
            variables = _QUIET | environment(settings, await engine.url(), os.environ)
            exit_code = await _run([str(python), str(_PROGRAM), *arguments], variables)
        found = _read(answer)
    if found is None:
        message = f"{code.label}: building the pipeline ended {python} with exit code {exit_code}"
        raise UsageError(message)
    if "fault" in found:
        raise _FAULTS[found["fault"]](code, found, python)
    return given(found["text"], found["name"], Path(found["folder"]), code.label)


def build_now(code: Code, settings: Settings, port: int | None = None) -> Source:
    """As `build`, for who has no event loop."""
    return asyncio.run(build(code, settings, port))


@contextmanager
def thrown_away(settings: Settings) -> Iterator[Settings]:
    """These settings with a state folder that is gone afterwards, for building a pipeline that will not run."""
    with tempfile.TemporaryDirectory(prefix="sagelocal-", ignore_cleanup_errors=True) as folder:
        yield settings.model_copy(update={"home": Path(folder)})


def interpreter(settings: Settings) -> Path:
    """The first of these that has the SageMaker SDK: the one configured, ours, that of the activated environment.

    When none has it, the first, as a module may come without the SDK.
    """
    program = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    activated = [Path(os.environ[name], program) for name in _ACTIVATED if os.environ.get(name)]
    candidates = [*([settings.python] if settings.python else []), Path(sys.executable), *activated]
    return next(filter(_has_sdk, candidates), candidates[0])


def _has_sdk(python: Path) -> bool:
    if python == Path(sys.executable):
        return importlib.util.find_spec(_SDK) is not None
    try:
        return subprocess.run([python, "-c", _LOOK], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _read(answer: Path) -> Any:
    """What the program has written down; None when it was ended before it could."""
    return json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else None


async def _run(command: list[str], variables: Mapping[str, str]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=variables, stdin=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        message = f"{command[0]}: {error.strerror}: name another interpreter as `python` in sagelocal.toml"
        raise MachineError(message) from None
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _no_module(code: Code, _: Any, python: Path) -> SagelocalError:
    where = "" if python == Path(sys.executable) else f" by {python}"
    return UsageError(
        f"{code.module}: is neither a file nor a Python module that can be found from here{where}"
    )


def _no_name(code: Code, found: Any, _: Path) -> SagelocalError:
    pipelines: list[str] = found["pipelines"]
    if code.name:
        hint = did_you_mean(code.name, pipelines or found["names"])
        return UsageError(f"{code.label}: there is no {code.name!r}{hint}")
    if pipelines:
        several = f"{code.label}: has several pipelines: {listed(pipelines)}"
        return UsageError(f"{several}: name one, as in {code.module}:{pipelines[0]}")
    return UsageError(
        f"{code.label}: has no pipeline: neither an object with a definition() nor a function `get_pipeline`;"
        f" a function of another name is named like this: {code.module}:NAME"
    )


def _no_pipeline(code: Code, found: Any, _: Path) -> SagelocalError:
    return UsageError(f"{code.label}: gives {found['type']}, not a pipeline: it has no definition() to call")


def _no_text(code: Code, found: Any, _: Path) -> SagelocalError:
    return UsageError(f"{code.label}: definition() gives {found['type']}, not the text of a definition")


def _no_arguments(code: Code, found: Any, _: Path) -> SagelocalError:
    return UsageError(
        f"{code.label}: needs arguments ({', '.join(found['required'])}), which nobody gives here: write a function without"
        " any that calls it, and name that"
    )


def _raised(code: Code, found: Any, python: Path) -> SagelocalError:
    if found["missing"].split(".")[0] == _SDK:
        return MachineError(
            f"{code.label}: needs the SageMaker SDK, which {python} does not have: install it there (pip install sagemaker),"
            f" name the interpreter that has it as `python` in sagelocal.toml, or {_WITH_JSON}"
        )
    hint = f"\nhint: {_HINTS[found['type']]}" if found["type"] in _HINTS else ""
    frames = f"\n{found['frames']}" if found["frames"] else ""
    return UsageError(f"{code.label}: building the pipeline failed:{frames}\n{found['error']}{hint}")


_FAULTS: Final[Mapping[str, Callable[[Code, Any, Path], SagelocalError]]] = {
    "arguments": _no_arguments,
    "module": _no_module,
    "name": _no_name,
    "raised": _raised,
    "text": _no_text,
    "type": _no_pipeline,
}
"""Per fault that `program` can find, the error that tells of it."""
