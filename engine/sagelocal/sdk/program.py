"""Builds a pipeline in the interpreter that has the author's packages, and writes down what came of it.

Run as a script, with nothing of ours and Python's own library only:
``program.py ANSWER REGION MODULE_OR_FILE [NAME]``. ANSWER is the JSON file that is written; see `sagelocal.sdk.building`.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # This folder: our modules must not come before the author's.
    del sys.path[0]

import importlib
import importlib.util
import inspect
import json
import logging
import os
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

_USUAL_NAMES = ("pipeline", "get_pipeline")
_CHATTY = ("boto3", "botocore", "sagemaker.config")
"""Loggers that tell of every client made and every file of defaults, as the SDK makes all of them talk."""


class RefusalError(Exception):
    """There is no pipeline to build; what was found instead."""

    def __init__(self, fault: str, **found: Any) -> None:
        super().__init__(fault)
        self.answer = {"fault": fault, **found}


def main(answer: str, region: str, module: str, name: str | None = None) -> None:
    # What the author's code prints must not mix with sagelocal's own output, which may be one JSON document.
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.argv = [module]
    for logger in _CHATTY:
        logging.getLogger(logger).setLevel(logging.WARNING)
    try:
        found = _built(module, name, region)
    except RefusalError as refusal:
        found = refusal.answer
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # whatever the author's code raises, SystemExit included, is theirs to know
        found = _raised(error)
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


def _built(module: str, name: str | None, region: str) -> dict[str, Any]:
    loaded = _imported(module)
    pipeline = _pipeline(loaded, name, region)
    text = pipeline.definition()
    if not isinstance(text, str):
        raise RefusalError("text", type=type(text).__name__)
    folder = str(Path(loaded.__file__).absolute().parent) if loaded.__file__ else str(Path.cwd())
    known = str(getattr(pipeline, "name", None) or loaded.__name__)
    return {"text": text, "name": known, "folder": folder}


def _imported(module: str) -> ModuleType:
    """The module of that dotted name, or in that file."""
    here = str(Path.cwd())
    if not module.endswith(".py"):
        sys.path.insert(0, here)
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            raise RefusalError("module")
        return importlib.import_module(module)
    path = Path(module).absolute()
    # As `python FILE` has it; and after all else the working folder, as in a checkout with the file deep inside.
    sys.path.insert(0, str(path.parent))
    sys.path.append(here)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "a path that ends in .py has a loader"
    loaded = importlib.util.module_from_spec(spec)
    # As `import` does: dataclasses and pickles of the module look for it there.
    sys.modules[path.stem] = loaded
    # Not by the loader, which would leave a __pycache__ beside the file that `python FILE` does not leave.
    exec(compile(path.read_bytes(), str(path), "exec"), vars(loaded))  # noqa: S102 - running the author's code is the point
    return loaded


def _pipeline(module: ModuleType, name: str | None, region: str) -> Any:
    """The object with a ``definition()``, called for when it is a function."""
    found = getattr(module, name, None) if name else _usual(module)
    if found is None:
        raise RefusalError("name", pipelines=_pipelines(module), names=sorted(vars(module)))
    pipeline = found(**_known(found, region)) if callable(found) and not _is_pipeline(found) else found
    if not _is_pipeline(pipeline):
        raise RefusalError("type", type=type(pipeline).__name__)
    return pipeline


def _usual(module: ModuleType) -> Any:
    """What the author has called as everybody does, else the only pipeline that there is."""
    for name in _USUAL_NAMES:
        if getattr(module, name, None) is not None:
            return getattr(module, name)
    pipelines = {id(vars(module)[name]): vars(module)[name] for name in _pipelines(module)}
    return next(iter(pipelines.values())) if len(pipelines) == 1 else None


def _known(function: Any, region: str) -> dict[str, str]:
    """The one argument that AWS's project templates require and we know; for others the author is asked."""
    required = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if set(required) - {"region"}:
        raise RefusalError("arguments", required=required)
    return dict.fromkeys(required, region)


def _pipelines(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if _is_pipeline(value)]


def _is_pipeline(value: object) -> bool:
    return not isinstance(value, (type, ModuleType)) and callable(getattr(value, "definition", None))


def _raised(error: BaseException) -> dict[str, Any]:
    """The error with that part of its traceback which lies in the author's own files."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    lines = traceback.format_list(frames)
    return {
        "fault": "raised",
        "type": type(error).__name__,
        "error": "".join(traceback.format_exception_only(type(error), error)).rstrip(),
        "frames": "".join(lines).rstrip(),
        "missing": (error.name or "") if isinstance(error, ModuleNotFoundError) else "",
    }


def _is_own(filename: str) -> bool:
    if filename.startswith("<") or Path(filename) == Path(__file__):
        return False
    if {"site-packages", "dist-packages"} & set(Path(filename).parts):
        return False
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return not any(Path(library) in Path(filename).parents for library in libraries if library)


if __name__ == "__main__":
    main(*sys.argv[1:])
