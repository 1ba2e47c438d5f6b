"""Where a definition comes from: a JSON file, standard input, or Python that builds it."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from sagelocal.errors import DefinitionError, Problem, UsageError
from sagelocal.nearest import did_you_mean

_PYTHON = re.compile(r"(?P<module>.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::(?P<name>[A-Za-z_]\w*))?")
_GENERIC = {"definition", "pipeline", "pipeline_definition", "pipeline-definition", "index", "main"}


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


@dataclass(frozen=True, slots=True)
class Code:
    """Python that builds a pipeline of the SageMaker SDK (`sagelocal.sdk.building`).

    Attributes:
        module: a file, or the dotted name of a module.
        name: of the pipeline in it, or of a function that returns one; None: the usual ones.
        folder: where the file lies, or the working folder when only the import system would know.
    """

    module: str
    name: str | None
    folder: Path

    @property
    def label(self) -> str:
        """What to call the source in messages."""
        return f"{self.module}:{self.name}" if self.name else self.module


def find(source: str) -> Source | Code:
    """Read a definition from a JSON file or ``-``, or find the Python of ``module_or_file.py[:name]``.

    Raises:
        UsageError: there is no such file.
        DefinitionError: the text is not JSON; the problem shows the line.
    """
    if source == "-":
        return given(sys.stdin.read(), "pipeline", Path.cwd(), "standard input")
    path = Path(source)
    python = _PYTHON.fullmatch(source)
    if path.suffix != ".py" and (path.exists() or not python or path.suffix in {".json", ".yaml", ".yml"}):
        return _from_json(path)
    if not python:
        message = f"{source}: no such file"
        raise UsageError(message)
    return Code(python["module"], python["name"], _folder(python["module"]))


def given(text: str, name: str, folder: Path, label: str) -> Source:
    """A source whose text is there already.

    Raises:
        DefinitionError: it is not JSON; the problem shows the line.
    """
    return Source(_json(text, label), _legal(name), folder, label)


def _folder(module: str) -> Path:
    if module.endswith(".py"):
        path = Path(module).absolute()
        if not path.is_file():
            raise UsageError(_missing(Path(module)))
        return path.parent
    # Without an import, which is for whoever builds the pipeline.
    place = Path.cwd().joinpath(*module.split("."))
    if (place / "__init__.py").exists():
        return place
    return place.parent if place.with_suffix(".py").exists() else Path.cwd()


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
    return given(text, name, folder, str(path))


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
