"""Where a definition comes from: a JSON file, standard input, or Python that builds it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sagelocal.errors import DefinitionError, Problem, UsageError
from sagelocal.nearest import did_you_mean

_PYTHON = re.compile(r"(?P<module>.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::(?P<name>[A-Za-z_]\w*))?")
_GENERIC = {"definition", "pipeline", "pipeline_definition", "pipeline-definition", "index", "main"}
_USUAL_NAMES = ("pipeline", "get_pipeline")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a definition.

    Attributes:
        text: JSON.
        name: what to call the pipeline unless told otherwise; legal as PipelineName.
        folder: where the source lies: configuration is looked for there.
        label: what to call the source in messages.
    """

    text: str
    name: str
    folder: Path
    label: str


def load(source: str) -> Source:
    """Read a definition from a JSON file, ``-``, or ``module_or_file.py[:name]``.

    In Python, `name` is a pipeline of the SageMaker SDK or a function without arguments that returns one; without a
    name, ``pipeline`` or ``get_pipeline``.

    Raises:
        UsageError: there is no such file or object, or the Python code fails.
        DefinitionError: the text is not JSON; the problem shows the line.
    """
    if source == "-":
        return Source(_json(sys.stdin.read(), "standard input"), "pipeline", Path.cwd(), "standard input")
    path = Path(source)
    python = _PYTHON.fullmatch(source)
    if path.suffix != ".py" and (path.exists() or not python or path.suffix in {".json", ".yaml", ".yml"}):
        return _from_json(path)
    if not python:
        message = f"{source}: no such file"
        raise UsageError(message)
    return _from_python(python["module"], python["name"])


def _from_json(path: Path) -> Source:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(_missing(path)) from None
    except IsADirectoryError:
        message = f"{path}: is a folder: name the JSON file in it that holds the definition"
        raise UsageError(message) from None
    except UnicodeDecodeError as error:
        message = f"{path}: is not UTF-8 text (byte {error.start})"
        raise UsageError(message) from None
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise UsageError(message) from None
    folder = path.absolute().parent
    name = folder.name if path.stem.lower() in _GENERIC else path.stem
    return Source(_json(text, str(path)), _legal(name), folder, str(path))


def _missing(path: Path) -> str:
    folder = path.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return f"{path}: no such file{did_you_mean(path.name, names)}"


def _legal(name: str) -> str:
    """The name with what a PipelineName may not hold made into single hyphens (boto: PipelineName)."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:256].rstrip("-") or "pipeline"


def _json(text: str, label: str) -> str:
    """The text, which is JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        what = "is empty" if not text.strip() else f"is not JSON: {error.msg}"
        place = f"line {error.lineno}, column {error.colno}"
        frame = code_frame(text, error.lineno, error.colno) if text.strip() else ""
        message = f"{label}, {place}: {what}\n{frame}".rstrip()
        raise DefinitionError([Problem("", message)]) from None
    except RecursionError:
        raise DefinitionError([Problem("", f"{label}: is nested too deeply to be a definition")]) from None
    return text


def code_frame(text: str, line: int, column: int) -> str:
    """The line with one before and after it, and a caret under the column; both count from 1.

    Long lines are cut to the 100 characters around the column.
    """
    lines = text.splitlines() or [""]
    shown = range(max(line - 1, 1), min(line + 1, len(lines)) + 1)
    start = max(column - 70, 0)
    frame = []
    for number in shown:
        frame.append(f"{number:>5} | {lines[number - 1][start : start + 100]}")
        if number == line:
            frame.append(f"{'':>5} | {' ' * (column - 1 - start)}^")
    return "\n".join(frame)


def _from_python(module: str, name: str | None) -> Source:
    label = f"{module}:{name}" if name else module
    # What the author's code prints must not mix with our own output, which may be one JSON document.
    with contextlib.redirect_stdout(sys.stderr), _told(label):
        loaded = _import(module)
        pipeline = _pipeline(loaded, name, label)
        text = str(pipeline.definition())
    folder = Path(loaded.__file__).absolute().parent if loaded.__file__ else Path.cwd()
    return Source(
        _json(text, label), _legal(str(getattr(pipeline, "name", None) or loaded.__name__)), folder, label
    )


@contextlib.contextmanager
def _told(label: str) -> Any:
    """Make what the author's code raises a UsageError that says where."""
    try:
        yield
    except UsageError:
        raise
    # The code is the author's: whatever it raises, SystemExit included, is theirs to know.
    except (Exception, SystemExit) as error:
        raise UsageError(_explain(error, label)) from error


def _explain(error: BaseException, label: str) -> str:
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == "sagemaker":
        return (
            f"{label}: needs the SageMaker SDK, which is not installed beside sagelocal: install it"
            " (pip install sagemaker), or save what `.definition()` returns as JSON and give that file"
        )
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    if type(error).__module__.startswith("botocore") or "AWS configuration" in what:
        return (
            f"{label}: building the pipeline calls AWS ({what}): set a default bucket, role and region on its session,"
            " or save what `.definition()` returns as JSON and give that file"
        )
    foreign = ("importlib", "site-packages")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if not any(name in frame.filename for name in foreign)]
    return f"{label}: building the pipeline failed: {what}" + (
        f"\n  {own[-1].filename}:{own[-1].lineno}: {own[-1].line}" if own else ""
    )


def _import(module: str) -> ModuleType:
    """The module of that dotted name, or in that file."""
    if not module.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            message = f"{module}: is neither a file nor a Python module that can be found from here"
            raise UsageError(message)
        return importlib.import_module(module)
    path = Path(module).absolute()
    if not path.is_file():
        raise UsageError(_missing(Path(module)))
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "a path that ends in .py has a loader"
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    # As `import` does: dataclasses and pickles of the module look for it there.
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def _pipeline(module: ModuleType, name: str | None, label: str) -> Any:
    """The object with a ``definition()``, called for when it is a function."""
    names = (name,) if name else _USUAL_NAMES
    found = next((value for known in names if (value := getattr(module, known, None)) is not None), None)
    if found is None:
        raise UsageError(_nothing(module, name, label))
    pipeline = found() if callable(found) and not _is_pipeline(found) else found
    if not _is_pipeline(pipeline):
        message = f"{label}: gives {type(pipeline).__name__}, not a pipeline: it has no definition() to call"
        raise UsageError(message)
    return pipeline


def _is_pipeline(value: object) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "definition", None))


def _nothing(module: ModuleType, name: str | None, label: str) -> str:
    pipelines = [key for key, value in vars(module).items() if _is_pipeline(value)]
    if name is None:
        listed = f"; it has {', '.join(pipelines)}: add one as {label}:{pipelines[0]}" if pipelines else ""
        return f"{label}: has neither a `pipeline` nor a function `get_pipeline`{listed}"
    return f"{label}: there is no {name!r}{did_you_mean(name, pipelines or vars(module))}"
