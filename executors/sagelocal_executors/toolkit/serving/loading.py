"""The author's serving script: where it is, and how it becomes a module."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import requirements_file
import submit_directory
from ml_contract import CODE, MODEL, JobError

_DEFAULT = "inference.py"
_TOOLKIT = str(Path(__file__).parents[1])  # as it stands in sys.path
_set_aside: list[ModuleType] = []


@dataclass(frozen=True)
class Script:
    """A module's dotted name, and the folder that is to be searched for it first."""

    folder: Path
    module: str

    @property
    def file(self) -> Path:
        return self.folder.joinpath(*self.module.split(".")).with_suffix(".py")


def code_folder() -> Path:
    """Where the author's code is: SAGEMAKER_SUBMIT_DIRECTORY (archives are unpacked), else ``/opt/ml/model/code``."""
    source = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or ""
    source = re.sub("^file://", "", source)
    if not source:
        return CODE if CODE.is_dir() and not (MODEL / "code").is_dir() else MODEL / "code"
    if Path(source).is_dir():
        return Path(source)
    submit_directory.bring_code(source)
    return CODE


def find_script(folder: Path) -> Script | None:
    """SAGEMAKER_PROGRAM, else ``inference.py`` as the inference toolkit looks for it; None when neither is there.

    Raises:
        JobError: SAGEMAKER_PROGRAM names something that is not there.
    """
    program = os.environ.get("SAGEMAKER_PROGRAM") or ""
    name = program or _DEFAULT
    module = re.sub(r"\.py$", "", name).replace("/", ".").strip(".")
    script = Script(folder, module)
    if script.file.is_file() or (script.file.with_suffix("") / "__init__.py").is_file():
        return script
    if program:
        raise JobError(f"SAGEMAKER_PROGRAM: there is no {program!r} in {folder}; it has: {listed(folder)}")
    return None


def listed(folder: Path) -> str:
    """What is below a folder, for people who look for something."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return ", ".join(files[:20]) or "nothing"


def imported(script: Script) -> ModuleType:
    """The script as a module, with what its requirements.txt asks for.

    Raises:
        JobError: it cannot be imported; the traceback is in the log.
    """
    requirements = script.folder / "requirements.txt"
    found = requirements_file.install(requirements) if requirements.is_file() else {}
    _make_way()
    # the SDK puts a model's dependencies into lib when it repacks the model
    folders = [str(script.folder), str(script.folder / "lib"), found.get("PYTHONPATH")]
    sys.path[:0] = [folder for folder in folders if folder]
    if "PATH" in found:
        os.environ["PATH"] = os.pathsep.join([found["PATH"], os.environ.get("PATH", "")])
    importlib.invalidate_caches()
    level = int(os.environ.get("SAGEMAKER_CONTAINER_LOG_LEVEL") or logging.INFO)
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s - %(name)s - %(message)s")
    try:
        return _module(script)
    except (Exception, SystemExit) as error:  # the author's code may raise anything
        raise failed(f"{script.file.name} cannot be imported", error) from None


def failed(what: str, error: BaseException) -> JobError:
    """What to end with; the traceback goes to the log at once."""
    traceback.print_exception(type(error), error, error.__traceback__)
    return JobError(f"{what}: {''.join(traceback.format_exception_only(type(error), error)).strip()}")


def _module(script: Script) -> ModuleType:
    """By its file when it is one, as its name may be that of a module that is loaded already."""
    if "." in script.module or not script.file.is_file():
        return importlib.import_module(script.module)
    spec = importlib.util.spec_from_file_location(script.module, script.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.module] = module
    spec.loader.exec_module(module)
    return module


def _make_way() -> None:
    """Forget the names of this toolkit's modules: an author may have a ``serving.py`` or a ``main.py``, too."""
    sys.path[:] = [folder for folder in sys.path if folder != _TOOLKIT]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name != "__main__" and file.startswith(_TOOLKIT + os.sep):
            _set_aside.append(sys.modules.pop(name))
