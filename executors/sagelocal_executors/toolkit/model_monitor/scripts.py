"""The job author's own scripts: one that shapes each record before the analysis, one that runs after it."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ml_contract import JobError

from model_monitor.captured import CapturedData
from model_monitor.json_files import Record
from model_monitor.text_files import opened

PREPROCESSOR, POSTPROCESSOR = "record_preprocessor_script", "post_analytics_processor_script"


def handler(script: Path, function: str, variable: str) -> Callable[..., Any]:
    """A function of a Python file.

    Raises:
        JobError: when the file cannot be run, or has no such function.
    """
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise JobError(f"{variable} {script}: not a Python file; its name must end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(script.parent))
    called(spec.loader.exec_module, variable, script, module)
    found = getattr(module, function, None)
    if not callable(found):
        raise JobError(f"{variable} {script}: has no function {function}")
    return found  # type: ignore[no-any-return]  # callable is all that is known of it


def called(
    function: Callable[..., Any], variable: str, script: Path, *arguments: Any, where: str = ""
) -> Any:
    """Call the author's code; what it raises is shown in the log, and becomes the job's failure."""
    try:
        return function(*arguments)
    except Exception as error:  # whatever the author's code raises
        traceback.print_exc()
        at = f" at {where}" if where else ""
        raise JobError(f"{variable} {script} failed{at}: {type(error).__name__}: {error}") from None


def postprocess(script: Path) -> None:
    """Call ``postprocess_handler()``; it finds the reports in the container's output folder."""
    called(handler(script, "postprocess_handler", POSTPROCESSOR), POSTPROCESSOR, script)


class Preprocessor:
    """Calls ``preprocess_handler(record)``, or ``preprocess_handler(record, logger)`` when it takes both."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._handler = handler(script, "preprocess_handler", PREPROCESSOR)
        self._logger = logging.getLogger("preprocessor")
        self._with_logger = len(inspect.signature(self._handler).parameters) > 1
        if self._with_logger:
            logging.basicConfig(level=logging.INFO, stream=sys.stdout)

    def records(self, raw: Iterable[Record], *, captured: bool) -> Iterator[Record]:
        """What the handler makes of each record: an object, a list of them, or nothing.

        A handler that answers with the captured inference itself gives the sides as they are.
        """
        for where, record in raw:
            given = CapturedData(record) if captured and isinstance(record, dict) else record
            made = called(self._handler, PREPROCESSOR, self._script, *self._arguments(given), where=where)
            yield where, made.as_dict() if isinstance(made, CapturedData) else made or None

    def _arguments(self, record: object) -> tuple[object, ...]:
        return (record, self._logger) if self._with_logger else (record,)


def csv_lines(path: Path) -> Iterator[Record]:
    """The records of a CSV file as text, the header among them, as the image hands them to a script."""
    with opened(path) as file:
        pending, begin = "", 1
        for number, line in enumerate(file, 1):
            pending += line
            # A quote that is still open goes on in the next line.
            if pending.count('"') % 2 == 0:
                if pending.strip():
                    yield f"{path}, line {begin}", pending.rstrip("\r\n")
                pending, begin = "", number + 1
        if pending.strip():
            yield f"{path}, line {begin}", pending.rstrip("\r\n")
